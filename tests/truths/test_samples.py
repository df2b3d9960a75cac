"""A model's samples come from its own prior."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.priors import ConditionalNormal, LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def transparent_vae(prior, **parts):
    """A VAE whose decoder is the identity, so that its samples are those of its prior."""
    affine = partial(MLP, hidden=())
    networks = {"encoder": affine, "decoder": affine}
    vae = VAE((2,), 2, KL(), prior=prior, likelihood=Normal, **networks, **parts)
    with torch.no_grad():
        vae.decoder.layers[0].weight.copy_(torch.eye(2, vae.decoder.layers[0].in_features))
        vae.decoder.layers[0].bias.zero_()
    return vae


@pytest.mark.parametrize(
    ("prior", "loc", "scale"),
    [(StandardNormal, [0.0, 0.0], [1.0, 1.0]), (LearnedNormal, [7.0, -3.0], [0.5, 2.0])],
)
def test_samples_have_the_moments_of_the_prior(prior, loc, scale):
    vae = transparent_vae(prior)
    loc, scale = torch.tensor(loc), torch.tensor(scale)
    if prior is LearnedNormal:
        vae.prior.load_state_dict({"loc": loc, "log_scale": scale.log()})
    samples = vae.sample(20_000)
    assert_close(samples.mean(dim=0), loc, atol=0.06, rtol=0)
    assert_close(samples.std(dim=0), scale, atol=0, rtol=0.03)


def test_samples_fall_on_the_components_of_a_mixture_by_their_weights():
    vae = transparent_vae(partial(MixtureOfNormals, components=3))
    centres = torch.tensor([[30.0, 0.0], [-30.0, 0.0], [0.0, 40.0]])
    weights = torch.tensor([0.5, 0.2, 0.3])
    vae.prior.load_state_dict(
        {"logits": weights.log(), "loc": centres, "log_scale": torch.zeros(3, 2)}
    )
    samples = vae.sample(10_000)
    distances, nearest = torch.cdist(samples, centres).min(dim=1)
    assert distances.max() < 6
    assert_close(nearest.bincount() / len(samples), weights, atol=0.03, rtol=0)


def test_samples_of_a_label_come_from_the_prior_of_that_label():
    vae = transparent_vae(ConditionalNormal, condition=OneHot, classes=3)
    loc = torch.tensor([[10.0, 0.0], [-10.0, 5.0], [0.0, -20.0]])
    with torch.no_grad():
        vae.prior.affine.weight[:2] = loc.T
    y = torch.tensor([0, 1, 2]).repeat(4000)
    samples = vae.sample(len(y), y)
    for label in range(3):
        assert_close(samples[y == label].mean(dim=0), loc[label], atol=0.1, rtol=0)
        assert_close(samples[y == label].std(dim=0), torch.ones(2), atol=0.06, rtol=0)


def test_reconstructions_are_the_decoded_means_of_the_posterior():
    vae, x = transparent_vae(StandardNormal), torch.randn(4, 2)
    expected = vae.encoder(x, torch.zeros(1, 0))[:, :2]
    assert_close(vae.reconstruct(x), expected)
    assert torch.equal(vae.reconstruct(x), vae.reconstruct(x))
