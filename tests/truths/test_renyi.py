"""Rényi divergences at the ends of their range: order 1, infinity, overflow."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.regularizers import ChiSquared, Hellinger, Renyi, normal_kl, renyi_divergence

M, S = torch.tensor([0.3, -1.2, 3.0, 0.0, 0.0]), torch.tensor([0.9, 0.05, 1.3, 0.5, 1.01])
M0, S0 = torch.tensor([0.0, 0.4, 1.0, 0.0, 0.0]), torch.tensor([1.0, 0.7, 2.0, 1.0, 1.0])


def gradients(regularizer, s, m=None):
    """Of scales s, one example a row, against N(0, I)."""
    s = torch.tensor(s).requires_grad_()
    m = torch.zeros_like(s).requires_grad_() if m is None else torch.tensor(m).requires_grad_()
    q = Independent(Normal(m, s), 1)
    p = Independent(Normal(torch.zeros_like(s), torch.ones_like(s)), 1)
    value = regularizer.divergence(q, p, q.rsample())
    value.backward()
    return value.detach(), m.grad, s.grad


def test_the_renyi_divergence_of_order_one_is_the_kl():
    assert_close(renyi_divergence(M, S, M0, S0, 1.0), normal_kl(M, S, M0, S0))


@pytest.mark.parametrize("offset", [1e-2, 1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("sign", [-1, 1])
def test_near_order_one_single_precision_goes_smoothly_to_the_kl(offset, sign):
    found = renyi_divergence(M, S, M0, S0, 1 + sign * offset)
    assert_close(found, normal_kl(M, S, M0, S0), rtol=10 * offset + 2e-6, atol=1e-7)
    exact = renyi_divergence(*(x.double() for x in (M, S, M0, S0)), 1 + sign * max(offset, 1e-5))
    single = renyi_divergence(M, S, M0, S0, 1 + sign * max(offset, 1e-5))
    assert_close(single.double(), exact, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_orders_alpha_and_one_minus_alpha_are_each_other_with_the_normals_exchanged(alpha):
    one = (1 - alpha) * renyi_divergence(M, S, M0, S0, alpha)
    other = alpha * renyi_divergence(M0, S0, M, S, 1 - alpha)
    assert_close(one, other)


@pytest.mark.parametrize(
    ("regularizer", "bound"),
    [(Renyi(alpha=2.0), 2**0.5), (Renyi(alpha=1.5), 3**0.5), (ChiSquared(), 2**0.5)],
)
def test_above_order_one_a_posterior_too_wide_is_infinitely_far_and_never_nan(regularizer, bound):
    for wide in (bound * 1.001, 2.0, 1e10):
        value, *found = gradients(regularizer, [[0.5, wide], [0.9, 0.5]], [[0.0, 0.0], [0.3, 1.0]])
        assert value == math.inf
        for gradient in found:
            assert not gradient.isnan().any()
            assert (gradient[1] != 0).all()  # the other example is trained as before
    value, *found = gradients(regularizer, [[0.5, bound * 0.99]])
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in found)


def test_at_the_very_width_where_it_becomes_infinite_renyi_is_not_nan():
    value, *found = gradients(Renyi(alpha=1.125), [[3.0]])  # v = 1.125 - 0.125 · 9
    assert value == math.inf
    assert not any(gradient.isnan().any() for gradient in found)


def test_a_chi_squared_that_overflows_is_infinite_with_gradients_that_are_not_nan():
    value, *found = gradients(ChiSquared(), [[0.5, 1.0]], [[20.0, 0.0]])
    assert value == math.inf
    assert not any(gradient.isnan().any() for gradient in found)


def test_chi_squared_is_of_the_joint_not_a_sum_over_dimensions():
    one, _, _ = gradients(ChiSquared(), [[0.5]])
    three, _, _ = gradients(ChiSquared(), [[0.5, 0.5, 0.5]])
    assert_close(three, (1 + one) ** 3 - 1)


def test_hellinger_saturates_at_one_however_many_dimensions():
    value, _, _ = gradients(Hellinger(), [[0.5] * 4], [[3.0] * 4])
    assert 0.95 < value < 1
    value, *found = gradients(Hellinger(), [[1e-3] * 512], [[30.0] * 512])
    assert value == 1
    assert all(gradient.isfinite().all() for gradient in found)
