"""Bounds of the likelihood against linear normal models, whose likelihood is known."""

import math
from functools import partial

import pytest
import torch
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import (
    class_log_likelihoods,
    class_log_posterior,
    importance_sampling,
    prior_sampling,
)
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import ConditionalNormal, StandardNormal
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
