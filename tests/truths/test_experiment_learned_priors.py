"""What section 9 of the experiments rests on: a learned normal is absorbed, or worth one KL."""

from functools import partial

import numpy as np
import pytest
import torch
from learned_priors import absorb, fitted_rate, matched_kl, moments, normal, rate, with_and_without
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from torch.testing import assert_close

from vae_zoo.likelihoods import Bernoulli, Normal
from vae_zoo.networks import MLP
from vae_zoo.priors import LearnedNormal, StandardNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

EMPTY = torch.zeros(1, 0)


def shaken(likelihood, hidden):
    """A VAE of 5 pixels and 3 latents, whose learned normal is far from N(0, I)."""
    network = partial(MLP, hidden=hidden)
    vae = VAE(
        *((5,), 3, KL()),
        encoder=network,
        decoder=network,
        prior=LearnedNormal,
        likelihood=likelihood,
    )
    torch.nn.init.normal_(vae.prior.loc, std=2.0)
    torch.nn.init.normal_(vae.prior.log_scale, std=0.7)
    return vae


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_a_decoder_that_is_affine_at_z_absorbs_a_learned_normal(hidden):
    vae, x = shaken(Bernoulli, hidden), torch.rand(20, 5).round()
    learned, without = with_and_without(vae, x)
    assert learned == pytest.approx(without, abs=1e-9)
    q = vae.encode(x, EMPTY.expand(20, 0))
    swapped = rate(q, StandardNormal(3)) - rate(q, vae.prior)
    assert abs(swapped.item()) > 0.5  # there was something to absorb


def test_an_affine_decoder_draws_the_same_normal_from_both_priors():
    """So that their greatest likelihoods are one: that of probabilistic PCA."""
    vae = shaken(partial(Normal, variance=0.2), ()).double()
    x, p = torch.randn(50, 5).double(), vae.prior(EMPTY)
    found = []
    for decoder, m, s in ((vae.decoder, p.mean, p.stddev), (absorb(vae.decoder, p), 0.0, 1.0)):
        affine = decoder.layers[0]
        w, b = affine.weight.detach(), affine.bias.detach()
        mean = b + w @ (torch.zeros(3).double() + m).detach()
        spread = w * (torch.ones(3).double() * s).detach()
        covariance = spread @ spread.T + 0.2 * torch.eye(5)
        found.append(multivariate_normal(mean, covariance).logpdf(x))
    np.testing.assert_allclose(*found, rtol=1e-10)


def test_at_one_encoder_a_fitted_normal_saves_what_the_moments_say():
    q = normal(torch.randn(200, 3) * torch.tensor([0.2, 1.0, 3.0]) + 1.0, torch.rand(200, 3) + 0.1)
    saved = rate(q, StandardNormal(3).double()).item() - fitted_rate(q)
    assert saved == pytest.approx(matched_kl(*moments(q)), abs=1e-6)
    assert saved > 1.0


def test_the_moments_are_those_of_all_codes_together():
    q = normal(torch.randn(100, 2), torch.rand(100, 2))
    z = q.expand((4000, 100)).sample().flatten(0, 1)
    mean, variance = moments(q)
    assert_close(z.mean(0), mean, atol=0.02, rtol=0)
    assert_close(z.var(0), variance, atol=0, rtol=0.02)


def test_the_kl_of_the_matched_normal_is_its_integral():
    def log_ratio(z):
        return norm.pdf(z, 0.7, 0.4) * (norm.logpdf(z, 0.7, 0.4) - norm.logpdf(z))

    expected = quad(log_ratio, -4, 5)[0]
    assert matched_kl(torch.tensor([0.7]), torch.tensor([0.16])) == pytest.approx(expected)
