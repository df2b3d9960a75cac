"""The number of posterior samples per example: the same mean, and less noise."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.objectives import GECO, PenalizedLikelihood
from vae_zoo.priors import MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL, MMD, Adversarial
from vae_zoo.vae import VAE

X = torch.randn(4, 3).double()


def model(objective, regularizer=None, prior=MixtureOfNormals):
    torch.manual_seed(5)
    affine = partial(MLP, hidden=())
    parts = {"encoder": affine, "decoder": affine, "likelihood": Normal, "prior": prior}
    return VAE((3,), 2, regularizer or KL(), objective=objective, **parts).double()


def made_of_samples(vae, k, x=X):
    """The terms of each of K samples, drawn as the model draws them."""
    c = torch.zeros(1, 0).double()
    torch.manual_seed(2)
    q, p = vae.encode(x, c), vae.prior(c).expand((len(x),))
    z = q.rsample((k,))
    assert len(z) == k
    reconstruction = torch.stack([-vae.decode(code, c).log_prob(x) for code in z])
    penalties = torch.stack([q.log_prob(code) - p.log_prob(code) for code in z])
    return q, p, z, reconstruction, penalties


def terms_of(vae, x=X):
    torch.manual_seed(2)
    return vae(x)


@pytest.mark.parametrize("samples", [2, 5])
def test_reconstruction_kl_and_penalty_are_means_over_as_many_samples_as_were_asked(samples):
    vae = model(PenalizedLikelihood(samples), KL(weight=3.0))
    terms = terms_of(vae)
    *_, reconstruction, kl = made_of_samples(vae, samples)
    assert_close(terms.reconstruction, reconstruction.mean(0))
    assert_close(terms.kl, kl.mean(0))
    assert_close(terms.penalty, 3 * kl.mean())
    assert_close(terms.loss, reconstruction.mean() + 3 * kl.mean())


@pytest.mark.parametrize("samples", [2, 5])
def test_geco_weighs_means_over_as_many_samples_as_were_asked(samples):
    vae = model(GECO(1.0, samples=samples)).eval()
    terms = terms_of(vae)
    *_, reconstruction, kl = made_of_samples(vae, samples)
    assert_close(terms.loss, reconstruction.mean() - 1 + kl.mean())  # its multiplier is 1 yet


def test_a_penalty_of_samples_is_the_mean_of_that_of_each():
    vae = model(PenalizedLikelihood(3), MMD(weight=2.0, prior="exact"), StandardNormal)
    q, p, z, *_ = made_of_samples(vae, 3)
    expected = torch.stack([vae.regularizer(q, p, code) for code in z]).mean()
    assert_close(terms_of(vae).penalty, expected)


def test_a_critic_learns_from_all_samples():
    vae = model(PenalizedLikelihood(3), Adversarial(), StandardNormal)
    seen = []

    def critic_loss(q, p, z):
        seen.append(z)
        return z.square().mean()

    vae.regularizer.critic_loss = critic_loss
    terms = terms_of(vae)
    _, _, z, *_ = made_of_samples(vae, 3)
    assert_close(torch.stack(seen), z)
    assert_close(terms.critic, z.square().mean())


def test_one_sample_is_the_default():
    default, one = (terms_of(model(make)) for make in (PenalizedLikelihood(), GECO(1.0)))
    assert_close(default.reconstruction, one.reconstruction)
    assert PenalizedLikelihood().sample_shape == PenalizedLikelihood(1).sample_shape == ()


@pytest.mark.parametrize("objective", [PenalizedLikelihood, partial(GECO, 0.0, decay=0.0)])
@pytest.mark.parametrize("samples", [0, -2])
def test_no_sample_is_refused(objective, samples):
    with pytest.raises(ValueError, match=f"samples must be at least 1, got {samples}"):
        objective(samples=samples)


def gradients(objective, repetitions):
    vae = model(objective)
    vae.objective.eval()  # GECO's multiplier stays at 1
    weight: nn.Parameter = vae.encoder.layers[0].weight
    found = []
    for _ in range(repetitions):
        found.append(torch.autograd.grad(vae(X).loss, weight)[0])
    return torch.stack(found)


@pytest.mark.parametrize("make", [PenalizedLikelihood, partial(GECO, 1.0)])
def test_the_gradient_keeps_its_mean_and_its_variance_falls_as_the_samples_rise(make):
    """The KL from the mixture is estimated at the samples, as the reconstruction is."""
    one, eight = gradients(make(samples=1), 1200), gradients(make(samples=8), 500)
    noise = (one.var(0) / len(one) + eight.var(0) / len(eight)).sqrt()
    assert ((one.mean(0) - eight.mean(0)).abs() < 4.5 * noise).all()
    assert (eight.var(0).sum() / one.var(0).sum()).item() == pytest.approx(1 / 8, rel=0.2)
