"""Wasserstein distances of samples against POT, scipy and translations."""

import ot
import pytest
import torch
from scipy.stats import wasserstein_distance, wasserstein_distance_nd
from torch.autograd import gradcheck
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import EmpiricalWasserstein, empirical_wasserstein


@pytest.mark.parametrize(("d", "n"), [(1, 50), (3, 60), (16, 40), (64, 30)])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_is_the_cost_of_the_optimal_plan_of_pot(d, n, order):
    x, y = torch.randn(n, d).double(), torch.rand(n, d).double()
    cost = ot.dist(x.numpy(), y.numpy(), metric="euclidean") ** order
    assert_close(empirical_wasserstein(x, y, order).item(), ot.emd2([], [], cost))
    penalty = EmpiricalWasserstein(weight=3.0, order=order)(Delta(x), Delta(y), x)
    assert_close(penalty.item(), 3 * ot.emd2([], [], cost))


def test_at_order_1_it_is_scipys_distance():
    x, y = torch.randn(20, 3).double(), torch.rand(20, 3).double()
    assert_close(empirical_wasserstein(x, y, 1).item(), wasserstein_distance_nd(x, y))
    line = empirical_wasserstein(x[:, :1], y[:, :1], 1).item()
    assert_close(line, wasserstein_distance(x[:, 0], y[:, 0]))


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_a_translation_costs_its_length_to_the_order(order):
    x, m = torch.randn(50, 2), torch.tensor([0.3, -0.4])
    assert_close(empirical_wasserstein(x, x + m, order), torch.tensor(0.5**order))


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_its_gradient_is_that_of_finite_differences(order):
    x, y = (torch.randn(6, 3, dtype=torch.double, requires_grad=True) for _ in range(2))
    assert gradcheck(lambda x, y: empirical_wasserstein(x, y, order), (x, y))


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_the_gradient_at_equal_samples_is_zero(order):
    x = torch.randn(9, 3, requires_grad=True)
    empirical_wasserstein(x, x.detach()[torch.randperm(9)], order).backward()
    assert_close(x.grad, torch.zeros(9, 3))


def test_samples_of_one_distribution_come_near_as_slowly_as_the_dimension_lets_them():
    """At rate N to the power -2 / D: in 8 dimensions, 16 times as many halve it."""
    few, many = (
        empirical_wasserstein(torch.randn(n, 8), torch.randn(n, 8)).item() for n in (50, 800)
    )
    assert 1.5 < few / many < 2.5


def test_unequal_numbers_of_samples_are_refused():
    with pytest.raises(ValueError, match="as many samples, got 3 and 4"):
        empirical_wasserstein(torch.randn(3, 2), torch.randn(4, 2))
