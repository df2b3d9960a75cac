"""Energy distance against loops, geomloss and the confluent hypergeometric function of mpmath."""

import math

import pytest
import torch
from geomloss import SamplesLoss
from mpmath import hyp1f1
from torch.autograd import gradcheck
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.priors import StandardNormal
from vae_zoo.regularizers import EnergyDistance, energy_distance, standard_energy_distance
from vae_zoo.regularizers.confluent import confluent


def expected_distance(radius, d):
    """E‖x - y‖ for ‖x‖ = radius; scipy's ₁F₁ is infinite at some of these."""
    norm = math.sqrt(2) * math.gamma((d + 1) / 2) / math.gamma(d / 2)
    return norm * float(hyp1f1(-0.5, d / 2, -(radius**2) / 2))


def to_the_prior(radius, d):
    """2 E‖x - y‖ - E‖y - y'‖ - ‖x - x'‖ of two points, at radius and at minus radius."""
    return 2 * expected_distance(radius, d) - math.sqrt(2) * expected_distance(0, d) - 2 * radius


@pytest.mark.parametrize("d", [1, 2, 3, 5, 16, 64, 128])
def test_the_confluent_function_and_its_slope_are_those_of_mpmath(d):
    s = torch.cat([torch.zeros(1), torch.logspace(-3, 4, 30)]).double()
    values, slopes = confluent(s, d)
    truth = [float(hyp1f1(0.5, d / 2, -at)) for at in s.tolist()]
    slope = [-float(hyp1f1(1.5, d / 2 + 1, -at)) / d for at in s.tolist()]
    assert_close(values, torch.tensor(truth, dtype=torch.double), rtol=0, atol=2e-7)
    assert_close(slopes, torch.tensor(slope, dtype=torch.double), rtol=0, atol=3e-6)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 16, 64, 128])
@pytest.mark.parametrize("dtype", [torch.double, torch.float])
def test_the_expected_distance_is_that_of_mpmath(d, dtype):
    for radius in (0.0, 0.1, 1.0, 3.0, 10.0, 20.0, 30.0):
        x = torch.zeros(2, d, dtype=dtype)
        x[:, 0] = torch.tensor([radius, -radius])
        truth = torch.tensor(to_the_prior(radius, d), dtype=dtype)
        tolerance = 1e-6 * (1 + 2 * expected_distance(radius, d))
        assert_close(standard_energy_distance(x), truth, rtol=0, atol=tolerance)


def test_the_energy_distance_is_that_of_loops():
    x, y = torch.randn(5, 3).double(), torch.randn(7, 3).double() + 1

    def mean(xs, ys, same):
        pairs = [(i, j) for i in range(len(xs)) for j in range(len(ys)) if not (same and i == j)]
        return sum((xs[i] - ys[j]).norm() for i, j in pairs) / len(pairs)

    expected = 2 * mean(x, y, False) - mean(x, x, True) - mean(y, y, True)
    assert_close(energy_distance(x, y), expected)


def test_geomloss_has_half_of_it_with_the_diagonals():
    n, x, y = 40, torch.randn(40, 4).double(), torch.randn(40, 4).double() + 0.5
    within = torch.cdist(x, x).mean() + torch.cdist(y, y).mean()
    without_bias = 2 * SamplesLoss("energy")(x, y) - within / (n - 1)
    assert_close(energy_distance(x, y), without_bias, rtol=0, atol=1e-5)  # its |0| is 1e-5


@pytest.mark.parametrize("n", [4, 64])
def test_both_estimates_have_mean_zero_between_equal_distributions(n):
    pairs = [(torch.randn(n, 3), torch.randn(n, 3)) for _ in range(500)]
    for values in (
        torch.stack([energy_distance(x, y) for x, y in pairs]),
        torch.stack([standard_energy_distance(x) for x, _ in pairs]),
    ):
        assert abs(values.mean()) < 4 * values.std() / 500**0.5
        assert values.min() < 0


def test_the_exact_expectation_is_the_mean_of_that_of_samples_and_varies_less():
    x = torch.randn(30, 3) + 0.4
    values = torch.stack([energy_distance(x, torch.randn(30, 3)) for _ in range(500)])
    assert abs(values.mean() - standard_energy_distance(x)) < 4 * values.std() / 500**0.5
    equal = [torch.randn(2, 30, 3) for _ in range(500)]
    exact = torch.stack([standard_energy_distance(x) for x, _ in equal]).std()
    assert exact < 0.75 * torch.stack([energy_distance(x, y) for x, y in equal]).std()


def test_the_gradients_are_those_of_finite_differences():
    x = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    y = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    assert gradcheck(energy_distance, (x, y))
    # The polynomial is exact for itself, but its slope is that of another: to 1e-6 of each other.
    assert gradcheck(standard_energy_distance, x, atol=1e-5)


def test_equal_codes_have_a_finite_gradient():
    x = torch.zeros(4, 3, requires_grad=True)
    y = torch.cat([torch.zeros(2, 3), torch.randn(2, 3)])
    (energy_distance(x, y) + standard_energy_distance(x)).backward()
    assert x.grad.isfinite().all()


def test_the_prior_of_the_regularizer_is_sampled_or_exact():
    x, y = torch.randn(8, 3), torch.randn(8, 3)
    p = StandardNormal(3)(torch.zeros(8, 0)).expand((8,))
    assert_close(EnergyDistance(2.0)(Delta(x), Delta(y), x), 2 * energy_distance(x, y))
    exact = EnergyDistance(2.0, prior="exact")(Delta(x), p, x)
    assert_close(exact, 2 * standard_energy_distance(x))
