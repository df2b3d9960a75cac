"""Max-sliced Wasserstein distances against directions known to tell most."""

import math

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import MaxSlicedWasserstein, sliced_wasserstein, steepest_direction
from vae_zoo.sampling import directions


def divergence(x, y, **options):
    return MaxSlicedWasserstein(**options)(Delta(x), Delta(y), x)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("d", [2, 16, 64])
def test_of_a_translation_it_is_its_length_to_the_order_whatever_the_dimension(order, d):
    x, m = torch.randn(100, d), torch.zeros(d)
    m[1] = 3.0  # a slice in a random direction would see 9 / d of it
    assert_close(divergence(x, x + m, order=order), torch.tensor(3.0**order), rtol=0.02, atol=0)


def test_the_direction_of_a_translation_is_found():
    x, m = torch.randn(200, 8).double(), torch.randn(8).double()
    along = steepest_direction(x, x + m, directions(3, x), 2, 30, 1.0)
    assert_close((along @ m).abs().item(), m.norm().item(), rtol=1e-4, atol=0)
    assert_close(along.norm().item(), 1.0)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_step_is_along_the_gradient_that_autograd_finds(order):
    x, y = 3 * torch.randn(40, 5).double(), torch.rand(40, 5).double()
    start = directions(1, x).requires_grad_()
    (gradient,) = torch.autograd.grad(sliced_wasserstein(x, y, start, order), start)
    moved = start + 0.2 * gradient / gradient.norm()
    found = steepest_direction(x, y, start.detach(), order, 1, 0.2)
    assert_close(found, (moved / moved.norm()).detach())


@pytest.mark.parametrize("order", [1, 2, 3])
def test_in_the_plane_it_is_the_maximum_over_a_fine_grid_of_angles(order):
    x, y = torch.randn(80, 2) * torch.tensor([0.3, 2.0]), torch.randn(80, 2)
    angles = torch.linspace(0, math.pi, 2000)
    grid = torch.stack([angles.cos(), angles.sin()], 1)
    expected = max(sliced_wasserstein(x, y, along.unsqueeze(0), order) for along in grid)
    assert_close(divergence(x, y, order=order), expected, rtol=1e-3, atol=0)


def test_steps_and_starts_each_raise_what_is_found():
    x, y = torch.randn(100, 16), torch.randn(100, 16)
    x[:, 0] *= 0.2

    def found(**options):
        return torch.stack([divergence(x, y, **options) for _ in range(20)]).mean()

    assert found(starts=1, steps=10) > 2 * found(starts=1, steps=0)
    assert found(starts=20, steps=10) > 1.05 * found(starts=1, steps=10)
    assert found(starts=1, steps=10) > 1.5 * found(starts=1, steps=10, lr=0.01)


def test_the_gradient_passes_through_both_samples_at_the_direction_found():
    x, m = torch.randn(50, 5), torch.zeros(5)
    m[2] = 4.0
    codes, prior = (x + m).requires_grad_(), x.clone().requires_grad_()
    divergence(codes, prior, steps=40).backward()
    expected = 2 * m.expand(50, 5) / 50
    assert_close(codes.grad, expected, rtol=0, atol=0.02)
    assert_close(prior.grad, -expected, rtol=0, atol=0.02)


def test_equal_samples_have_no_direction_and_no_gradient():
    x = torch.randn(20, 3, requires_grad=True)
    distance = divergence(x, x.detach().clone(), order=1)
    distance.backward()
    assert distance == 0
    assert_close(x.grad, torch.zeros(20, 3))


def test_it_is_found_in_a_validation_too():
    x = torch.randn(20, 3)
    with torch.inference_mode():
        codes = x + torch.tensor([2.0, 0.0, 0.0])
        assert divergence(codes, codes - codes + x) > 3.9


def test_it_is_no_less_than_the_mean_over_directions_and_biased_up():
    x, y = torch.randn(100, 16), torch.randn(100, 16)
    assert divergence(x, y) > 2 * sliced_wasserstein(x, y, directions(500, x)) > 0
