"""Section 2 of the experiments: the variance of a weight, and estimates of a known likelihood."""

import math

import evidence
import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import bernoulli, norm
from torch.testing import assert_close

from vae_zoo.data import Digits
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

W = evidence.LOADING
X = math.sqrt(1 + W**2)
EVIDENCE = norm.pdf(X, 0, math.sqrt(1 + W**2))


def joint(z):
    return norm.pdf(z) * norm.pdf(X, W * z)


def test_the_posterior_is_that_of_the_linear_model_and_one_nat_from_the_prior():
    exact = evidence.posterior()
    for z in (-0.5, 0.2, 1.4):
        expected = math.log(joint(z) / EVIDENCE)
        assert exact.log_prob(torch.tensor(z).double()).item() == pytest.approx(expected)
    kl = torch.distributions.kl_divergence(exact, evidence.prior())
    assert kl.item() == pytest.approx(1.0)


@pytest.mark.parametrize("source", [evidence.prior(), evidence.proposal()])
def test_the_relative_variance_of_a_weight_is_that_of_quadrature(source):
    q = norm(source.loc.item(), source.scale.item())
    second = quad(lambda z: joint(z) ** 2 / q.pdf(z), -10, 10, points=[0.9])[0] / EVIDENCE**2
    assert evidence.relative_variance(source, 1) == pytest.approx(second - 1)
    # Independent dimensions multiply their weights, and so the second moments.
    assert evidence.relative_variance(source, 3) == pytest.approx(second**3 - 1)


def test_weights_have_the_mean_1_and_the_variance_that_is_known():
    torch.manual_seed(0)
    weights = evidence.log_weights(evidence.proposal(), 2, 200_000).exp()
    assert weights.mean().item() == pytest.approx(1, abs=0.005)
    exact = evidence.relative_variance(evidence.proposal(), 2)
    assert weights.var().item() == pytest.approx(exact, rel=0.05)


def test_means_of_rows_are_of_their_exponentials():
    values = torch.randn(12, 3)
    expected = values.exp().view(4, 3, 3).mean(1).log()
    assert_close(evidence.means(values, 3), expected)


def test_the_likelihoods_of_shared_codes_are_the_models_own():
    data = Digits()
    model, x = VAE(data.shape, 2, KL()), data.splits.test.x[:5]
    z = torch.randn(7, 2)
    with torch.no_grad():
        expected = model.log_likelihood(x, z.unsqueeze(1).expand(7, 5, 2), x.new_zeros(5, 0))
    assert_close(evidence.log_likelihoods(model, x, z), expected)


def test_the_grid_of_one_dimension_is_what_quadrature_finds():
    torch.manual_seed(0)
    data = Digits()
    model, x = VAE(data.shape, 1, KL()), data.splits.test.x[:5]
    nodes, weights = np.polynomial.legendre.leggauss(400)
    z = 8 * nodes
    with torch.no_grad():
        logits = model.decoder(torch.from_numpy(z)[:, None].float(), torch.zeros(400, 0))
    coins = bernoulli(logits.double().sigmoid().flatten(1).numpy()[:, None])
    inside = coins.logpmf(x.flatten(1).numpy()).sum(-1) + norm.logpdf(z)[:, None]
    exact = logsumexp(inside, axis=0, b=8 * weights[:, None]).mean()
    assert evidence.by_grid(model, x) == pytest.approx(exact, abs=1e-4)
    assert math.isnan(evidence.by_grid(VAE(data.shape, 2, KL()), x))
