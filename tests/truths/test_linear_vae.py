"""Linear VAEs reach the optimum of probabilistic PCA on the digits of scikit-learn.

Lucas et al., Don't Blame the ELBO!, 2019; Tipping and Bishop, Probabilistic Principal Component
Analysis, 1999, eq. 4. With fixed variance σ² and weight β, only θ = βσ² matters, and the optimum
keeps the components whose eigenvalues exceed it.
"""

import math
from functools import partial
from typing import NamedTuple

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.testing import assert_close

from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

X = torch.tensor(load_digits().data / 16, dtype=torch.float32)
D = X.shape[1]
EIGENVALUES = torch.linalg.eigvalsh(torch.cov(X.double().T, correction=0)).flip(0)


class Exact(NamedTuple):
    """Means over the data of terms whose expectation over q(z | x) is done by linear algebra."""

    elbo: Tensor
    kl: Tensor
    square_error: Tensor
    active_units: Tensor


@torch.no_grad()
def exact(vae: VAE) -> Exact:
    q = vae.encode(X, vae.condition(None))
    m, s = q.mean.double(), q.stddev.double()
    affine = vae.decoder.layers[0]
    w, b = affine.weight.double(), affine.bias.double()
    square_error = (X - m @ w.T - b).square().sum(1) + s.square() @ w.square().sum(0)
    kl = 0.5 * (m.square() + s.square() - 1 - 2 * s.log()).sum(1)
    variance = (2 * vae.likelihood.log_scale.double()).exp()
    log_likelihood = -0.5 * (square_error / variance + D * torch.log(2 * math.pi * variance))
    active = (m.var(dim=0) > 0.01).sum()
    return Exact((log_likelihood - kl).mean(), kl.mean(), square_error.mean(), active)


def train(vae: VAE, steps: int) -> None:
    """Full batches, and a learning rate that decays to nothing so that no noise remains."""
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.02, fused=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        vae(X).loss.backward()
        optimizer.step()
        scheduler.step()


def linear_vae(latent_dim: int, beta: float, variance: float, learned: str) -> VAE:
    affine = partial(MLP, hidden=())
    likelihood = partial(Normal, variance=variance, learned=learned)
    return VAE(
        (D,), latent_dim, KL(weight=beta), encoder=affine, decoder=affine, likelihood=likelihood
    )


@pytest.mark.parametrize(
    ("learned", "steps", "atol"), [("scalar", 4000, 1e-2), ("optimal", 2500, 5e-2)]
)
def test_with_learned_variance_the_elbo_reaches_the_maximum_likelihood_of_ppca(
    learned, steps, atol
):
    q = 8
    kept, variance = EIGENVALUES[:q], EIGENVALUES[q:].mean()
    log_det = kept.log().sum() + (D - q) * variance.log()
    maximum = -0.5 * (D * math.log(2 * math.pi) + log_det + D)

    vae = linear_vae(q, beta=1.0, variance=1.0, learned=learned)
    train(vae, steps)
    assert_close(exact(vae).elbo, maximum, atol=atol, rtol=0)
    assert exact(vae).elbo < maximum
    assert_close((2 * vae.likelihood.log_scale.double()).exp(), variance, rtol=1e-2, atol=0)


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_at_other_weights_the_optimum_is_reverse_water_filling(beta):
    theta = 0.33  # between the fourth eigenvalue, .39, and the fifth, .27
    kept = EIGENVALUES[theta < EIGENVALUES]

    vae = linear_vae(6, beta, variance=theta / beta, learned="fixed")
    train(vae, steps=2500)
    reached = exact(vae)
    assert_close(reached.kl, 0.5 * (kept / theta).log().sum(), atol=1e-2, rtol=0)
    assert_close(reached.square_error, EIGENVALUES.clamp(max=theta).sum(), atol=1e-2, rtol=0)
    assert reached.active_units == len(kept) == 4
