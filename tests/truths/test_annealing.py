"""Annealed importance sampling against models whose log p(x) is known, or an integral away."""

import math
from functools import partial

import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss
from sklearn.datasets import load_digits
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import AnnealedChains, AnnealedImportanceSampling
from vae_zoo.evaluation.hamiltonian import Joint, hamiltonian_step
from vae_zoo.likelihoods import Bernoulli, Categorical, Normal, Tokens
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import (
    ConditionalNormal,
    Flow,
    Laplace,
    LearnedNormal,
    MixtureOfNormals,
    StandardNormal,
    VampPrior,
)
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

VARIANCE = 0.5
W = torch.tensor([[1.5, 0.4], [0.9, -0.7], [0.0, 1.0], [0.5, 0.5]]).double()
COVARIANCE = W @ W.T + VARIANCE * torch.eye(4)
MARGINAL = MultivariateNormal(torch.zeros(4).double(), COVARIANCE)
PRECISION = torch.eye(2) + W.T @ W / VARIANCE  # of the exact posterior


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def linear_vae(w=W, bias=None, variance=VARIANCE, **parts):
    """x = Wz + b + σε, whose encoder nobody asks."""
    options = {"decoder": partial(MLP, hidden=()), "likelihood": partial(Normal, variance=variance)}
    vae = VAE((len(w),), w.shape[1], MMD(), posterior=Deterministic, **(options | parts)).double()
    [affine] = vae.decoder.layers
    affine.weight.copy_(w)
    affine.bias.copy_(torch.zeros(len(w)) if bias is None else bias)
    return vae.eval()


def annealed(vae, x, c=None, **path):
    c = torch.zeros(len(x), 0, dtype=x.dtype) if c is None else c
    path = {"chains": 4, "temperatures": 100, "leapfrogs": 1, "seed": 0} | path
    return AnnealedChains(vae, x, c, [*range(len(x))], **path)


def exact_posterior(x):
    return MultivariateNormal(x @ W @ torch.linalg.inv(PRECISION) / VARIANCE, PRECISION.inverse())


def mean_and_error(x):
    return x.mean().item(), (x.std() / math.sqrt(len(x))).item()


def test_forward_and_reverse_chains_bracket_the_log_likelihood_and_tighten():
    vae, x = linear_vae(), MARGINAL.sample((200,))
    exact, z = MARGINAL.log_prob(x), exact_posterior(x).sample()
    below, above = [], []
    for temperatures in (6, 30, 200):
        chains = annealed(vae, x, temperatures=temperatures, chains=2)
        below.append(mean_and_error(exact - chains.forward().lower))
        above.append(mean_and_error(chains.reverse(z).upper - exact))
    for gaps in (below, above):
        means = [mean for mean, _ in gaps]
        assert means == sorted(means, reverse=True)
        assert means[0] > 0.2
        assert means[-1] < 0.04 + 3 * gaps[-1][1]
        assert all(mean > -3 * error for mean, error in gaps)


@pytest.mark.parametrize("leapfrogs", [1, 3])
def test_the_weights_of_few_temperatures_are_exact(leapfrogs):
    """E w = p(x), however short, and forward and reverse chains differ by the weight alone.

    With δ = ln w - ln p(x), E forward f(δ) exp δ = E reverse f(δ), here of f(δ) = 1 / (1 + exp δ),
    which nothing makes large: Bennett, Journal of Computational Physics 22, 1976.
    """
    x = MARGINAL.sample((1,)).expand(600, 4)
    exact = MARGINAL.log_prob(x)
    chains = annealed(linear_vae(), x, chains=8, temperatures=8, leapfrogs=leapfrogs)
    forward = chains.forward().log_weights - exact
    reverse = chains.reverse(exact_posterior(x).sample()).log_weights - exact
    mean, error = mean_and_error(forward.exp().flatten())
    assert mean == pytest.approx(1, abs=4 * error)
    assert forward.std() > 0.2
    assert error < 0.05
    mean, error = mean_and_error((forward.sigmoid() - (-reverse).sigmoid()).mean(0))
    assert abs(mean) < 4 * error
    assert error < 0.01


@pytest.mark.parametrize("beta", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("step", [0.2, 0.7])
def test_a_step_leaves_its_target_as_it_is(beta, step):
    """Long steps, too, half of which are refused."""
    n = 20_000
    x = MARGINAL.sample((1,))
    precision = torch.eye(2) + beta * W.T @ W / VARIANCE
    mean = (beta * x @ W / VARIANCE @ precision.inverse()).squeeze(0)
    target = MultivariateNormal(mean, precision.inverse())
    joint = Joint(linear_vae(), x.expand(n, 4), torch.zeros(n, 0).double(), chains=1)
    state = joint(target.sample((n,)))
    begin, acceptance = state.z, []
    for _ in range(6):
        noise = torch.randn(n, 3).double()
        state, accepted = hamiltonian_step(joint, state, beta, torch.full((n,), step), noise, 3)
        acceptance.append(accepted.mean())
    error = (target.variance / n).sqrt()
    assert ((state.z.mean(0) - mean).abs() < 4 * error).all()
    assert_close(state.z.T.cov(), precision.inverse(), atol=0.03, rtol=0.03)
    assert (state.z - begin).square().mean() > 0.05  # it moves
    if beta == 1 and step == 0.7:
        assert 0.2 < torch.stack(acceptance).mean() < 0.8


def test_what_a_state_knows_is_that_of_its_codes():
    x, n = MARGINAL.sample((3,)), 6
    joint = Joint(linear_vae(), x, torch.zeros(3, 0).double(), chains=2)
    state = joint(torch.randn(n, 2).double())
    for _ in range(3):
        noise = torch.randn(n, 3).double()
        state, _ = hamiltonian_step(joint, state, 0.4, torch.full((n,), 0.6), noise, 2)
    expected = -(state.z.square().sum(1) + 2 * math.log(2 * math.pi)) / 2
    assert_close(state.log_prior, expected)
    assert_close(state.prior_slope, -state.z)
    residual = x.repeat(2, 1) - state.z @ W.T
    assert_close(state.likelihood_slope, residual @ W / VARIANCE)
    constant = 2 * math.log(2 * math.pi * VARIANCE)
    assert_close(state.log_likelihood, -residual.square().sum(1) / 2 / VARIANCE - constant)
    assert_close(state.slope(0.4), state.prior_slope + 0.4 * state.likelihood_slope)


def test_a_path_that_diverges_is_refused():
    x, c = MARGINAL.sample((3,)), torch.zeros(3, 0).double()
    joint = Joint(linear_vae(), x, c, chains=1)
    state, noise = joint(torch.randn(3, 2).double()), torch.randn(3, 3).double()
    step = torch.tensor([1e-3, 1e120, 1e300]).double()
    new, accepted = hamiltonian_step(joint, state, 1.0, step, noise, 3)
    assert_close(accepted, torch.tensor([1.0, 0.0, 0.0]).double(), atol=1e-3, rtol=0)
    for to, stay in zip(new, state, strict=True):
        assert torch.equal(to[1:], stay[1:])
        assert to.isfinite().all()


@pytest.mark.parametrize("width", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("temperatures", [60, 500])
def test_steps_suit_the_width_of_the_prior_and_are_accepted_at_all_temperatures(
    width, temperatures
):
    vae, x = linear_vae(W / width, prior=LearnedNormal), MARGINAL.sample((30,))
    vae.prior.log_scale.fill_(math.log(width))
    chains = annealed(vae, x, temperatures=temperatures)
    found, back = chains.forward(), chains.reverse(width * exact_posterior(x).sample())
    for run in (found, back):
        assert run.acceptance.shape == (temperatures - 1, 30)
        for part in run.acceptance.tensor_split(5):
            assert 0.55 < part.mean() < 0.85
    assert_close(found.lower.mean(), MARGINAL.log_prob(x).mean(), atol=0.1, rtol=0)


def test_a_linear_model_of_digits_is_found_and_its_own_digits_are_bracketed():
    """pPCA at its maximum: Tipping and Bishop, 1999, eq. 7."""
    x = torch.from_numpy(load_digits().data / 16)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    variance = values[:-8].mean()
    w = vectors[:, -8:] * (values[-8:] - variance).sqrt()
    vae = linear_vae(w, x.mean(0), variance.item())
    marginal = MultivariateNormal(x.mean(0), w @ w.T + variance * torch.eye(64))
    metric = AnnealedImportanceSampling(temperatures=600)
    metric.update(vae, x[:50])
    found = metric.compute()
    assert found["ais"].value == pytest.approx(marginal.log_prob(x[:50]).mean().item(), abs=0.15)
    gap = found["bdmc_gap"]
    assert -2 * gap.standard_error < gap.value < 0.3 + 2 * gap.standard_error


def quadrature(vae, x, c=None, size=9.0, points=400):
    """Log ∫ p(z) p(x | z) dz on a grid, of one or two latent dimensions."""
    d = vae.latent_dim
    axis = torch.linspace(-size, size, points if d == 2 else 20 * points, dtype=torch.double)
    z = torch.cartesian_prod(*[axis] * d).view(-1, d)
    cell = d * (axis[1] - axis[0]).log()
    given = torch.zeros(1, 0).double() if c is None else c
    found = []
    for one in given:
        log_prior = vae.prior(one[None]).expand((1,)).log_prob(z)
        p = vae.decode(z, one.expand(len(z), -1))
        found.append([(log_prior + p.log_prob(e.expand(len(z), *e.shape))).logsumexp(0) for e in x])
    table = torch.tensor(found).double() + cell  # (conditions, N)
    return table[0] if c is None else table.diagonal()


def mixture_prior(latent_dim, condition_dim):
    prior = MixtureOfNormals(latent_dim, condition_dim, components=3)
    prior.loc.mul_(1.5)
    prior.log_scale.fill_(-0.5)
    prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return prior


def flow_prior(latent_dim, condition_dim):
    prior = Flow(latent_dim, condition_dim, transforms=1, hidden=(8,))
    for parameter in prior.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    return prior


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("prior", [StandardNormal, mixture_prior, Laplace, flow_prior])
def test_binary_data_of_any_prior_have_the_integral_of_their_likelihood(d, prior):
    vae = VAE((12,), d, KL(), prior=prior, decoder=partial(MLP, hidden=(16,))).double().eval()
    for parameter in vae.decoder.parameters():
        parameter.mul_(3)
    x = torch.rand(10, 12).double().round()
    exact = quadrature(vae, x)
    # Many chains, since some priors have modes that few of them find.
    found = annealed(vae, x, chains=100).forward().lower
    assert_close(found, exact, atol=0.4, rtol=0)
    assert_close(found.mean(), exact.mean(), atol=0.1, rtol=0)
    assert exact.std() > 1


def test_a_pseudo_input_prior_and_a_condition_have_the_integral_of_theirs():
    parts = {"condition": OneHot, "classes": 3, "decoder": partial(MLP, hidden=(8,))}
    x, c = torch.rand(6, 6).double().round(), torch.eye(3).double()[torch.arange(6) % 3]
    for prior in (ConditionalNormal, partial(VampPrior, components=4)):
        vae = VAE((6,), 2, KL(), prior=prior, **parts).double().eval()
        for parameter in [*vae.encoder.parameters(), *vae.decoder.parameters()]:
            parameter.mul_(2)
        for parameter in vae.prior.parameters():
            parameter.add_(torch.randn_like(parameter))
        exact = quadrature(vae, x, c)
        assert exact.std() > 0.2
        found = annealed(vae, x, c, chains=1000, temperatures=10).forward().lower
        assert_close(found, exact, atol=0.3, rtol=0)
        assert_close(found.mean(), exact.mean(), atol=0.1, rtol=0)


def test_texts_of_a_recurrent_decoder_have_the_integral_of_their_likelihood():
    likelihood = partial(Tokens, features=4, hidden=8)
    vae = VAE((3, 4), 1, KL(), likelihood=likelihood, decoder=partial(MLP, hidden=(8,))).double()
    for parameter in vae.parameters():
        parameter.mul_(3)
    x = torch.eye(4).double()[torch.randint(4, (10, 3))]
    exact = quadrature(vae.eval(), x, points=100)
    found = annealed(vae, x, chains=30).forward().lower
    assert_close(found, exact, atol=0.3, rtol=0)
    assert_close(found.mean(), exact.mean(), atol=0.06, rtol=0)


def test_levels_drawn_from_the_model_are_bracketed():
    """What is simulated is a sample of the likelihood, in its support, and none of its means."""
    vae = VAE((3,), 1, KL(), likelihood=Categorical, decoder=partial(MLP, hidden=(8,))).double()
    vae.eval()
    metric = AnnealedImportanceSampling(temperatures=40, simulated=60)
    metric.update(vae, torch.zeros(1, 3).double())
    gap = metric.compute()["bdmc_gap"]
    assert abs(gap.value) < 0.02 + 3 * gap.standard_error
    assert gap.standard_error < 0.05


def test_the_gap_is_that_of_the_chains_from_the_codes_that_examples_were_drawn_from():
    """Few temperatures: the gap is then KL both ways, as simulated here by hand."""
    vae = linear_vae()
    metric = AnnealedImportanceSampling(chains=1, temperatures=6, simulated=400)
    metric.update(vae, torch.zeros(1, 4).double())
    gap = metric.compute()["bdmc_gap"]
    z = torch.randn(400, 2).double()
    x = z @ W.T + math.sqrt(VARIANCE) * torch.randn(400, 4)
    chains = annealed(vae, x, chains=1, temperatures=6, seed=1)
    exact = MARGINAL.log_prob(x)
    expected = (chains.reverse(z).upper - exact) + (exact - chains.forward().lower)
    mean, error = mean_and_error(expected)
    assert gap.value == pytest.approx(mean, abs=3 * math.hypot(error, gap.standard_error))
    assert mean > 0.5


def test_a_bernoulli_model_of_one_pixel_is_its_mean():
    """p(x = 1) = ∫ N(z; 0, 1) σ(wz + b) dz, by Gauss-Hermite."""
    vae = VAE((1,), 1, KL(), likelihood=Bernoulli, decoder=partial(MLP, hidden=())).double().eval()
    [affine] = vae.decoder.layers
    affine.weight.fill_(4.0)
    affine.bias.fill_(-1.0)
    nodes, weights = (torch.from_numpy(part) for part in hermegauss(80))
    p = (weights * (4 * nodes - 1).sigmoid()).sum() / weights.sum()
    found = annealed(vae, torch.eye(2)[:, :1].double(), chains=2000).forward().lower
    assert_close(found, torch.stack([p.log(), (1 - p).log()]), atol=0.01, rtol=0)
