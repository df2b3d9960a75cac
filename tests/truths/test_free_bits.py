"""Free bits against their definition, by hand."""

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import (
    KL,
    Bhattacharyya,
    Fisher,
    FreeBits,
    GaussianWasserstein,
    GeometricJensenShannon,
    Jeffreys,
    Renyi,
    ReverseKL,
)

SUMS = [KL(3.0), ReverseKL(), Jeffreys(), Renyi(alpha=0.7), Bhattacharyya(), Fisher()]
SUMS += [GaussianWasserstein(), GeometricJensenShannon(skew=0.3)]
P = Independent(Normal(torch.zeros(2, 4), torch.ones(2, 4)), 1)
# KL of N(m, 1) is m² / 2: examples (0, 2, .5, 0) and (2, 0, .5, .5), means (1, 1, .5, .25).
M = torch.tensor([[0.0, 2.0, 1.0, 0.0], [2.0, 0.0, 1.0, 1.0]])


def evaluate(regularizer):
    m = M.clone().requires_grad_()
    value = regularizer(Independent(Normal(m, torch.ones(2, 4)), 1), P, m)
    if value.requires_grad:
        value.backward()
    return value.item(), m.grad


@pytest.mark.parametrize(
    ("nats", "groups", "expected"),
    [
        (0.3, None, 1 + 1 + 0.5 + 0.3),
        (0.9, None, 1 + 1 + 0.9 + 0.9),
        (1.1, None, 4.4),  # a mean of maxima over examples would be 4 · 1.1 + 2 · 0.45
        (0.9, 2, 2 + 0.9),
        (0.9, 4, 1 + 1 + 0.9 + 0.9),
        (0.9, 1, 2.75),
        (3.0, 1, 3.0),
        (0.0, None, 2.75),
    ],
)
def test_a_group_costs_its_mean_over_the_batch_or_the_floor(nats, groups, expected):
    assert evaluate(FreeBits(KL(), nats, groups))[0] == pytest.approx(expected)


def test_a_group_below_its_floor_gets_no_gradient_and_the_others_that_of_the_divergence():
    _, full = evaluate(KL())
    _, found = evaluate(FreeBits(KL(), nats=0.9, groups=2))
    assert_close(found[:, :2], full[:, :2])
    assert (found[:, 2:] == 0).all()


def test_the_weight_is_that_of_the_wrapped_regularizer():
    assert evaluate(FreeBits(KL(weight=3.0), 0.9))[0] == pytest.approx(3 * 3.8)


@pytest.mark.parametrize("inner", SUMS, ids=lambda inner: type(inner).__name__)
def test_without_a_floor_it_is_the_wrapped_regularizer(inner):
    m, s = torch.randn(2, 6, 4, dtype=torch.double)
    q = Independent(Normal(m, s.exp().clamp(max=1.2)), 1)
    p = Independent(Normal(m.flip(0), torch.ones_like(m) * 1.5), 1)
    assert_close(FreeBits(inner, nats=0.0)(q, p, m), inner(q, p, m))


@pytest.mark.parametrize("groups", [None, 1, 2])
def test_at_the_prior_it_is_the_sum_of_the_floors_as_declared(groups):
    regularizer = FreeBits(KL(weight=2.0), nats=0.4, groups=groups)
    regularizer.build(4)
    assert regularizer(P, P, P.rsample()).item() == pytest.approx(regularizer.null_value)
    assert regularizer.null_value == pytest.approx(0.8 * (groups or 4))


def test_free_bits_go_with_points_where_the_wrapped_regularizer_does():
    z = M.clone()
    assert FreeBits(GaussianWasserstein(), 0.0)(Delta(z), P, z) == pytest.approx(5.5 + 4)


def test_the_fewer_the_examples_the_more_is_above_the_floor_as_declared():
    regularizer = FreeBits(KL(), nats=0.9)
    one_by_one = [
        regularizer(Independent(Normal(m, 1.0), 1), Independent(Normal(0 * m, 1.0), 1), m)
        for m in M.split(1)
    ]
    assert sum(one_by_one) / 2 > evaluate(regularizer)[0] + 0.5
    assert regularizer.biased
    assert regularizer.null_value is None  # until it is built
