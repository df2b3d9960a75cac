"""Sliced Wasserstein distances against optimal assignments and translations."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment
from scipy.stats import kstest, norm, wasserstein_distance
from torch.autograd import gradcheck
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.priors import StandardNormal
from vae_zoo.regularizers import (
    SlicedWasserstein,
    sliced_wasserstein,
    sliced_wasserstein_to_standard,
)
from vae_zoo.sampling import directions


def assignment(x, y):
    """The squared 2-Wasserstein distance of samples on a line, by the Hungarian algorithm."""
    cost = (x[:, None] - y[None, :]) ** 2
    return cost[linear_sum_assignment(cost)].mean()


def test_in_one_dimension_it_is_the_optimal_assignment():
    x, y = torch.randn(40, 1).double(), 2 * torch.randn(40, 1).double() + 1
    distance = sliced_wasserstein(x, y, torch.ones(1, 1).double())
    assert_close(distance.item(), assignment(x[:, 0].numpy(), y[:, 0].numpy()))


def test_it_is_the_mean_over_directions_of_the_optimal_assignments():
    x, y, along = torch.randn(30, 4).double(), torch.rand(30, 4).double(), torch.randn(7, 4)
    along = along.double() / along.double().norm(dim=1, keepdim=True)
    pairs = zip((x @ along.T).T.numpy(), (y @ along.T).T.numpy(), strict=True)
    expected = np.mean([assignment(*pair) for pair in pairs])
    assert_close(sliced_wasserstein(x, y, along).item(), expected)


def test_a_translation_costs_its_mean_square_along_the_directions():
    x, m = torch.randn(50, 3), torch.tensor([1.0, -2.0, 0.5])
    along = directions(9, like=x)
    assert_close(sliced_wasserstein(x, x + m, along), (along @ m).square().mean())


def test_the_order_of_the_samples_does_not_matter():
    x, y, along = torch.randn(50, 3), torch.randn(50, 3), directions(9, torch.ones(1, 3))
    shuffled = sliced_wasserstein(x[torch.randperm(50)], y[torch.randperm(50)], along)
    assert_close(shuffled, sliced_wasserstein(x, y, along))


def test_a_shift_of_a_normal_adds_its_square_over_the_dimension():
    """In expectation exactly, and so whatever the bias of finite samples."""
    regularizer, m, n = SlicedWasserstein(projections=20), torch.tensor([1.0, -2.0, 0.5, 1.0]), 64
    differences = []
    for seed in range(300):
        x, y, distances = torch.randn(n, 4), torch.randn(n, 4), []
        for shift in (m, 0 * m):
            torch.manual_seed(seed)  # the same directions
            distances.append(regularizer(Delta(x + shift), Delta(y), x + shift))
        differences.append(distances[0] - distances[1])
    values = torch.stack(differences)
    assert abs(values.mean() - m.square().sum() / 4) < 4 * values.std() / len(values) ** 0.5


def test_the_bias_of_finite_samples_is_positive_and_vanishes():
    along = directions(50, torch.ones(1, 3))
    few, many = (
        np.mean([sliced_wasserstein(torch.randn(n, 3), torch.randn(n, 3), along) for _ in range(9)])
        for n in (50, 5000)
    )
    assert few > 10 * many > 0


def test_its_gradient_is_that_of_finite_differences():
    x, y = (torch.randn(6, 3, dtype=torch.double, requires_grad=True) for _ in range(2))
    along = directions(4, x)
    assert gradcheck(lambda x, y: sliced_wasserstein(x, y, along), (x, y))


def test_directions_are_unit_vectors_spread_evenly_over_the_sphere():
    along = directions(20_000, torch.ones(1, 3))
    assert_close(along.norm(dim=1), torch.ones(20_000))
    for height in along.T:  # Archimedes: slices of equal height have equal area
        assert kstest(height.numpy(), "uniform", (-1, 2)).statistic < 0.015
    assert_close(along.T @ along / 20_000, torch.eye(3) / 3, atol=0.01, rtol=0)


def test_as_many_directions_are_drawn_as_asked_and_anew_each_time():
    assert directions(7, torch.ones(2, 3)).shape == (7, 3)
    x, y = torch.randn(20, 5), torch.randn(20, 5)

    def spread(projections):
        regularizer = SlicedWasserstein(projections=projections)
        return torch.stack([regularizer(Delta(x), Delta(y), x) for _ in range(40)]).std()

    assert spread(1) > 5 * spread(400) > 0


def test_unequal_numbers_of_samples_are_refused():
    with pytest.raises(ValueError, match="as many samples, got 3 and 4"):
        sliced_wasserstein(torch.randn(3, 2), torch.randn(4, 2), directions(1, torch.ones(1, 2)))


def test_at_order_1_it_is_scipys_distance_along_each_direction():
    x, y, along = torch.randn(30, 4).double(), torch.rand(30, 4).double(), torch.eye(4).double()
    expected = np.mean([wasserstein_distance(a, b) for a, b in zip(x.T, y.T, strict=True)])
    assert_close(sliced_wasserstein(x, y, along, order=1).item(), expected)


@pytest.mark.parametrize("order", [1, 1.5, 3, 4])
def test_the_order_is_the_power_of_the_gaps_whatever_their_sign(order):
    x, m = torch.randn(50, 1), torch.tensor([-1.7])
    along = torch.ones(1, 1)
    assert_close(sliced_wasserstein(x, x + m, along, order), torch.tensor(1.7**order))
    assert_close(sliced_wasserstein(x + m, x, along, order), torch.tensor(1.7**order))
    regularizer = SlicedWasserstein(weight=2.0, order=order)
    assert_close(regularizer(Delta(x), Delta(x + m), x), torch.tensor(2 * 1.7**order))


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_the_gradient_at_equal_samples_is_zero_at_every_order(order):
    x = torch.randn(9, 3, requires_grad=True)
    sliced_wasserstein(x, x.detach().clone(), directions(4, x), order).backward()
    assert_close(x.grad, torch.zeros(9, 3))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_to_the_standard_normal_it_is_the_integral_over_the_levels(order):
    x = torch.linspace(-2, 3, 400).double().unsqueeze(1)

    def gap(level):  # between the quantiles of the samples and those of N(0, 1)
        return abs(-2 + 5 * level - norm.ppf(level)) ** order

    expected = quad(gap, 0, 1, limit=200)[0]
    found = sliced_wasserstein_to_standard(x, torch.ones(1, 1).double(), order)
    assert found.item() == pytest.approx(expected, rel=0.01)


def exact_and_sampled(x):
    p = StandardNormal(x.shape[1])(x).expand((len(x),))
    return [SlicedWasserstein(prior=prior)(Delta(x), p, x) for prior in ("exact", "sampled")]


@pytest.mark.parametrize("n", [64, 512])
def test_exact_quantiles_halve_the_bias_of_sampling_and_its_noise(n):
    values = torch.tensor([exact_and_sampled(torch.randn(n, 8)) for _ in range(60)])
    exact, sampled = values.mean(0)
    assert 0.45 < exact / sampled < 0.58
    assert values[:, 0].std() < 0.75 * values[:, 1].std()


def test_exact_quantiles_are_compared_at_the_order_asked_for():
    x = 3 * torch.randn(50, 1)
    p = StandardNormal(1)(x).expand((50,))
    found = SlicedWasserstein(order=3, prior="exact")(Delta(x), p, x)
    assert_close(found, sliced_wasserstein_to_standard(x, torch.ones(1, 1), order=3))


def test_exact_quantiles_see_a_shift_at_its_square_over_the_dimension():
    x, m = torch.randn(8000, 4), torch.tensor([1.0, -2.0, 0.5, 1.0])
    found = sliced_wasserstein_to_standard(x + m, torch.eye(4))  # axes stand for all directions
    assert_close(found, m.square().sum() / 4, rtol=0.05, atol=0)


def test_the_gradient_of_exact_quantiles_is_that_of_finite_differences():
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    along = directions(4, x)
    assert gradcheck(lambda x: sliced_wasserstein_to_standard(x, along, 3), (x,))
