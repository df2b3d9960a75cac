"""Where two values are right, a regression loses what it must, and a conditional VAE does not."""

import math
from functools import partial

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from vae_zoo.conditions import Vector
from vae_zoo.data import TwoModes
from vae_zoo.evaluation import Elbo, ImportanceSampling
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.priors import MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

A, SIGMA, EPOCHS = 1.0, 0.1, 40


def trained(make_trainer, latent_dim, prior):
    """The model of experiment/two_modes, or of experiment/two_modes_regression."""
    torch.manual_seed(0)
    network = partial(MLP, hidden=(64, 64))
    vae = VAE(
        (1,),
        latent_dim,
        KL(),
        encoder=network,
        decoder=network,
        prior=prior,
        likelihood=partial(Normal, variance=0.1, learned="scalar"),
        condition=Vector,
        condition_shape=(1,),
        optimizer=partial(torch.optim.Adam, lr=3e-3, fused=True),
        lr_scheduler=partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=EPOCHS),
    )
    data = TwoModes(A, SIGMA)
    make_trainer(max_epochs=EPOCHS).fit(vae, data)
    x, y = (part[:1000] for part in data.splits.test)
    found = {}
    for metric in (Elbo(samples=50), ImportanceSampling(samples=50)):
        metric.update(vae, x, y)
        found |= metric.compute()
    return found, data.log_likelihood(x, y)


def entropy():
    """Of x given y: that of ±a + σε, by quadrature."""

    def integrand(x):
        density = (norm.pdf(x, A, SIGMA) + norm.pdf(x, -A, SIGMA)) / 2
        return -density * math.log(density) if density > 0 else 0.0

    return quad(integrand, -2, 2, points=[-A, 0, A], limit=200)[0]


def test_the_loss_of_the_best_regression_tends_to_its_closed_form():
    best = -0.5 * math.log(2 * math.pi * math.e * (A**2 + SIGMA**2))
    closed = 0.5 * math.log(1 + A**2 / SIGMA**2) - math.log(2)
    assert -entropy() - best == pytest.approx(closed, abs=1e-8)


@pytest.mark.slow
def test_a_regression_loses_what_the_closed_form_says(make_trainer):
    found, truth = trained(make_trainer, 0, StandardNormal)
    closed = 0.5 * math.log(1 + A**2 / SIGMA**2) - math.log(2)
    assert truth.mean().item() - found["elbo"].value == pytest.approx(closed, abs=0.05)
    assert found["importance_sampling"].value == pytest.approx(found["elbo"].value, abs=1e-5)


@pytest.mark.slow
def test_a_conditional_vae_comes_within_a_twentieth_of_a_nat_of_the_truth(make_trainer):
    found, truth = trained(make_trainer, 1, MixtureOfNormals)
    assert truth.mean().item() == pytest.approx(-entropy(), abs=3 * truth.std().item() / 1000**0.5)
    for bound in ("elbo", "importance_sampling"):
        assert 0 < truth.mean().item() - found[bound].value < 0.05
