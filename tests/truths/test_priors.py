"""Priors are densities, their samples follow them, and learned ones find their optimum."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import kstest, laplace, norm
from scipy.stats import t as student
from torch.distributions import Independent, Normal
from torch.testing import assert_close
from zuko.distributions import NormalizingFlow

from vae_zoo.posteriors import DiagonalNormal, FlowPosterior, FullNormal
from vae_zoo.priors import (
    ConditionalNormal,
    Flow,
    Laplace,
    LearnedNormal,
    MixtureOfNormals,
    StandardNormal,
    StudentT,
    VampPrior,
)
from vae_zoo.regularizers import kl_divergence

EMPTY = torch.zeros(1, 0)
LABEL = torch.tensor([[0.0, 1.0, 0.0]])


def shaken(prior):
    std = 0.3 if isinstance(prior, Flow) else 0.5  # three maps multiply
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return prior


def vamp(latent_dim, condition_dim=0, family=DiagonalNormal):
    """A VampPrior of an encoder that is affine."""
    posterior = family(latent_dim=latent_dim)
    encoder = torch.nn.Linear(5 + condition_dim, *posterior.params).requires_grad_(False)

    def encode(x, c, index=None):
        params = encoder(torch.cat([x, c], dim=1))
        return posterior(params if index is None else params[index])

    prior = VampPrior(latent_dim, condition_dim, components=4)
    prior.build((5,), encode)
    return prior


PRIORS = {
    "StandardNormal": (StandardNormal, EMPTY),
    "LearnedNormal": (LearnedNormal, EMPTY),
    "MixtureOfNormals": (partial(MixtureOfNormals, components=4), EMPTY),
    "Laplace": (partial(Laplace, scale=2.0), EMPTY),
    "StudentT": (partial(StudentT, df=6.0, scale=0.5), EMPTY),
    "VampPrior": (vamp, EMPTY),
    "VampPrior of full normals": (partial(vamp, family=FullNormal), EMPTY),
    "VampPrior of flows": (partial(vamp, family=FlowPosterior), EMPTY),
    "nsf": (partial(Flow, hidden=(8,)), EMPTY),
    "maf": (partial(Flow, transform="maf", hidden=(8,)), EMPTY),
    "realnvp": (partial(Flow, transform="realnvp", hidden=(8,)), EMPTY),
    "ConditionalNormal": (ConditionalNormal, LABEL),
    "MixtureOfNormals, conditional": (partial(MixtureOfNormals, conditional=True), LABEL),
    "VampPrior, conditional": (vamp, LABEL),
    "nsf, conditional": (partial(Flow, hidden=(8,), conditional=True), LABEL),
    "realnvp, conditional": (
        partial(Flow, transform="realnvp", hidden=(8,), conditional=True),
        LABEL,
    ),
}
every_prior = pytest.mark.parametrize(("make", "c"), PRIORS.values(), ids=PRIORS)


def probabilities_on_a_grid(p, steps):
    """The probability of each cell of a square grid, ``(N, N)``, and its axis."""
    axis = torch.linspace(-steps / 40, steps / 40, steps + 1)
    with torch.no_grad():
        log_density = p.log_prob(torch.cartesian_prod(axis, axis)).double()
    return (log_density.exp() * 0.05**2).view(steps + 1, steps + 1), axis


@every_prior
def test_a_prior_integrates_to_one_and_its_samples_follow_it(make, c):
    p = shaken(make(2, condition_dim=c.shape[1]))(c)
    bent = isinstance(p, NormalizingFlow) or make == PRIORS["VampPrior of flows"][0]
    cells, axis = probabilities_on_a_grid(p, steps=240 if bent else 1200)  # a slow, narrow density
    assert_close(cells.sum().item(), 1.0, atol=1e-3, rtol=0)

    z = p.expand((4000,)).sample()
    for d in range(2):
        below = cells.sum(1 - d).cumsum(0) - cells.sum(1 - d) / 2
        cdf = partial(np.interp, xp=axis.numpy(), fp=below.numpy())
        assert kstest(z[:, d].numpy(), cdf).pvalue > 1e-3
    product = torch.tanh(z.prod(-1))  # depends on both dimensions at once
    expected = (cells * torch.tanh(axis[:, None] * axis)).sum().item()
    assert product.mean().item() == pytest.approx(
        expected, abs=4 * product.std().item() / 4000**0.5
    )


@pytest.mark.parametrize(
    ("prior", "oracle"),
    [
        (Laplace(3), laplace()),
        (Laplace(3, scale=2.5), laplace(scale=2.5)),
        (StudentT(3), student(5)),
        (StudentT(3, df=2.0, scale=0.3), student(2, scale=0.3)),
    ],
)
def test_heavy_tails_are_those_of_scipy(prior, oracle):
    z = torch.randn(6, 3) * 4
    expected = torch.tensor(oracle.logpdf(z.double()).sum(axis=1))
    assert_close(prior(EMPTY).log_prob(z), expected, check_dtype=False)


def test_the_kl_to_a_laplace_is_its_integral():
    m, s, scale = 0.7, 0.4, 1.3
    axis = np.linspace(-6, 6, 4001)
    log_ratio = norm.logpdf(axis, m, s) - laplace.logpdf(axis, scale=scale)
    expected = 2 * np.trapezoid(norm.pdf(axis, m, s) * log_ratio, axis)
    q = Independent(Normal(torch.full((1, 2), m), s), 1)
    kl = kl_divergence(q, Laplace(2, scale=scale)(EMPTY).expand((1,)), None)  # without a sample
    assert kl.item() == pytest.approx(expected, abs=1e-4)


def test_a_mixture_is_one_of_joint_normals_and_not_a_product_of_mixtures():
    prior = shaken(MixtureOfNormals(latent_dim=3, components=5))
    z = torch.randn(20, 3)
    loc, scale = prior.loc.detach().numpy(), np.exp(prior.log_scale.detach().numpy())
    weights = np.exp(prior.logits.detach().numpy())
    joint = norm.logpdf(z[:, None], loc, scale).sum(axis=-1)  # summed before the mixing
    expected = logsumexp(joint, b=weights / weights.sum(), axis=1)
    log_prob = prior(EMPTY).expand((20,)).log_prob(z).detach()
    assert_close(log_prob, torch.tensor(expected), check_dtype=False)


@pytest.mark.parametrize(
    ("make", "c"),
    [
        (lambda: LearnedNormal(3), EMPTY),
        (lambda: ConditionalNormal(3, condition_dim=2), torch.eye(2)[[0, 1, 1, 0]]),
    ],
)
def test_a_learned_normal_starts_at_the_standard_one(make, c):
    z = torch.randn(4, 3)
    expected = torch.tensor(norm.logpdf(z.double()).sum(axis=1))
    assert_close(make()(c).log_prob(z).detach(), expected, check_dtype=False)


def test_a_learned_normal_finds_the_moments_of_fixed_codes():
    """Its gain over N(0, I) is KL(N(mean, variance) ‖ N(0, I)), as the mathematics has it."""
    z = torch.randn(500, 2) * torch.tensor([0.4, 2.0]) + torch.tensor([1.0, -0.5])
    prior = LearnedNormal(2)
    start = prior(EMPTY).log_prob(z).mean().item()
    optimizer = torch.optim.LBFGS(prior.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -prior(EMPTY).log_prob(z).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    mean, variance = z.double().mean(0), z.double().var(0, correction=0)
    assert_close(prior.loc.detach(), mean, check_dtype=False, atol=1e-3, rtol=0)
    reached = (2 * prior.log_scale.detach()).exp()
    assert_close(reached, variance, check_dtype=False, rtol=1e-3, atol=0)
    gain = prior(EMPTY).log_prob(z).mean().item() - start
    expected = 0.5 * (mean.square() + variance - 1 - variance.log()).sum().item()
    assert gain == pytest.approx(expected, abs=1e-4)


def test_a_conditional_normal_of_a_constant_condition_is_a_learned_normal():
    conditional, learned = shaken(ConditionalNormal(3, condition_dim=1)), LearnedNormal(3)
    features = (conditional.affine.weight[:, 0] + conditional.affine.bias).detach()
    learned.load_state_dict({"loc": features[:3], "log_scale": features[3:]})
    z, c = torch.randn(6, 3), torch.ones(6, 1)
    assert_close(conditional(c).log_prob(z), learned(EMPTY).expand((6,)).log_prob(z))


def test_each_label_has_a_normal_of_its_own():
    prior, z = ConditionalNormal(1, condition_dim=2), torch.randn(2, 1)
    with torch.no_grad():
        prior.affine.weight.copy_(torch.tensor([[5.0, -5.0], [0.0, np.log(3)]]))
    expected = [norm.logpdf(z[0, 0].item(), 5, 1), norm.logpdf(z[1, 0].item(), -5, 3)]
    assert_close(prior(torch.eye(2)).log_prob(z).detach(), torch.tensor(expected).float())


@pytest.mark.parametrize("transform", ["nsf", "maf", "realnvp"])
@pytest.mark.parametrize("dimensions", [1, 4])
@pytest.mark.parametrize("conditional", [False, True])
def test_a_flow_starts_at_the_standard_normal(transform, dimensions, conditional):
    prior = Flow(dimensions, condition_dim=2, transform=transform, conditional=conditional)
    z, c = 3 * torch.randn(5, dimensions), torch.randn(5, 2)
    expected = torch.tensor(norm.logpdf(z.double()).sum(axis=1))
    assert_close(prior(c).expand((5,)).log_prob(z).detach(), expected, check_dtype=False)


@pytest.mark.parametrize("transform", ["nsf", "maf", "realnvp"])
def test_a_flow_takes_a_shape_that_is_no_normal(transform):
    """Two dimensions, of which the first bends the second: to the entropy, known exactly."""
    first = torch.randn(1000, 1)
    z = torch.cat([first, 0.3 * torch.randn(1000, 1) + (first.square() - 1) / 2], dim=1)
    prior = Flow(2, transform=transform, transforms=2, hidden=(16,))
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.03)
    for _ in range(100):
        optimizer.zero_grad()
        loss = -prior(EMPTY).log_prob(z).mean()
        loss.backward()
        optimizer.step()
    entropy = 1 + np.log(2 * np.pi) + np.log(0.3)
    assert loss.item() == pytest.approx(entropy, abs=0.1)  # N(0, I) is 1 above


@pytest.mark.parametrize("transform", ["nsf", "maf", "realnvp"])
def test_a_conditional_flow_of_a_constant_condition_is_a_flow(transform):
    options = {"transform": transform, "hidden": (8,)}
    conditional = shaken(Flow(3, condition_dim=1, conditional=True, **options))
    plain, state = Flow(3, **options), conditional.state_dict()
    for name, old in plain.state_dict().items():
        new = state[name]
        if new.shape != old.shape:  # the condition's column, by a condition of 1, is a bias
            if name.endswith("weight"):
                bias = name.replace("weight", "bias")
                state[bias] = state[bias] + new[:, -1]
            state[name] = new[:, :-1]
    plain.load_state_dict(state)
    z, c = torch.randn(6, 3), torch.ones(6, 1)
    assert_close(conditional(c).log_prob(z), plain(EMPTY).expand((6,)).log_prob(z))


def test_a_conditional_mixture_of_a_constant_condition_is_a_mixture():
    conditional = shaken(MixtureOfNormals(3, condition_dim=2, components=4, conditional=True))
    plain, state = MixtureOfNormals(3, components=4), conditional.state_dict()
    shift = state.pop("slope.weight").sum(1).view(4, 7)  # of the condition (1, 1)
    state["logits"] = state["logits"] + shift[:, 0]
    state["loc"] = state["loc"] + shift[:, 1:4]
    state["log_scale"] = state["log_scale"] + shift[:, 4:]
    plain.load_state_dict(state)
    z, c = torch.randn(6, 3), torch.ones(6, 2)
    assert_close(conditional(c).log_prob(z), plain(EMPTY).expand((6,)).log_prob(z))


def test_a_conditional_mixture_starts_without_its_condition():
    prior = MixtureOfNormals(3, condition_dim=2, conditional=True)
    z, c = torch.randn(6, 3), torch.randn(6, 2)
    plain = MixtureOfNormals(3)
    plain.load_state_dict(
        {name: part for name, part in prior.state_dict().items() if "." not in name}
    )
    assert_close(prior(c).log_prob(z), plain(EMPTY).expand((6,)).log_prob(z))
