"""Section 7 of the experiments: what linear models reach at best, and an autoencoder's noise."""

from functools import partial

import numpy as np
import pytest
import small_latents
import torch
from evidence import log_likelihoods
from scipy.linalg import subspace_angles
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.testing import assert_close

from vae_zoo.data import Digits, LinearGaussian
from vae_zoo.likelihoods import Normal as NormalLikelihood
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import KL, NoRegularizer
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


def pca_autoencoder(data, x, variance):
    """An autoencoder whose codes are principal components, with the λ and axes of all of them."""
    affine = partial(MLP, hidden=())
    likelihood = partial(NormalLikelihood, variance=variance)
    parts = {"encoder": affine, "decoder": affine, "posterior": Deterministic}
    model = VAE(data.shape, 2, NoRegularizer(), likelihood=likelihood, **parts)
    variances, axes = small_latents.components(x.double().numpy())
    kept = torch.from_numpy(axes[:, :2].copy()).float()
    with torch.no_grad():
        model.encoder.layers[0].weight.copy_(kept.T)
        model.encoder.layers[0].bias.copy_(-x.mean(0) @ kept)
        model.decoder.layers[0].weight.copy_(kept)
        model.decoder.layers[0].bias.copy_(x.mean(0))
    return model, variances, axes


def test_an_autoencoder_that_is_pca_has_bounds_that_are_known():
    """Of the data that it is the PCA of, residuals are orthogonal to its axes.

    So -log p(x | z) is a constant and Σ λs²ε²/2σ² of each example, whose deviation is known.
    """
    n, variance = 2000, 0.25
    data = LinearGaussian(dimension=4, latents=2, sigma=0.5, train=n)
    x = data.splits.train.x
    model, variances, axes = pca_autoencoder(data, x, variance)
    with torch.no_grad():
        z = model.encode(x, x.new_zeros(n, 0)).mean
    ratio = variances[:2] * n / (n - 1) / variance  # of the prior's variances, and the likelihood's

    def elbo(s2):
        constant = -2 * np.log(2 * np.pi * variance) - variances[2:].sum() / (2 * variance)
        return constant - 0.5 * (ratio * s2 + s2 - np.log(s2) - 1 / n).sum()

    s2 = small_latents.best_noise(model, x, z, small_latents.whitening(z)).mul(2).exp().numpy()
    assert 0 <= elbo(1 / (1 + ratio)) - elbo(s2) < 0.01  # nats from the best noise
    bounds = small_latents.given_noise(model, x, x)
    error = np.sqrt(np.square(ratio * s2).sum() / 2 / (n * small_latents.SAMPLES))
    assert bounds.elbo.mean().item() == pytest.approx(elbo(s2), abs=4 * error + 1e-4)
    kept = variances.copy()
    kept[:2] *= n / (n - 1)
    kept[2:] = 0
    covariance = (axes * kept) @ axes.T + variance * np.eye(4)
    exact = multivariate_normal(x.double().mean(0), covariance).logpdf(x)
    lost = torch.from_numpy(exact) - bounds.importance_sampling.double()
    assert lost.mean() > -4 * lost.std() / n**0.5
    assert lost.mean() < 0.1 * (exact.mean() - elbo(s2))
    by_chains = small_latents.annealed(model, small_latents.whitening(z), x[:50])
    assert by_chains == pytest.approx(exact[:50].mean(), abs=0.05)


def test_the_prior_tells_the_likelihood_of_quadrature():
    torch.manual_seed(0)
    data = Digits()
    model, x = VAE(data.shape, 1, KL()), data.splits.test.x[:20]
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.mul_(2)
    p = MultivariateNormal(torch.tensor([3.0]), torch.tensor([[4.0]]))
    found, effective = small_latents.by_prior(model, p, x)
    z = torch.linspace(-17, 23, 20_001)[:, None]
    with torch.no_grad():
        joint = log_likelihoods(model, x, z).double() + p.log_prob(z).double()[:, None]
    exact = joint.logsumexp(0).add(np.log(40 / 20_000)).mean().item()
    assert effective < 0.5 * small_latents.CODES
    assert found == pytest.approx(exact, abs=4 * effective**-0.5)
