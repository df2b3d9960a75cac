"""The posterior gap against closed forms of linear normal models, and against an integral."""

from functools import partial

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import PosteriorGap, fit_posteriors
from vae_zoo.likelihoods import Normal, Tokens
from vae_zoo.networks import MLP
from vae_zoo.posteriors import DiagonalNormal, FlowPosterior, FullNormal
from vae_zoo.priors import ConditionalNormal, MixtureOfNormals
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

VARIANCE = 0.5
W = torch.tensor([[1.5, 0.4, 0.0], [0.9, -0.7, 0.3], [0.0, 1.0, 0.6], [0.5, 0.5, -0.8]]).double()
PRECISION = torch.eye(3) + W.T @ W / VARIANCE  # of the exact posterior
GAIN = PRECISION.inverse() @ W.T / VARIANCE
MARGINAL = MultivariateNormal(torch.zeros(4).double(), W @ W.T + VARIANCE * torch.eye(4))
SCALES = PRECISION.diagonal().rsqrt()  # of the best diagonal normal: Bishop, 2006, eq. 10.14
APPROXIMATION = 0.5 * (PRECISION.diagonal().log().sum() - PRECISION.logdet())


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def raw(scale):
    """What DiagonalNormal and FullNormal turn into a standard deviation."""
    return (scale - 1e-4).expm1().log()


def linear_vae(posterior=DiagonalNormal, shift=0.0, stretch=1.0):
    """q's means are those of the exact posterior, shifted; its scales the best ones, stretched."""
    affine = partial(MLP, hidden=())
    parts = {"encoder": affine, "decoder": affine, "posterior": posterior}
    vae = VAE((4,), 3, KL(), likelihood=partial(Normal, variance=VARIANCE), **parts).double()
    [decoder], [encoder] = vae.decoder.layers, vae.encoder.layers
    decoder.weight.copy_(W)
    decoder.bias.zero_()
    encoder.weight.zero_()
    encoder.bias.zero_()
    encoder.weight[:3] = GAIN
    encoder.bias[:3] = shift
    encoder.bias[3:6] = raw(stretch * SCALES)
    return vae.eval()


def measured(vae, x, **options):
    metric = PosteriorGap(**{"temperatures": 300, "simulated": 0} | options)
    metric.update(vae, x)
    return metric.compute()


def exact_gap(x, shift, stretch):
    """KL(q ‖ p(z | x)), of normals that do not depend on x but for their means."""
    mean = x @ GAIN.T
    q = MultivariateNormal(mean + shift, ((stretch * SCALES).square()).diag())
    return kl_divergence(q, MultivariateNormal(mean, PRECISION.inverse())).mean()


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.4, 1.0), (0.0, 2.0), (-0.3, 0.5)])
def test_the_gap_and_its_parts_are_those_of_normals(shift, stretch):
    x = MARGINAL.sample((40,))
    found = measured(linear_vae(shift=shift, stretch=stretch), x)
    gap = exact_gap(x, shift, stretch)
    assert_close(exact_gap(x, 0.0, 1.0), APPROXIMATION)
    expected = {
        "ais": MARGINAL.log_prob(x).mean(),
        "posterior_gap": gap,
        "approximation_gap": APPROXIMATION,
        "amortisation_gap": gap - APPROXIMATION,
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value.item(), rel=0.06, abs=0.06), name
    if stretch == 1:  # of common noise, the difference is known far better than either ELBO
        assert found["amortisation_gap"].value == pytest.approx(
            (gap - APPROXIMATION).item(), abs=0.03
        )


def test_a_full_normal_loses_nothing_by_its_family():
    found = measured(linear_vae(FullNormal, shift=0.3), x := MARGINAL.sample((40,)))
    assert found["approximation_gap"].value == pytest.approx(0, abs=0.05)
    gap = exact_gap(x, 0.3, 1.0).item()
    assert found["amortisation_gap"].value == pytest.approx(gap, abs=0.05)


@pytest.mark.parametrize("posterior", [DiagonalNormal, FullNormal, FlowPosterior])
def test_the_best_posterior_of_each_example_is_found_from_afar(posterior):
    vae, x = linear_vae(posterior), 2 * MARGINAL.sample((10,))
    params = vae.encoder(x, torch.zeros(10, 0))
    if posterior is not FlowPosterior:
        params[:, 3:6] = raw(torch.rand(10, 3).double() + 0.3)
    params[:, :3] += torch.randn(10, 3)
    before = params.clone()
    best = fit_posteriors(vae, params, x, torch.zeros(10, 0).double(), steps=400, samples=16)
    assert torch.equal(params, before)
    assert not best.requires_grad
    q = vae.posterior(best)
    assert_close(vae.posterior.point(q), x @ GAIN.T, atol=0.06, rtol=0)
    if posterior is DiagonalNormal:
        assert_close(q.stddev, SCALES.expand(10, 3), atol=0, rtol=0.06)
    if posterior is FullNormal:
        covariance = PRECISION.inverse().expand(10, 3, 3)
        assert_close(q.covariance_matrix, covariance, atol=0.03, rtol=0.1)


def test_one_example_is_fitted_whatever_the_others_are_like():
    """Adam moves each parameter by its own gradient: one far away does not slow the others."""
    vae, x = linear_vae(), MARGINAL.sample((2,))
    c, params = torch.zeros(2, 0).double(), vae.encoder(x, torch.zeros(2, 0)) + 0.5
    far = torch.stack([x[0], 1000 * x[1]])
    for examples in (x, far):
        best = fit_posteriors(vae, params, examples, c, steps=300, samples=16)
        assert_close(best[0, :3], GAIN @ x[0], atol=0.05, rtol=0)


def test_the_parts_sum_to_the_gap_and_noise_common_to_both_posteriors_cancels():
    found = measured(linear_vae(shift=0.2), MARGINAL.sample((30,)), temperatures=20, steps=30)
    parts = found["approximation_gap"].value + found["amortisation_gap"].value
    assert found["posterior_gap"].value == pytest.approx(parts, rel=1e-12)
    assert found["amortisation_gap"].standard_error < found["posterior_gap"].standard_error / 2


def test_the_gap_under_a_mixture_prior_is_the_integral_of_its_divergence():
    """Without a closed form of KL(q ‖ p): both ELBOs then need the density of the mixture."""
    prior = partial(MixtureOfNormals, components=2)
    affine = partial(MLP, hidden=())
    parts = {"encoder": affine, "decoder": affine, "prior": prior}
    vae = VAE((2,), 1, KL(), likelihood=partial(Normal, variance=VARIANCE), **parts).double().eval()
    vae.prior.loc.copy_(torch.tensor([[-1.0], [1.5]]))
    vae.prior.log_scale.fill_(-0.7)
    vae.encoder.layers[0].weight.mul_(0.5)
    x, c = torch.randn(40, 2).double(), torch.zeros(1, 0).double()
    z = torch.linspace(-9, 9, 4001).double()[:, None]
    log_cell = (z[1] - z[0]).log()
    gaps = []
    for i in range(40):
        log_joint = vae.prior(c).log_prob(z) + vae.decode(z, c.expand(4001, 0)).log_prob(x[i])
        log_posterior = log_joint - log_joint.logsumexp(0) - log_cell
        log_q = vae.encode(x[i : i + 1], c).log_prob(z)
        gaps.append((log_q.exp() * (log_q - log_posterior)).sum() * log_cell.exp())
    found = measured(vae, x, chains=50)  # since few of them find both modes
    assert found["posterior_gap"].value == pytest.approx(torch.stack(gaps).mean().item(), abs=0.08)
    assert 0 < found["approximation_gap"].value < found["posterior_gap"].value


def test_conditions_and_recurrent_decoders_pass_their_gradients():
    parts = {"prior": ConditionalNormal, "condition": OneHot, "classes": 3}
    likelihood = partial(Tokens, features=4, hidden=6)
    vae = VAE((3, 4), 2, KL(), likelihood=likelihood, **parts).double().eval()
    vae.prior.affine.weight.normal_()  # about the posterior, of such a decoder
    vae.encoder.layers[-1].bias.add_(1.5)
    x, y = torch.eye(4).double()[torch.randint(4, (12, 3))], torch.arange(12) % 3
    metric = PosteriorGap(temperatures=30, simulated=0)
    metric.update(vae, x, y)
    found = metric.compute()
    assert found["approximation_gap"].value == pytest.approx(0, abs=0.1)
    assert found["amortisation_gap"].value > 1
