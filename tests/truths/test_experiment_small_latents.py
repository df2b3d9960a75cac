"""Section 7 of the experiments: what linear models reach at best, and an autoencoder's noise."""

from functools import partial

import numpy as np
import pytest
import small_latents
import torch
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.data import LinearGaussian
from vae_zoo.likelihoods import Normal as NormalLikelihood
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import NoRegularizer
from vae_zoo.vae import VAE


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_the_optimum_is_that_of_the_population(latent_dim):
    data = LinearGaussian(dimension=8, latents=3, sigma=0.5)
    found = small_latents.optimum(data.eigenvalues.numpy(), latent_dim, 0.6)
    kl, square_error, active = data.water_filling(latent_dim, beta=2.0, variance=0.3)
    assert found == pytest.approx((active, kl.item(), square_error.item()))


def test_without_a_kl_the_optimum_is_pca():
    x = load_digits().data / 16
    variances, axes = small_latents.components(x)
    pca = PCA(4).fit(x)
    error = np.square(x - pca.inverse_transform(pca.transform(x))).sum(1).mean()
    assert small_latents.optimum(variances, 4, 0.0).square_error == pytest.approx(error)
    assert subspace_angles(axes[:, :4], pca.components_.T).max() < 1e-6
    mixed = axes[:, :4] @ np.random.default_rng(0).normal(size=(4, 4))
    assert subspace_angles(small_latents.span(mixed, 4), axes[:, :4]).max() < 1e-6


def test_normals_around_codes_are_diagonal_where_the_prior_is_standard():
    torch.manual_seed(0)
    z = torch.randn(500, 3).double() @ torch.randn(3, 3).double() + 1
    p, log_scale = small_latents.whitening(z), torch.tensor([-1.0, 0.0, -2.0]).double()
    kl = torch.distributions.kl_divergence(small_latents.with_noise(z, p, log_scale), p)
    white = torch.linalg.solve(p.scale_tril, (z - p.mean).T).T
    assert_close(white.T.cov(), torch.eye(3).double())
    q, standard = Normal(white, log_scale.exp()), Normal(torch.zeros(3).double(), 1.0)
    expected = torch.distributions.kl_divergence(Independent(q, 1), Independent(standard, 1))
    assert_close(kl, expected)


def test_an_autoencoder_that_is_pca_is_given_the_noise_of_the_best_linear_vae():
    """Its codes scaled to variance 1, PCA differs from the optimum of the VAE by the shrinkage."""
    torch.manual_seed(0)
    data = LinearGaussian(dimension=4, latents=2, sigma=0.5)
    affine = partial(MLP, hidden=())
    likelihood = partial(NormalLikelihood, variance=0.25)
    parts = {"encoder": affine, "decoder": affine, "posterior": Deterministic}
    model = VAE((4,), 2, NoRegularizer(), likelihood=likelihood, **parts)
    x, test = data.splits.train.x, data.splits.test.x
    variances, axes = small_latents.components(x.double().numpy())
    axes = torch.from_numpy(axes[:, :2].copy()).float()
    with torch.no_grad():
        model.encoder.layers[0].weight.copy_(axes.T)
        model.encoder.layers[0].bias.copy_(-x.mean(0) @ axes)
        model.decoder.layers[0].weight.copy_(axes)
        model.decoder.layers[0].bias.copy_(x.mean(0))
    bounds = small_latents.given_noise(model, x, test)
    truth = data.log_likelihood(test).mean().item()
    # Of each axis s² = 1 / (1 + λ/σ²), at which λs²/2σ² + ½(s² - ln s²) is least.
    variances = torch.from_numpy(variances.copy())
    s2 = 1 / (1 + variances[:2] / 0.25)
    distortion = (
        2 * np.log(2 * np.pi * 0.25) + (variances[2:].sum() + (s2 * variances[:2]).sum()) / 0.5
    )
    elbo = -distortion - 0.5 * (s2 - s2.log()).sum()
    assert bounds.elbo.mean().item() == pytest.approx(elbo.item(), abs=0.08)
    assert bounds.elbo.mean() < bounds.importance_sampling.mean() < truth + 0.01
