"""The gap that a diagonal normal leaves, where decoders are linear and all is a normal."""

import math
from functools import partial

import pytest
import torch
from gap import family_gap, linearised_precision, ppca, rotated_gaps
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from vae_zoo.likelihoods import Normal as NormalLikelihood
from vae_zoo.networks import MLP
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

VARIANCE = 0.3


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 6, generator=generator).double()
    return torch.randn(500, 6, generator=generator).double() @ mixing


def precision(w):
    return torch.eye(w.shape[1]).double() + w.T @ w / VARIANCE


def test_the_gap_is_the_least_kl_of_a_diagonal_normal():
    w = torch.tensor([[1.5, 0.4, 0.0], [0.9, -0.7, 0.3], [0.0, 1.0, 0.6]]).double()
    exact = MultivariateNormal(torch.zeros(3).double(), precision_matrix=precision(w))
    log_scales = torch.zeros(3).double().requires_grad_()
    optimizer = torch.optim.LBFGS([log_scales], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        q = MultivariateNormal(torch.zeros(3).double(), (2 * log_scales).exp().diag())
        value = kl_divergence(q, exact)
        value.backward()
        return value

    optimizer.step(loss)
    assert_close(family_gap(precision(w)), loss().detach(), atol=1e-8, rtol=0)


def test_the_gap_is_what_the_elbo_lacks_of_the_evidence(x):
    """log p(x) by scipy, and E_q log p(x | z) - KL(q ‖ p) by the moments of q."""
    w, mean = ppca(x, 3, VARIANCE), x.mean(0)
    turn = torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double()
    basis, _ = torch.linalg.qr(turn)
    w = w @ basis
    inverse = precision(w).inverse()
    m = (x - mean) @ w @ inverse / VARIANCE
    s = precision(w).diagonal().rsqrt()
    error = (x - mean - m @ w.T).square().sum(1) + (s.square() * w.square()).sum()
    log_likelihood = -0.5 * (error / VARIANCE + 6 * math.log(2 * math.pi * VARIANCE))
    kl = kl_divergence(Normal(m, s), Normal(0.0, 1.0)).sum(1)
    covariance = w @ w.T + VARIANCE * torch.eye(6).double()
    evidence = torch.from_numpy(multivariate_normal(mean, covariance).logpdf(x))
    gap = evidence - (log_likelihood - kl)
    assert gap[0] > 0.01
    assert_close(gap, family_gap(precision(w)).expand(500))


def test_the_linear_decoder_is_scikit_learns_and_leaves_nothing_on_its_own_axes(x):
    w = ppca(x, 3, VARIANCE)
    pca = PCA(3).fit(x.numpy())
    kept = pca.explained_variance_ * 499 / 500 - VARIANCE
    expected = (pca.components_.T * kept) @ pca.components_
    assert_close(w @ w.T, torch.from_numpy(expected))
    assert_close(family_gap(precision(w)), torch.zeros(()).double(), atol=1e-9, rtol=0)
    gaps = rotated_gaps(w, VARIANCE, 20)
    assert gaps.min() > 0
    trace = precision(w).trace() / 3  # in no basis is it more than where all variances are alike
    assert gaps.max() < 0.5 * (3 * trace.log() - precision(w).logdet())


def test_of_a_linear_decoder_the_linearised_precision_is_exact(x):
    affine = partial(MLP, hidden=())
    likelihood = partial(NormalLikelihood, variance=VARIANCE)
    vae = VAE((6,), 3, KL(), encoder=affine, decoder=affine, likelihood=likelihood).eval()
    w = ppca(x, 3, VARIANCE)
    with torch.no_grad():
        vae.decoder.layers[0].weight.copy_(w)
    found = linearised_precision(vae, x[:4].float(), VARIANCE)
    assert_close(found, precision(w).expand(4, 3, 3), rtol=1e-5, atol=1e-5)
