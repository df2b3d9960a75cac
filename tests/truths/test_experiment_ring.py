"""Section 11 of the experiments: the entropy of the ring, and how often a path goes around."""

import math
from functools import partial

import pytest
import ring
import torch
from scipy.integrate import quad
from torch.testing import assert_close

from vae_zoo.data import Ring
from vae_zoo.evaluation import importance_sampling
from vae_zoo.likelihoods import Normal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def test_the_entropy_is_that_of_the_density_of_the_data():
    data = Ring()

    def integrand(radius):
        log_density = data.log_likelihood(torch.tensor([[radius, 0.0]], dtype=torch.double)).item()
        return -2 * math.pi * radius * math.exp(log_density) * log_density

    assert ring.entropy() == pytest.approx(quad(integrand, 1 + 1e-9, 2.2)[0], abs=1e-6)
    found = -data.log_likelihood(data.splits.train.x)
    assert found.mean().item() == pytest.approx(ring.entropy(), abs=0.03)


def test_the_map_of_the_ring_is_that_of_its_data():
    z = torch.randn(16_000, 2, generator=torch.Generator().manual_seed(0))
    assert_close(ring.bend(z), Ring().splits.train.x)


def test_a_path_goes_around_as_often_as_it_does():
    assert ring.turns(ring.circle(0.3)) == pytest.approx(1)
    assert ring.turns(ring.circle(0.3) + 1) == pytest.approx(0, abs=1e-6)
    assert ring.turns(torch.cat([ring.circle(1.0), ring.circle(2.0)])) == pytest.approx(2)


@torch.no_grad()
def test_the_integral_over_the_codes_is_what_many_samples_find():
    torch.manual_seed(0)
    model, x = VAE((2,), 2, KL(), likelihood=partial(Normal, variance=0.3)), torch.randn(4, 2)
    many = importance_sampling(model, x, x[:, :0], 100_000).importance_sampling
    assert_close(ring.integral(model, x), many, atol=0.02, rtol=0)


def test_samples_where_no_data_lie_cost_what_the_rest_lacks():
    """Of x uniform over [0, 1] and models that are so but for a share, and another that is not."""
    share = 0.2
    assert ring.least_loss(share) == pytest.approx(quad(lambda _: -math.log(1 - share), 0, 1)[0])
    bent = quad(lambda x: -math.log((1 - share) * (0.5 + x)), 0, 1)[0]
    assert ring.least_loss(share) < bent


def test_radii_of_the_map_are_those_of_its_formula():
    found = ring.of_map(ring.bend)
    assert found == pytest.approx({"turns": 1, "near": 1.05, "far": 1.25})
