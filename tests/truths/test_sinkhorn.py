"""Sinkhorn divergences against geomloss, POT and their limits."""

import math

import numpy as np
import ot
import pytest
import torch
from geomloss import SamplesLoss
from torch.autograd import gradcheck
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import Sinkhorn, sinkhorn_divergence


def samples(n, d, m=None):
    return 0.7 * torch.randn(n, d).double() + 0.5, torch.randn(m or n, d).double()


def value_and_gradients(divergence, x, y):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    value = divergence(x, y)
    return value.detach(), *torch.autograd.grad(value, (x, y))


@pytest.mark.parametrize(("d", "n", "m"), [(1, 30, 30), (2, 60, 60), (16, 40, 70), (64, 50, 50)])
@pytest.mark.parametrize("blur", [0.5, 1.0, 3.0])
def test_it_is_twice_geomlosss_in_value_and_in_gradient(d, n, m, blur):
    x, y = samples(n, d, m)
    blur = blur * d**0.5
    geomloss = SamplesLoss("sinkhorn", p=2, blur=blur, scaling=0.99, backend="tensorized")
    # geomloss's cost is half of ours; it stops at 1e-3 or so of its own gradient.
    expected = value_and_gradients(lambda x, y: 2 * geomloss(x, y), x, y)
    found = value_and_gradients(lambda x, y: sinkhorn_divergence(x, y, blur, 30), x, y)
    assert_close(found[0], expected[0], rtol=1e-3, atol=1e-5)
    for gradient, reference in zip(found[1:], expected[1:], strict=True):
        assert (gradient - reference).norm() < 0.01 * reference.norm()


@pytest.mark.parametrize("blur", [0.6, 1.0, 2.0])
def test_it_is_made_of_the_entropic_costs_of_pot(blur):
    """POT reports ⟨π, C⟩; the entropy is added here."""
    x, y = samples(25, 3)
    epsilon = 2 * blur**2

    def entropic(x, y):
        a = np.full(len(x), 1 / len(x))
        cost = ((x[:, None] - y[None]) ** 2).sum(-1)
        plan = ot.sinkhorn(
            a, a, cost, epsilon, method="sinkhorn_log", stopThr=1e-9, numItermax=20000
        )
        relative = plan * len(x) ** 2
        return (plan * cost).sum() + epsilon * (plan * np.log(relative)).sum()

    a, b = x.numpy(), y.numpy()
    expected = entropic(a, b) - (entropic(a, a) + entropic(b, b)) / 2
    assert_close(sinkhorn_divergence(x, y, blur, 30).item(), expected, rtol=1e-6, atol=0)


def test_without_blur_it_is_the_squared_wasserstein_distance_of_pot():
    x, y = samples(40, 3)
    expected = ot.emd2([], [], ot.dist(x.numpy(), y.numpy()))
    assert_close(sinkhorn_divergence(x, y, 0.01, 300).item(), expected, rtol=2e-3, atol=0)


def test_with_much_blur_it_is_the_squared_distance_of_the_means():
    x, y = samples(40, 3)
    expected = (x.mean(0) - y.mean(0)).square().sum()
    assert_close(sinkhorn_divergence(x, y, 1000.0), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("blur", [0.3, 1.0, 5.0])
def test_a_translation_costs_its_square_whatever_the_blur(blur):
    """The divergence of a measure from itself shifted by m is |m|², as that of W2²."""
    x, m = torch.randn(40, 2).double(), torch.tensor([3.0, -1.0]).double()
    assert_close(sinkhorn_divergence(x, x + m, blur, 60).item(), 10.0, rtol=1e-3, atol=0)


def test_of_equal_samples_it_is_zero_and_has_no_gradient():
    x = torch.randn(30, 4).double().requires_grad_()
    value = sinkhorn_divergence(x, x.detach().clone(), 2.0, 10)
    value.backward()
    assert_close(value.detach(), torch.zeros(()).double(), atol=1e-7, rtol=0)
    assert_close(x.grad, torch.zeros_like(x), atol=1e-6, rtol=0)


def test_its_gradient_is_that_of_finite_differences():
    x, y = (t.requires_grad_() for t in samples(5, 2))
    assert gradcheck(lambda x, y: sinkhorn_divergence(x, y, 1.5, 10), (x, y))


@pytest.mark.parametrize("blur", [0.05, 1.0])
@pytest.mark.parametrize(("scale", "shift"), [(1e3, 0.0), (1.0, 1e3), (0.0, 0.0), (0.0, 50.0)])
def test_codes_that_are_far_off_or_all_one_give_finite_values_and_gradients(scale, shift, blur):
    x = (scale * torch.randn(64, 8) + shift).requires_grad_()
    y = torch.randn(64, 8)
    value = sinkhorn_divergence(x, y, blur)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(x.grad).all()
    if shift:
        assert_close(value.detach(), torch.tensor(8 * shift**2), rtol=0.1, atol=0)


@pytest.mark.parametrize("d", [2, 16, 128])
def test_single_precision_is_enough_at_the_default_settings(d):
    x, y = samples(128, d)
    exact = value_and_gradients(lambda x, y: sinkhorn_divergence(x, y, d**0.5, 60), x, y)
    regularizer = Sinkhorn()
    found = value_and_gradients(
        lambda x, y: regularizer(Delta(x), Delta(y), x), x.float(), y.float()
    )
    assert_close(found[0], exact[0].float(), rtol=1e-4, atol=0)
    for gradient, reference in zip(found[1:], exact[1:], strict=True):
        assert (gradient - reference).norm() < 1e-3 * reference.norm()


def test_samples_that_are_repeated_count_as_one_of_more_weight():
    """Numbers of samples as unequal as 2 and 1500 change nothing."""
    x, y = torch.randn(2, 2), torch.randn(3, 2)
    expected = sinkhorn_divergence(x.double(), y.double(), 1.0, 20)
    found = sinkhorn_divergence(x, y.repeat(500, 1), 1.0, 20)
    assert_close(found, expected.float(), rtol=1e-3, atol=0)


def test_samples_that_are_far_from_the_origin_lose_no_precision():
    x, y = samples(50, 4)
    near = sinkhorn_divergence(x, y, 2.0)
    assert_close(
        sinkhorn_divergence(x.float() + 1000, y.float() + 1000, 2.0),
        near.float(),
        rtol=1e-3,
        atol=0,
    )


def test_the_blur_of_the_regularizer_is_in_units_of_the_root_of_the_dimension():
    x, y = samples(30, 9)
    found = Sinkhorn(weight=5.0, blur=0.1, iterations=1)(Delta(x), Delta(y), x)
    assert_close(found, 5 * sinkhorn_divergence(x, y, 0.3, 1))  # far from converged


def test_more_iterations_are_nearer_where_there_is_little_blur():
    x, y = samples(50, 2)
    exact = sinkhorn_divergence(x, y, 0.1, 300)
    errors = [abs(sinkhorn_divergence(x, y, 0.1, k) - exact) for k in (2, 5, 20)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@pytest.mark.parametrize("n", [32, 128, 512])
def test_its_bias_is_positive_and_vanishes_as_one_over_n_at_the_default_blur(n):
    values = torch.stack(
        [sinkhorn_divergence(torch.randn(n, 8), torch.randn(n, 8), math.sqrt(8)) for _ in range(12)]
    )
    assert 3.5 < n * values.mean() < 8 * 8
