"""The ELBO is the same number whatever is minimised, and the KL at weight 1 minimises minus it."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.testing import assert_close

from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL, MMD, SlicedWasserstein
from vae_zoo.vae import VAE

REGULARIZERS = [KL(), KL(weight=4.0), MMD(), MMD(kernel="gaussian"), SlicedWasserstein(weight=3)]
X = (torch.arange(12 * 16).view(12, 1, 4, 4) % 3 == 0).float()


def terms_of(regularizer, prior=StandardNormal):
    torch.manual_seed(1)
    return VAE((1, 4, 4), 3, regularizer, prior=prior)(X)


@pytest.mark.parametrize("prior", [StandardNormal, LearnedNormal, MixtureOfNormals])
def test_the_loss_of_the_kl_is_minus_the_elbo(prior):
    terms = terms_of(KL(), prior)
    assert_close(terms.loss, -terms.elbo.mean(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("regularizer", REGULARIZERS[1:])
def test_the_elbo_does_not_depend_on_the_regularizer(regularizer):
    reference, terms = terms_of(KL()), terms_of(regularizer)
    for name in ("elbo", "reconstruction", "kl"):
        assert torch.equal(getattr(terms, name), getattr(reference, name))
    assert terms.elbo.shape == (12,)
    assert not torch.isclose(terms.loss, reference.loss)


def test_the_kl_is_reported_unweighted_and_the_penalty_weighted():
    means = terms_of(KL(weight=4.0)).means()
    assert_close(means["penalty"], 4 * means["kl"])
    assert_close(means["loss"], means["reconstruction"] + 4 * means["kl"])
    assert_close(means["elbo"], -means["reconstruction"] - means["kl"])
    assert list(means) == ["loss", "elbo", "reconstruction", "kl", "penalty"]


def test_the_elbo_is_the_log_evidence_at_the_true_posterior():
    """For x = wz + b + σε, whatever the noise: the ratio p(x, z) / q(z) is constant."""
    w, b, variance = 1.5, 0.3, 0.4
    affine = partial(MLP, hidden=())
    likelihood = partial(Normal, variance=variance)
    vae = VAE((1,), 1, KL(), encoder=affine, decoder=affine, likelihood=likelihood)
    precision = 1 + w**2 / variance
    slope, scale = w / variance / precision, precision**-0.5
    raw = np.log(np.expm1(scale - 1e-4))  # the inverse of softplus and its floor
    state = {
        "encoder.layers.0.weight": torch.tensor([[slope], [0.0]]),
        "encoder.layers.0.bias": torch.tensor([-slope * b, raw]),
        "decoder.layers.0.weight": torch.tensor([[w]]),
        "decoder.layers.0.bias": torch.tensor([b]),
    }
    vae.load_state_dict(state)
    x = torch.linspace(-3, 3, 5)[:, None]
    evidence = torch.tensor(norm.logpdf(x[:, 0].double(), b, np.sqrt(w**2 + variance)))
    terms = vae(x.repeat_interleave(20_000, dim=0))
    elbo = terms.elbo.view(5, -1).detach()
    error = elbo.std(dim=1) / 20_000**0.5
    assert ((elbo.mean(dim=1) - evidence).abs() < 4 * error).all()

    z = vae.encode(x, vae.condition(None)).sample()
    q = vae.encode(x, vae.condition(None)).log_prob(z)
    ratio = vae.decode(z, vae.condition(None)).log_prob(x) + vae.prior(x).log_prob(z) - q
    assert_close(ratio.detach(), evidence, check_dtype=False, rtol=1e-5, atol=1e-5)
