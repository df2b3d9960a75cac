"""KL divergences against quadrature and Monte Carlo, with the densities of scipy."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.priors import ConditionalNormal, LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import kl_divergence

B, D = 2, 3
PARAMS = torch.tensor([[0.3, -1.2, 2.0, -2.0, 0.0, 1.5], [0.0, 0.7, -0.4, 0.54, -1.0, 3.0]])
LOC = PARAMS[:, :D].double().numpy()
SCALE = np.log1p(np.exp(PARAMS[:, D:].double().numpy())) + 1e-4  # softplus and its floor


def standard():
    return StandardNormal(D), torch.zeros(1, 0), np.zeros((B, D)), np.ones((B, D))


def learned():
    prior = LearnedNormal(D)
    loc, scale = np.array([0.5, -0.5, 1.0]), np.array([0.4, 1.5, 2.0])
    prior.load_state_dict({"loc": torch.tensor(loc), "log_scale": torch.tensor(np.log(scale))})
    return prior, torch.zeros(1, 0), np.tile(loc, (B, 1)), np.tile(scale, (B, 1))


def conditional():
    prior = ConditionalNormal(D, condition_dim=2)
    torch.nn.init.normal_(prior.affine.weight, std=0.5)
    torch.nn.init.normal_(prior.affine.bias, std=0.5)
    c = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    features = (prior.affine.weight @ c.T).T + prior.affine.bias
    loc, log_scale = features.detach().double().numpy().reshape(B, 2, D).swapaxes(0, 1)
    return prior, c, loc, np.exp(log_scale)


@pytest.mark.parametrize("setting", [standard, learned, conditional])
def test_the_kl_of_normals_is_the_integral_of_its_definition(setting):
    prior, c, loc0, scale0 = setting()

    def integral(m, s, m0, s0):
        def integrand(z):
            return norm.pdf(z, m, s) * (norm.logpdf(z, m, s) - norm.logpdf(z, m0, s0))

        return quad(integrand, m - 12 * s, m + 12 * s, points=[m], epsabs=1e-9)[0]

    q = DiagonalNormal(D)(PARAMS)
    kl = kl_divergence(q, prior(c).expand((B,)), q.rsample())
    expected = np.vectorize(integral)(LOC, SCALE, loc0, scale0).sum(axis=1)
    assert_close(kl.detach(), torch.tensor(expected), rtol=1e-5, atol=1e-5, check_dtype=False)


@pytest.mark.parametrize("setting", [standard, learned, conditional])
def test_the_kl_of_normals_is_the_mean_log_ratio_of_samples(setting):
    prior, c, loc0, scale0 = setting()
    q = DiagonalNormal(D)(PARAMS)
    z = q.rsample((20_000,)).double().numpy()
    ratio = (norm.logpdf(z, LOC, SCALE) - norm.logpdf(z, loc0, scale0)).sum(axis=-1)
    kl = kl_divergence(q, prior(c).expand((B,)), q.rsample()).detach().numpy()
    error = ratio.std(axis=0) / np.sqrt(len(z))
    assert (np.abs(kl - ratio.mean(axis=0)) < 4 * error).all()


def test_the_one_sample_kl_to_a_mixture_is_unbiased():
    prior = MixtureOfNormals(latent_dim=2, components=3)
    weights = np.array([0.2, 0.5, 0.3])
    loc = np.array([[-1.0, 0.0], [1.0, 1.5], [0.0, -2.0]])
    scale = np.array([[0.5, 1.0], [1.2, 0.7], [0.6, 0.6]])
    state = {"logits": np.log(weights), "loc": loc, "log_scale": np.log(scale)}
    prior.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    m, s = np.array([0.3, -0.2]), np.array([0.8, 0.5])

    axes = [np.linspace(m[j] - 9 * s[j], m[j] + 9 * s[j], 401) for j in range(2)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    log_q = norm.logpdf(grid, m, s).sum(-1)
    log_p = logsumexp(norm.logpdf(grid[..., None, :], loc, scale).sum(-1), b=weights, axis=-1)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    expected = (np.exp(log_q) * (log_q - log_p)).sum() * cell

    params = torch.tensor(np.concatenate([m, np.log(np.expm1(s - 1e-4))])).expand(100_000, 4)
    q = DiagonalNormal(2)(params)
    p = prior(torch.zeros(1, 0)).expand((100_000,))
    estimates = kl_divergence(q, p, q.rsample()).detach()
    assert abs(estimates.mean() - expected) < 4 * estimates.std() / len(estimates) ** 0.5


def test_what_is_remembered_of_a_kl_is_for_the_same_prior_and_codes_alone():
    q = Independent(Normal(torch.randn(5, 2), 1.0), 1)
    z, other = q.rsample(), q.rsample()
    mixture, fixed = MixtureOfNormals(2)(torch.zeros(1, 0)), StandardNormal(2)(torch.zeros(1, 0))
    mixture, fixed = mixture.expand((5,)), fixed.expand((5,))
    for p, codes in ((mixture, z), (mixture, other), (fixed, other), (mixture, z)):
        again = Independent(Normal(q.base_dist.loc, q.base_dist.scale), 1)
        assert_close(kl_divergence(q, p, codes), kl_divergence(again, p, codes))


def test_the_kl_to_the_standard_normal_is_torchs_to_the_last_bit(monkeypatch):
    p = StandardNormal(20)(torch.zeros(1, 0)).expand((128,))
    found = []
    for kl in (lambda q, p, _: torch.distributions.kl_divergence(q, p), kl_divergence):
        torch.manual_seed(0)
        params = torch.randn(128, 40, requires_grad=True)
        q = DiagonalNormal(20)(params)
        nats = kl(q, p, q.rsample())
        nats.mean().backward()
        found.append((nats.detach(), params.grad))
        monkeypatch.setattr(torch.distributions, "kl_divergence", None)  # not by the same function
    assert_close(*found, rtol=0, atol=0)


def test_a_prior_of_other_dimensions_is_refused():
    q = DiagonalNormal(D)(PARAMS)
    p = StandardNormal(D + 1)(torch.zeros(1, 0)).expand((B,))
    with pytest.raises(RuntimeError, match="must match"):
        kl_divergence(q, p, q.rsample())
