"""Variance and weight: what a normal likelihood hides, and that one product trains a model."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from two_knobs import calibrated_elbo, square_error

from vae_zoo.likelihoods import Normal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def vae(variance, weight):
    def likelihood(shape):
        return Normal(shape, variance=variance)

    torch.manual_seed(0)
    return VAE((7,), 3, KL(weight=weight), likelihood=likelihood).double()


def gradient(variance, weight):
    model = vae(variance, weight)
    x = torch.linspace(-1, 1, 70).double().view(10, 7)
    torch.manual_seed(1)
    model(x).loss.backward()
    return torch.cat([part.grad.flatten() for part in model.parameters()])


def test_gradients_of_one_product_differ_by_a_factor_alone():
    one, other = gradient(0.1, 2.0), gradient(0.4, 0.5)
    torch.testing.assert_close(one, 4 * other)
    assert not torch.allclose(gradient(0.1, 1.0), 4 * other, rtol=1e-2)


@pytest.mark.parametrize("variance", [0.04, 2.0])
def test_the_square_error_comes_back_from_the_likelihood(variance):
    x, m = torch.randn(9).numpy(), torch.randn(9).numpy()
    reconstruction = -norm(m, math.sqrt(variance)).logpdf(x).sum()
    assert square_error(reconstruction, variance, 9) == pytest.approx(((x - m) ** 2).sum())


def test_the_calibrated_elbo_is_the_best_over_variances():
    error, rate, pixels = 1.7, 8.5, 64

    def elbo(log_variance):
        variance = math.exp(log_variance)
        return -0.5 * (error / variance + pixels * math.log(2 * math.pi * variance)) - rate

    best = minimize_scalar(lambda log_variance: -elbo(log_variance), bounds=(-9, 3))
    assert calibrated_elbo(error, rate, pixels) == pytest.approx(-best.fun)
    assert math.exp(best.x) == pytest.approx(error / pixels, rel=1e-4)
