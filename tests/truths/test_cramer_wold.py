"""Cramér-Wold distance against loops over pairs, and against integrals over directions."""

import math

import pytest
import torch
from scipy.special import hyp1f1
from torch.autograd import gradcheck
from torch.distributions import Normal
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.priors import StandardNormal
from vae_zoo.regularizers import CramerWold, cramer_wold
from vae_zoo.sampling import directions


def by_loops(x):
    """Knop et al. 2020: a mean over pairs of scipy's ₁F₁, the diagonal included."""
    n, d = x.shape
    gamma = (4 / (3 * n)) ** (2 / 5)

    def phi(s):
        return hyp1f1(0.5, d / 2, -float(s))

    pairs = sum(phi((a - b).square().sum() / (4 * gamma)) for a in x for b in x) / n**2
    prior = sum(phi(a.square().sum() / (2 + 4 * gamma)) for a in x) / n
    total = pairs / gamma**0.5 + (1 + gamma) ** -0.5 - 2 * prior / (gamma + 0.5) ** 0.5
    return total / (2 * math.sqrt(math.pi))


def by_projections(x, number):
    """The L² distance of smoothed densities on a grid, averaged over random directions."""
    gamma = (4 / (3 * len(x))) ** (2 / 5)
    grid = torch.linspace(-8, 8, 801, dtype=x.dtype)[:, None, None]
    projected = (x @ directions(number, like=x).T)[None]  # (1, N, P)
    codes = Normal(projected, gamma**0.5).log_prob(grid).exp().mean(1)
    prior = Normal(0.0, (1 + gamma) ** 0.5).log_prob(grid[:, 0]).exp()
    return 16 / 800 * (codes - prior).square().sum(0)  # (P,)


@pytest.mark.parametrize("d", [1, 2, 5, 16, 64])
@pytest.mark.parametrize("n", [1, 2, 20])
def test_the_distance_is_that_of_loops(d, n):
    x = 1.5 * torch.randn(n, d, dtype=torch.double) + 0.3
    truth = torch.tensor(by_loops(x), dtype=torch.double)
    assert_close(cramer_wold(x), truth, rtol=0, atol=3e-7)
    assert_close(cramer_wold(x.float()), truth.float(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("d", [2, 5])
def test_the_distance_is_that_of_smoothed_projections(d):
    x = torch.randn(12, d, dtype=torch.double) + 0.8
    values = by_projections(x, 400)
    assert abs(values.mean() - cramer_wold(x)) < 4 * values.std() / 400**0.5


@pytest.mark.parametrize("d", [1, 2, 3, 16])
def test_the_gradient_is_that_of_finite_differences(d):
    x = torch.randn(5, d, dtype=torch.double, requires_grad=True)
    assert gradcheck(cramer_wold, x)


def test_equal_codes_have_a_finite_gradient_and_a_finite_logarithm():
    x = torch.zeros(4, 3, requires_grad=True)
    p = StandardNormal(3)(torch.zeros(4, 0)).expand((4,))
    penalty = CramerWold()(Delta(x), p, x)
    penalty.backward()
    assert penalty.isfinite()
    assert x.grad.isfinite().all()


def test_the_logarithm_is_finite_where_the_distance_is_lost_to_rounding():
    n = 4096
    quantiles = torch.special.ndtri((torch.arange(n).unsqueeze(1) + 0.5) / n)
    p = StandardNormal(1)(torch.zeros(n, 0)).expand((n,))
    assert CramerWold()(Delta(quantiles), p, quantiles) >= math.log(torch.finfo(torch.float).eps)


def test_the_regularizer_is_the_logarithm():
    x = torch.randn(9, 3)
    p = StandardNormal(3)(torch.zeros(9, 0)).expand((9,))
    assert_close(CramerWold(2.0)(Delta(x), p, x), 2 * cramer_wold(x).log())


def test_the_distance_of_the_prior_from_itself_falls_with_the_number_of_samples():
    few, many = (
        torch.stack([cramer_wold(torch.randn(n, 4)) for _ in range(50)]) for n in (32, 256)
    )
    assert 0 < many.mean() < 0.5 * few.mean()
