"""Bounds of the likelihood against linear normal models, whose likelihood is known."""

import math
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import Tensor
from torch.distributions import MultivariateNormal
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vae_zoo.conditions import OneHot
from vae_zoo.data import LinearGaussian, Ring
from vae_zoo.evaluation import (
    class_log_likelihoods,
    class_log_posterior,
    importance_sampling,
    prior_sampling,
)
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import ConditionalNormal, MixtureOfNormals, StandardNormal
from vae_zoo.priors.normal_mixture import NormalMixture
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

D, X, C, VARIANCE = 2, 5, 3, 0.5
Y = torch.arange(200) % C


class Counting(Normal):
    """Counts the codes that are decoded."""

    decoded = 0

    def forward(self, params):
        type(self).decoded += len(params)
        return super().forward(params)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def linear_vae(
    prior=StandardNormal, shift=0.0, stretch=1.0, likelihood=Normal, regularizer=None, **parts
):
    """x = Wz + Uc + σε, with orthogonal columns in W: the exact posterior is a diagonal normal.

    Args:
        prior: With a ConditionalNormal, z ~ N(m(c), I).
        shift: Of the means of q from those of the exact posterior.
        stretch: Of its standard deviations.
    """
    affine = partial(MLP, hidden=())
    networks = {"encoder": affine, "decoder": affine, "condition": OneHot, "classes": C}
    likelihood = partial(likelihood, variance=VARIANCE)
    options = {"prior": prior, "likelihood": likelihood, **networks, **parts}
    vae = VAE((X,), D, regularizer or KL(), **options).double()
    loadings, effects = torch.linalg.qr(torch.randn(X, D).double()).Q, torch.randn(X, C).double()
    loadings *= torch.tensor([1.5, 0.7])
    [decoder] = vae.decoder.layers
    decoder.weight.copy_(torch.cat([loadings, effects], dim=1))
    decoder.bias.zero_()
    means = torch.zeros(D, C).double()  # of the prior, for each label
    if prior is ConditionalNormal:
        means = torch.randn(D, C).double()
        vae.prior.affine.weight[:D] = means
    if "posterior" not in parts:
        variance = 1 / (1 + loadings.square().sum(0) / VARIANCE)
        gain = variance[:, None] * loadings.T / VARIANCE
        [encoder] = vae.encoder.layers
        encoder.weight.zero_()
        encoder.weight[:D] = torch.cat([gain, variance[:, None] * means - gain @ effects], dim=1)
        scale = stretch * variance.sqrt() - 1e-4  # the posterior's floor
        encoder.bias.copy_(torch.cat([torch.full((D,), shift), scale.expm1().log()]))
    covariance = loadings @ loadings.T + VARIANCE * torch.eye(X)
    marginal = MultivariateNormal((loadings @ means + effects).T, covariance)  # of each label
    return vae.eval(), marginal


def examples(marginal):
    """Examples of each label in turn, their conditions, and the mean of log p(x | c)."""
    x = marginal.sample((len(Y),))[torch.arange(len(Y)), Y]
    log_likelihood = marginal.log_prob(x[:, None])[torch.arange(len(Y)), Y]
    return x, torch.eye(C).double()[Y], log_likelihood


@pytest.mark.parametrize("prior", [StandardNormal, ConditionalNormal])
def test_under_the_exact_posterior_every_bound_is_the_log_likelihood(prior):
    vae, marginal = linear_vae(prior)
    x, c, log_likelihood = examples(marginal)
    bounds = importance_sampling(vae, x, c, samples=7)
    assert_close(bounds.importance_sampling, log_likelihood)
    assert_close(bounds.effective_samples, torch.full((len(x),), 7.0).double())
    many = importance_sampling(vae, x, c, samples=4000).elbo  # whose KL is exact
    assert_close(many.mean(), log_likelihood.mean(), atol=0.01, rtol=0)


@pytest.mark.parametrize("prior", [StandardNormal, ConditionalNormal])
def test_bounds_rise_from_the_elbo_to_the_log_likelihood(prior):
    vae, marginal = linear_vae(prior, shift=0.3, stretch=1.4)
    x, c, log_likelihood = examples(marginal)
    bounds = [importance_sampling(vae, x, c, k) for k in (1, 3, 10, 30, 3000)]
    means = [bound.importance_sampling.mean() for bound in bounds]
    assert sorted(means) == means
    assert_close(means[-1], log_likelihood.mean(), atol=2e-3, rtol=0)
    # The ELBO lacks KL(q ‖ p(z | x)), of normals whose means and deviations are known.
    variance = 1 / (1 + torch.tensor([1.5, 0.7]).double().square() / VARIANCE)
    gap = 0.5 * (1.4**2 + 0.3**2 / variance - 1 - 2 * math.log(1.4)).sum()
    assert_close(log_likelihood.mean() - bounds[-1].elbo.mean(), gap, atol=5e-3, rtol=0)
    sizes = [bound.effective_samples.mean() / k for bound, k in zip(bounds, (1, 3), strict=False)]
    assert sizes[0] == 1
    assert 1 / 3 < sizes[1] < 1


@pytest.mark.parametrize("prior", [StandardNormal, ConditionalNormal])
def test_samples_of_the_prior_of_the_label_find_the_log_likelihood(prior):
    vae, marginal = linear_vae(prior)
    x, c, log_likelihood = examples(marginal)
    few, many = (prior_sampling(vae, x, c, k).mean() for k in (10, 5000))
    assert few < many
    assert_close(many, log_likelihood.mean(), atol=0.02, rtol=0)


@pytest.mark.parametrize("estimate", [importance_sampling, prior_sampling])
def test_as_many_codes_are_decoded_as_were_asked_for(estimate):
    vae, marginal = linear_vae(likelihood=Counting)
    x, c, _ = examples(marginal)
    Counting.decoded = 0
    estimate(vae, x, c, samples=17, rows=600)
    assert Counting.decoded == 17 * len(x)


@pytest.mark.parametrize("rows", [1, 13, 400])
def test_the_number_of_codes_decoded_at_once_changes_no_value(rows):
    vae, marginal = linear_vae(shift=0.3)
    x, c, _ = examples(marginal)
    for estimate in (importance_sampling, prior_sampling):
        torch.manual_seed(1)
        whole = estimate(vae, x, c, samples=12, rows=10**6)
        torch.manual_seed(1)
        assert_close(estimate(vae, x, c, samples=12, rows=rows), whole)


def test_a_posterior_without_a_density_has_no_weights():
    vae, marginal = linear_vae(regularizer=MMD(), posterior=Deterministic)
    x, c, log_likelihood = examples(marginal)
    with pytest.raises(ValueError, match="importance sampling needs the density of q"):
        importance_sampling(vae, x, c, samples=3)
    assert prior_sampling(vae, x, c, 5000).mean() > log_likelihood.mean() - 0.02


@pytest.mark.parametrize("posterior", [None, Deterministic])
def test_bayes_rule_gives_the_exact_posterior_of_the_labels(posterior):
    parts = {"posterior": posterior} if posterior else {}
    regularizer = MMD() if posterior else KL()
    vae, marginal = linear_vae(ConditionalNormal, regularizer=regularizer, **parts)
    x, _, _ = examples(marginal)
    exact = marginal.log_prob(x[:, None])  # (N, C)
    # Without a density it takes many samples of the prior, even where the label is likely.
    samples, tolerance = (3, 1e-6) if posterior is None else (4000, 0.1)
    found = class_log_likelihoods(vae, x, samples)
    if posterior is None:
        assert_close(found, exact)
    frequencies = torch.tensor([5, 1, 0])
    joint = exact.exp() * frequencies / 6
    expected = joint / joint.sum(dim=1, keepdim=True)
    posterior_of_labels = class_log_posterior(found, frequencies).exp()
    assert_close(posterior_of_labels, expected, atol=tolerance, rtol=0)
    assert (posterior_of_labels[:, 2] == 0).all()


def test_effective_samples_are_the_squared_sum_of_the_weights_over_the_sum_of_their_squares():
    vae, marginal = linear_vae(shift=0.3, stretch=1.4)
    x, c, _ = (part[:20] for part in examples(marginal))
    torch.manual_seed(3)
    found = importance_sampling(vae, x, c, samples=50).effective_samples
    torch.manual_seed(3)
    z = vae.encode(x, c).sample((50,))
    prior = MultivariateNormal(torch.zeros(D).double(), torch.eye(D).double())
    log_joint = vae.log_likelihood(x, z, c) + prior.log_prob(z)
    weights = (log_joint - vae.encode(x, c).log_prob(z)).exp().numpy()
    expected = weights.sum(0) ** 2 / (weights**2).sum(0)
    assert expected.max() < 45
    assert_close(found, torch.from_numpy(expected))


class Known(NamedTuple):
    """x = Wz + μ + σε with orthogonal columns in W, examples, and their log p(x)."""

    w: Tensor
    mu: Tensor
    variance: float
    x: Tensor
    log_likelihood: Tensor


def known(name):
    """Probabilistic PCA of scikit-learn's digits, whose likelihood it knows; or synthetic data."""
    if name == "synthetic":
        data = LinearGaussian(dimension=8, latents=3, sigma=0.5, train=800)
        x = data.splits.test.x.double()
        return Known(data.w, data.mu, data.sigma**2, x, data.log_likelihood(x))
    digits = load_digits().data / 16
    pca = PCA(n_components=8).fit(digits)
    w = pca.components_.T * np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    held = digits[:200]
    truth = pca.score_samples(held)
    parts = (torch.from_numpy(part) for part in (w, pca.mean_, held, truth))
    w, mu, held, truth = parts
    return Known(w, mu, float(pca.noise_variance_), held, truth)


def model_of(data, shift=0.0, stretch=1.0):
    """The VAE of known data, whose q(z | x) is the exact posterior, stretched and shifted.

    Args:
        shift: Of the means, in standard deviations of the exact posterior.
        stretch: Of its standard deviations.
    """
    affine, (x_dim, z_dim) = partial(MLP, hidden=()), data.w.shape
    likelihood = partial(Normal, variance=data.variance)
    vae = VAE((x_dim,), z_dim, KL(), encoder=affine, decoder=affine, likelihood=likelihood)
    vae = vae.double().eval()
    vae.likelihood.log_scale.fill_(math.log(data.variance) / 2)  # it was made in single precision
    [decoder], [encoder] = vae.decoder.layers, vae.encoder.layers
    decoder.weight.copy_(data.w)
    decoder.bias.copy_(data.mu)
    variance = 1 / (1 + data.w.square().sum(0) / data.variance)
    gain = variance[:, None] * data.w.T / data.variance
    encoder.weight.copy_(torch.cat([gain, torch.zeros_like(gain)]))
    scale = stretch * variance.sqrt() - 1e-4  # the posterior's floor
    loc = shift * variance.sqrt() - gain @ data.mu
    encoder.bias.copy_(torch.cat([loc, scale.expm1().log()]))
    return vae


def without_condition(x):
    return x.new_empty(len(x), 0)


def mean_and_error(differences):
    return differences.mean().item(), differences.std().item() / math.sqrt(len(differences))


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_bounds_of_known_data_rise_to_their_log_likelihood_with_the_number_of_samples(name):
    data = known(name)
    vae, c = model_of(data, shift=0.6, stretch=1.6), without_condition(data.x)
    torch.manual_seed(0)
    elbo = importance_sampling(vae, data.x, c, samples=300).elbo
    bounds = [importance_sampling(vae, data.x, c, k).importance_sampling for k in (1, 2, 8, 256)]
    mean, error = mean_and_error(bounds[0] - elbo)
    assert error < 0.3
    assert abs(mean) < 3 * error  # by one sample it is the ELBO, in the mean
    for lower, upper in pairwise([elbo, *bounds[1:]]):
        mean, error = mean_and_error(upper - lower)
        assert mean > 3 * error
    mean, error = mean_and_error(data.log_likelihood - bounds[-1])
    assert -3 * error < mean < 0.2


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_the_elbo_lacks_the_divergence_of_q_from_the_exact_posterior(name):
    data = known(name)
    vae, c = model_of(data, shift=0.4, stretch=1.3), without_condition(data.x)
    torch.manual_seed(0)
    elbo = importance_sampling(vae, data.x, c, samples=500).elbo
    covariance = torch.linalg.inv(torch.eye(data.w.shape[1]) + data.w.T @ data.w / data.variance)
    exact = MultivariateNormal((data.x - data.mu) @ data.w @ covariance / data.variance, covariance)
    q = vae.encode(data.x, c)
    q = MultivariateNormal(q.mean, scale_tril=torch.diag_embed(q.stddev))
    gap = torch.distributions.kl_divergence(q, exact)
    mean, error = mean_and_error(data.log_likelihood - elbo - gap)
    assert error < 0.02
    assert abs(mean) < 3 * error


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_under_the_exact_posterior_one_weight_is_the_log_likelihood_of_known_data(name):
    data = known(name)
    found = importance_sampling(model_of(data), data.x, without_condition(data.x), samples=1)
    assert_close(found.importance_sampling, data.log_likelihood)


@contextmanager
def recorded(vae):
    """Keep the codes that are decoded."""
    codes = []
    handle = vae.decoder.register_forward_pre_hook(lambda _, inputs: codes.append(inputs[0]))
    yield codes
    handle.remove()


@pytest.mark.parametrize("count", [1, 3])
def test_weights_that_are_summed_as_they_come_are_those_of_all_codes(count):
    data, k = known("synthetic"), 2500
    vae, x = model_of(data, shift=0.4, stretch=1.3), data.x[:count]
    with recorded(vae) as codes:
        found = importance_sampling(vae, x, without_condition(x), samples=k)
    z = torch.cat(codes).view(k, count, -1).numpy()
    q = vae.encode(x, without_condition(x))
    loc, scale = q.mean.numpy(), q.stddev.numpy()
    error = (x - data.mu).numpy() - z @ data.w.T.numpy()
    log_likelihood = norm.logpdf(error, scale=math.sqrt(data.variance)).sum(-1)
    log_weights = log_likelihood + norm.logpdf(z).sum(-1) - norm.logpdf(z, loc, scale).sum(-1)
    assert len(np.unique(z[:, 0, 0])) == k
    bound = logsumexp(log_weights, axis=0) - math.log(k)
    assert_close(found.importance_sampling, torch.from_numpy(bound))
    weights = np.exp(log_weights - log_weights.max(0))
    effective = weights.sum(0) ** 2 / (weights**2).sum(0)
    assert_close(found.effective_samples, torch.from_numpy(effective))
    kl = 0.5 * (scale**2 + loc**2 - 1 - 2 * np.log(scale)).sum(-1)
    assert_close(found.elbo, torch.from_numpy(log_likelihood.mean(0) - kl))
    with recorded(vae) as codes:
        found = prior_sampling(vae, x, without_condition(x), samples=k)
    error = (x - data.mu).numpy() - torch.cat(codes).view(k, count, -1).numpy() @ data.w.T.numpy()
    log_likelihood = norm.logpdf(error, scale=math.sqrt(data.variance)).sum(-1)
    assert_close(found, torch.from_numpy(logsumexp(log_likelihood, axis=0) - math.log(k)))


def test_a_divergence_without_a_closed_form_is_estimated_by_all_samples(monkeypatch):
    asked, log_prob = [], NormalMixture.log_prob

    def counted(self, z):
        asked.append(z.shape[:-1].numel())
        return log_prob(self, z)

    data = known("synthetic")
    exact = model_of(data, shift=0.4, stretch=1.3)
    vae = VAE(
        exact.shape,
        exact.latent_dim,
        KL(),
        encoder=partial(MLP, hidden=()),
        decoder=partial(MLP, hidden=()),
        likelihood=partial(Normal, variance=data.variance),
        prior=partial(MixtureOfNormals, components=2),
    )
    vae = vae.double().eval()
    vae.encoder, vae.decoder = exact.encoder, exact.decoder
    for one in vae.prior.parameters():  # both components are N(0, I)
        one.zero_()
    x, c = data.x[:50], without_condition(data.x[:50])
    monkeypatch.setattr(NormalMixture, "log_prob", counted)
    found, closed = (importance_sampling(one, x, c, samples=3000) for one in (vae, exact))
    assert_close(found.elbo, closed.elbo, atol=0.2, rtol=0)
    assert_close(found.elbo.mean(), closed.elbo.mean(), atol=0.02, rtol=0)
    assert_close(found.importance_sampling, closed.importance_sampling, atol=0.1, rtol=0)
    assert sum(asked) == 3000 * 50  # the prior's density costs the most, and is asked for once


class Largest(TorchDispatchMode):
    """Knows the number of elements of the largest tensor that was made."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        sizes = [one.numel() for one in tree_leaves(made) if isinstance(one, Tensor)]
        self.size = max(self.size, *sizes, 0)
        return made


@pytest.mark.parametrize("estimate", [importance_sampling, prior_sampling])
def test_more_samples_take_no_more_memory(estimate):
    data, sizes = known("synthetic"), []
    vae, x = model_of(data), data.x[:2]
    for samples in (5_000, 50_000):
        with Largest() as largest:
            estimate(vae, x, without_condition(x), samples)
        sizes.append(largest.size)
    assert sizes[0] == sizes[1] < 5_000 * 2


def test_a_million_samples_in_single_precision_find_the_log_likelihood():
    data = known("synthetic")
    vae, x = model_of(data, shift=0.4, stretch=1.3).float(), data.x[:1].float()
    torch.manual_seed(0)
    found = importance_sampling(vae, x, without_condition(x), samples=10**6)
    expected = data.log_likelihood[:1].float()
    assert_close(found.importance_sampling, expected, atol=3e-3, rtol=0)
    assert 10**5 < found.effective_samples.item() < 10**6


def trained_on(x, steps, width):
    """Train two latents and a learned variance for a moment."""
    torch.manual_seed(0)
    network = partial(MLP, hidden=(width, width))
    likelihood = partial(Normal, variance=0.1, learned="scalar")
    vae = VAE((2,), 2, KL(), encoder=network, decoder=network, likelihood=likelihood)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2, fused=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            vae(x[torch.randint(len(x), (200,))]).loss.backward()
            optimizer.step()
            scheduler.step()
    return vae.eval()


def surplus(vae, data, x):
    """How much likelier a model finds points than they are, in the mean, with its error."""
    found = importance_sampling(vae, x, without_condition(x), samples=100).importance_sampling
    return mean_and_error(found.double() - data.log_likelihood(x))


def test_on_points_of_the_ring_that_it_has_not_seen_no_model_beats_the_true_density():
    data = Ring(train=4000)
    x = data.splits.test.x
    trained, seen = trained_on(data.splits.train.x, 1000, 64), data.splits.train.x[:10]
    mean, error = surplus(trained, data, x)
    assert -1 < mean < error
    overfit = trained_on(seen, 900, 64)
    mean, error = surplus(overfit, data, x)
    assert mean < error
    mean, error = surplus(overfit, data, seen)
    assert mean > 3 * error  # as a leak would
