"""Moments against closed forms, and their estimate against U-statistics by loops."""

from itertools import permutations

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.priors import LearnedNormal, StandardNormal
from vae_zoo.regularizers import Moments, moment_distance


def by_definition(x, mean, covariance):
    """The U-statistic: over all quadruples, with (a - b)(c - d)ᵀ / 2 for each covariance."""
    values = []
    for a, b, c, d in permutations(x, 4):
        first, second = torch.outer(a - b, a - b) / 2, torch.outer(c - d, c - d) / 2
        cov = ((first - covariance) * (second - covariance)).sum()
        values.append((a - mean) @ (c - mean) + cov)
    return torch.stack(values).mean()


def to_prior(x, prior=None):
    p = (prior or StandardNormal(x.shape[1]))(x).expand((len(x),))
    return Moments()(Delta(x), p, x)


@pytest.mark.parametrize(("n", "d"), [(4, 2), (6, 3), (7, 1)])
def test_the_estimate_is_the_mean_over_quadruples(n, d):
    x, mean = torch.randn(n, d).double() ** 3, torch.randn(d).double()
    covariance = torch.randn(d, d).double()
    covariance = covariance @ covariance.T
    assert_close(moment_distance(x, mean, covariance), by_definition(x, mean, covariance))


@pytest.mark.parametrize(("n", "repetitions"), [(4, 4000), (16, 1500), (128, 300)])
def test_its_mean_is_the_closed_form_whatever_the_number_of_samples(n, repetitions):
    m = torch.tensor([0.5, -1.0, 0.0])
    root = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [0.0, 0.3, 1.5]])
    expected = m.square().sum() + (root @ root.T - torch.eye(3)).square().sum()
    values = torch.stack([to_prior(torch.randn(n, 3) @ root.T + m) for _ in range(repetitions)])
    assert abs(values.mean() - expected) < 4 * values.std() / repetitions**0.5


@pytest.mark.parametrize("d", [2, 16, 128])
def test_at_the_prior_it_is_zero_on_average_and_below_at_times(d):
    values = torch.stack([to_prior(torch.randn(64, d)) for _ in range(300)])
    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5
    assert values.min() < 0 < values.max()


def test_a_shift_adds_its_square_and_a_scale_the_square_of_its_excess():
    x = torch.randn(20_000, 2).double()
    shift = to_prior(x + torch.tensor([3.0, 4.0]))
    assert_close(shift.item(), 25.0, rtol=0.01, atol=0)
    assert_close(to_prior(2 * x).item(), 2 * 3.0**2, rtol=0.05, atol=0)


def test_a_learned_prior_gives_its_own_moments_and_learns_them():
    prior, x = LearnedNormal(2), 3 * torch.randn(50_000, 2) + torch.tensor([5.0, -1.0])
    with torch.no_grad():
        prior.loc.copy_(torch.tensor([5.0, -1.0]))
        prior.log_scale.fill_(torch.tensor(3.0).log())
    assert abs(to_prior(x, prior)) < 0.2
    assert to_prior(x) > 100
    with torch.no_grad():
        prior.loc.zero_()
    to_prior(x, prior).backward()
    assert_close(prior.loc.grad, torch.tensor([-10.0, 2.0]), rtol=0.02, atol=0)
    assert_close(to_prior(x, prior).item(), 26.0, rtol=0.02, atol=0)


def test_a_conditional_prior_gives_the_moments_over_the_batch():
    """Half the examples at -2 and half at 2: the mixture has mean 0 and variance 1 + 4."""
    m = torch.tensor([-2.0, 2.0]).repeat(1000).unsqueeze(1).double()
    p = Independent(Normal(m, torch.ones_like(m)), 1)
    x = 5**0.5 * torch.randn(2000, 1).double()
    assert abs(Moments()(Delta(x), p, x)) < 0.5
    assert_close(to_prior(x).item(), 16.0, rtol=0.2, atol=0)


def test_its_gradient_is_that_of_finite_differences():
    x, mean, c = (torch.randn(*s, dtype=torch.double) for s in ((6, 3), (3,), (3, 3)))
    inputs = tuple(t.requires_grad_() for t in (x, mean, c))
    assert gradcheck(moment_distance, inputs)
