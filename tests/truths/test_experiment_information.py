"""Codes are as long as -ELBO / ln 2, and are decoded; a nat of rate saves what its weight says."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from bits_back import REACH, BitsBack, length_on_chance, lengths, prior_bits, saved_by_least
from information import STACKS, exchange, mean_lengths
from numpy.polynomial.hermite_e import hermegauss
from torch.distributions import Normal, kl_divergence

from vae_zoo.data import LinearGaussian
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

WIDTH = 1 / 32


@pytest.fixture
def vae():
    """One latent, which decides much: q(z | x) is narrow, and as wrong as chance made it."""
    vae = VAE((1, 2, 3), 1, KL()).eval()
    with torch.no_grad():
        vae.encoder.layers[-1].weight.mul_(8.0)
        vae.decoder.layers[-1].weight.mul_(8.0)
    return vae


@pytest.fixture
def images():
    return (torch.rand(300, 1, 2, 3) < 0.5).float()


@torch.no_grad()
def bits(vae, x):
    """-ELBO / ln 2 by Gauss-Hermite quadrature of a single latent, and H(q) in bins."""
    nodes, weights = (torch.from_numpy(part).float() for part in hermegauss(60))
    q = vae.encode(x, torch.zeros(len(x), 0))
    m, s = q.mean, q.stddev
    z = m + s * nodes  # (B, nodes)
    none = torch.zeros(1, 0)
    log_likelihood = torch.stack(
        [vae.decode(each[:, None], none.expand(len(x), 0)).log_prob(x) for each in z.T], dim=1
    )
    elbo = log_likelihood @ (weights / weights.sum())
    elbo -= kl_divergence(Normal(m, s), Normal(0.0, 1.0)).squeeze(1)
    return -elbo.mean().item() / math.log(2)


def test_on_bits_of_pure_chance_a_code_is_as_long_as_the_elbo_says(vae, images):
    """In the mean over stacks of their own: in a row, each image chooses its code by the last."""
    found = [length_on_chance(vae, images, WIDTH, seed) for seed in range(4)]
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert error < 0.15
    assert np.mean(found) == pytest.approx(bits(vae, images), abs=0.2)


def test_without_bits_back_a_code_costs_what_its_bin_and_pixels_do(vae, images):
    none, total = torch.zeros(1, 0), 0.0
    with torch.no_grad():
        for x in images:
            z = (vae.encode(x[None], none).mean / WIDTH).round() * WIDTH
            edges = Normal(0.0, 1.0).cdf(z + WIDTH * torch.tensor([-0.5, 0.5]))
            total -= (edges.diff().log() + vae.decode(z, none).log_prob(x)).item()
    _, naive = lengths(vae, images, WIDTH, seed=0)
    assert naive == pytest.approx(total / len(images) / math.log(2), abs=0.02)


def test_a_code_is_what_its_own_bins_say(vae, images):
    """-log₂ p(x, z)/q(z | x) of the bins that the stack chose, which quadrature cannot see."""
    words = np.random.default_rng(0).integers(1, 2**32, size=200, dtype=np.uint32)
    coder = BitsBack(vae, WIDTH, words)
    none, before = torch.zeros(1, 0), coder.bits
    total = 0.0
    for x in images[:50]:
        coder.push(x)
        [z] = coder.stack.clone().decode(coder.bins, *coder.prior) * WIDTH
        q = vae.encode(x[None], none)
        code = torch.tensor([[z]]).float()
        prior = Normal(0.0, 1.0).log_prob(code).sum()
        joint = vae.decode(code, none).log_prob(x) + prior
        total += (q.log_prob(code) - joint).item() / math.log(2)
    assert coder.bits - before == pytest.approx(total, abs=2)


def test_images_come_back_and_the_stack_is_as_it_was(vae, images):
    words = np.random.default_rng(0).integers(1, 2**32, size=200, dtype=np.uint32)
    coder = BitsBack(vae, WIDTH, words)
    for x in images:
        coder.push(x)
    assert all(torch.equal(coder.pop(), x) for x in images.flip(0))
    assert np.array_equal(coder.stack.get_compressed(), words)


@pytest.mark.parametrize("place", [0.0, 1.0, -3.0, 5.0, -8.0, 16.0])
def test_the_coder_takes_as_many_bits_for_a_bin_as_is_said_also_far_outside_the_prior(vae, place):
    coder, times = BitsBack(vae, WIDTH, np.ones(200, dtype=np.uint32)), 1000
    before, bins = coder.bits, np.full(1, round(place / WIDTH), dtype=np.int32)
    for _ in range(times):
        coder.stack.encode_reverse(bins, coder.bins, *coder.prior)
    expected = prior_bits(torch.from_numpy(bins), WIDTH).item()
    apart = 0.3 if abs(place) == 5 else 0.05  # where 1/2^24 and 2/2^24 are a bit apart
    assert (coder.bits - before) / times == pytest.approx(expected, abs=apart)


def test_bins_of_the_coder_are_a_distribution():
    reach = round(REACH / WIDTH)
    every = prior_bits(torch.arange(-reach, reach + 1), WIDTH)
    assert (2.0**-every).sum().item() == pytest.approx(1.0, abs=1e-9)


def test_the_least_probability_saves_where_codes_lie_far_outside_the_prior(vae, images):
    assert saved_by_least(vae, images, WIDTH, 0) == pytest.approx(0.0, abs=0.01)
    with torch.no_grad():
        layer = vae.encoder.layers[-1]
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([9.0, -20.0]))  # all codes at 9
    of_normal = (9**2 / 2 + math.log(2 * math.pi) / 2 - math.log(WIDTH)) / math.log(2)
    saved = saved_by_least(vae, images, WIDTH, 0)
    assert saved == pytest.approx(of_normal - 24, abs=0.01)


def test_lengths_are_means_over_stacks_that_no_two_runs_share(monkeypatch, vae, images):
    seen = []

    def length(model, x, width, seed):
        seen.append(seed)
        return float(seed), 2.0

    monkeypatch.setattr("information.lengths", length)
    assert [mean_lengths(vae, images, WIDTH, seed) for seed in (0, 1)] == [(2.0, 2.0), (7.0, 2.0)]
    assert seen == [*range(2 * STACKS)]


def test_at_optima_a_nat_of_rate_saves_between_the_weights_on_either_side():
    """Of linear VAEs, whose optima are reverse water-filling."""
    weights, data = [0.3, 0.5, 1.0, 1.2, 2.0, 3.0], LinearGaussian()
    optima = [data.water_filling(3, weight, 1.0) for weight in weights]
    rate = [each.kl.item() for each in optima]
    saved = exchange(rate, [each.square_error.item() / 2 for each in optima])
    for (low, high), nats in zip(pairwise(weights), saved, strict=True):
        assert low < nats < high
