"""The Jensen-Shannon divergence against integrals of its definition."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.regularizers import KL, JensenShannon

# Means and scales of q, and of p, in two dimensions.
PAIRS = {
    "close": ([0.2, -0.3], [0.8, 1.1], [0.0, 0.0], [1.0, 1.0]),
    "apart": ([1.5, -0.5], [0.4, 0.7], [0.2, 0.1], [1.2, 0.8]),
    "narrow": ([0.5, 0.3], [0.05, 0.1], [0.0, 0.0], [1.0, 1.0]),
}


def by_definition(m, s, m0, s0):
    """½ KL(q ‖ M) + ½ KL(p ‖ M), M = (q + p) / 2, on a grid over all dimensions."""
    axes = [np.linspace(-8, 8, 801 if len(m) == 2 else 8001)] * len(m)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    log_q, log_p = norm.logpdf(grid, m, s).sum(-1), norm.logpdf(grid, m0, s0).sum(-1)
    log_mean = np.logaddexp(log_q, log_p) - math.log(2)
    values = np.exp(log_q) * (log_q - log_mean) + np.exp(log_p) * (log_p - log_mean)
    return values.sum() * (axes[0][1] - axes[0][0]) ** len(m) / 2


def batch(part, n):
    return torch.tensor(part).expand(n, len(part)).clone().requires_grad_()


def estimate(parts, n):
    m, s, m0, s0 = parts = [batch(part, n) for part in parts]
    q, p = Independent(Normal(m, s), 1), Independent(Normal(m0, s0), 1)
    return JensenShannon().divergence(q, p, q.rsample()), parts


@pytest.mark.parametrize("name", PAIRS)
def test_the_estimate_is_unbiased_for_the_joint_density(name):
    estimates = torch.stack([estimate(PAIRS[name], 2000)[0] for _ in range(20)]).detach()
    error = estimates.std() / len(estimates) ** 0.5
    assert error < 0.005
    assert abs(estimates.mean() - by_definition(*PAIRS[name])) < 4 * error + 1e-5


def test_the_joint_divergence_is_not_the_sum_over_dimensions():
    parts = PAIRS["apart"]
    total = sum(by_definition(*[part[j : j + 1] for part in parts]) for j in range(2))
    found = estimate(parts, 20_000)[0].item()
    assert abs(found - by_definition(*parts)) < 0.02 < abs(found - total)


@pytest.mark.parametrize("j", range(4))
def test_the_mean_of_its_gradient_is_that_of_the_divergence(j):
    """Of the mean and the scale of q, and of p: samples of both carry gradients."""
    value, parts = estimate(PAIRS["apart"], 40_000)
    value.backward()
    gradient = parts[j].grad[:, 0] * len(parts[j])
    ends = []
    for step in (1e-4, -1e-4):
        moved = [list(part) for part in PAIRS["apart"]]
        moved[j][0] += step
        ends.append(by_definition(*moved))
    expected = (ends[0] - ends[1]) / 2e-4
    error = gradient.std() / len(gradient) ** 0.5
    assert abs(expected) > 10 * error
    assert abs(gradient.mean() - expected) < 4 * error


def test_every_estimate_is_between_zero_and_ln_two():
    for scale in (0.0, 1.0, 5.0, 1e3):
        q = Independent(Normal(scale * torch.randn(64, 5), torch.rand(64, 5) + 1e-4), 1)
        p = Independent(Normal(torch.zeros(64, 5), torch.ones(64, 5)), 1)
        assert 0 <= JensenShannon().divergence(q, p, q.rsample()) <= math.log(2) + 1e-6
        m = q.base_dist.loc.requires_grad_()
        JensenShannon().divergence(q, p, q.rsample()).backward()
        assert m.grad.isfinite().all()


def test_it_varies_less_than_the_log_ratios_of_its_definition():
    m, s, m0, s0 = (batch(part, 50_000) for part in PAIRS["close"])
    q, p = Independent(Normal(m, s), 1), Independent(Normal(m0, s0), 1)
    z, y = q.sample(), p.sample()
    log_ratios = [
        of.log_prob(x) - torch.stack([q.log_prob(x), p.log_prob(x)]).logsumexp(0) + math.log(2)
        for of, x in ((q, z), (p, y))
    ]
    plain = (sum(log_ratios) / 2).std() / 1000**0.5
    ours = torch.stack([estimate(PAIRS["close"], 1000)[0] for _ in range(200)]).std()
    assert ours < plain / 2


def test_two_distributions_far_apart_are_told_apart_by_ln_two():
    value, _ = estimate(([100.0], [1.0], [0.0], [1.0]), 8)
    assert_close(value.item(), math.log(2))


def test_it_is_below_a_quarter_of_the_jeffreys_divergence():
    q = Independent(Normal(torch.full((20_000, 1), 0.3), 0.9), 1)
    p = Independent(Normal(torch.zeros(20_000, 1), 1.0), 1)
    jeffreys = KL().divergence(q, p, q.rsample()) + KL().divergence(p, q, p.rsample())
    assert JensenShannon().divergence(q, p, q.rsample()) < jeffreys / 4
