"""Likelihoods are densities: they sum or integrate to one, constants included."""

import itertools
import math
from functools import partial

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import dblquad, quad
from scipy.stats import laplace, logistic, norm
from torch.testing import assert_close

from vae_zoo.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    LaplaceLikelihood,
    Normal,
)

LEVELS = torch.arange(256).view(256, 1) / 255  # each of them, as an example of one pixel
EXTREMES = [-1e3, -40.0, -2.0, -0.31, -0.29, -1e-4, 0.0, 1e-4, 0.29, 0.31, 2.0, 40.0, 1e3]


def test_bernoulli_sums_to_one_over_all_binary_images():
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6))).view(-1, 1, 2, 3)
    p = Bernoulli((1, 2, 3))(3 * torch.randn(4, 1, 2, 3))
    log_probs = torch.stack([p.log_prob(image.expand(4, -1, -1, -1)) for image in images])
    assert log_probs.shape == (64, 4)
    assert_close(log_probs.exp().sum(dim=0), torch.ones(4))


def test_bernoulli_reads_its_parameters_as_logits_of_ones():
    p = Bernoulli((1,))(torch.tensor([[2.0]]))
    assert_close(p.log_prob(torch.ones(1, 1)).exp(), torch.tensor([1 / (1 + np.exp(-2.0))]).float())


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (1, 5, 5), (1, 28, 28)])
def test_many_coins_find_one_example_as_likely_as_its_copies(shape):
    logits = torch.tensor([*EXTREMES, 17.0, -17.0])[torch.randint(15, (40, *shape))]
    one = torch.rand(shape).round()
    exact = one * logits - torch.from_numpy(np.logaddexp(0, logits.double().numpy()))
    for value in (one, one.expand(40, *shape), one.expand(40, *shape).contiguous()):
        found = Bernoulli(shape)(logits).log_prob(value)
        assert_close(found, exact.flatten(1).sum(1).float(), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("pixels", [5, 16, 19])
def test_gradients_of_many_coins_lead_from_their_means_to_the_example(pixels):
    logits = torch.cat([torch.zeros(1, pixels), 9 * torch.randn(30, pixels)]).requires_grad_()
    one = torch.rand(pixels).round()
    Bernoulli((pixels,))(logits).log_prob(one.expand_as(logits)).sum().backward()
    assert_close(logits.grad, one - logits.detach().sigmoid(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variance", [0.25, 2.0])
def test_normal_integrates_to_one(variance):
    p = Normal((2,), variance=variance)(torch.tensor([[0.3, -1.0]]))

    def density(x, y):
        return p.log_prob(torch.tensor([[x, y]], dtype=torch.double)).exp().item()

    total = dblquad(density, -12, 12, -12, 12, epsabs=1e-4)[0]
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("learned", ["fixed", "scalar", "pixel", "decoded"])
@pytest.mark.parametrize(
    ("family", "oracle"),
    [
        (partial(Normal, variance=0.09), norm),
        (partial(LaplaceLikelihood, scale=0.3), laplace),
    ],
    ids=["normal", "laplace"],
)
def test_a_log_density_includes_its_constant_and_starts_at_its_scale(family, oracle, learned):
    x, loc = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    likelihood = family((2, 4, 4), learned=learned)
    params = torch.cat([loc, torch.zeros_like(loc)], dim=1) if learned == "decoded" else loc
    assert likelihood.params == params.shape[1:]
    scale = 0.3 * (1.001 if learned in ("pixel", "decoded") else 1)
    expected = oracle.logpdf(x.double(), loc.double(), scale).sum(axis=(1, 2, 3))
    log_prob = likelihood(params).log_prob(x).detach()
    assert_close(log_prob, torch.tensor(expected), check_dtype=False)


@pytest.mark.parametrize("family", [Normal, LaplaceLikelihood])
@pytest.mark.parametrize("learned", ["pixel", "decoded"])
def test_each_pixel_has_a_scale_of_its_own(family, learned):
    """softplus(ln(e - 1) + f) is 1 at f = 0, 2 and 1/2 at the factors f below."""
    likelihood = family((3,), learned=learned)
    wanted = torch.tensor([0.5, 1.0, 2.0])
    factors = wanted.expm1().log() - math.log(math.e - 1)
    if learned == "pixel":
        likelihood.load_state_dict({"factors": factors})
    params = torch.zeros(1, 3) if learned == "pixel" else torch.cat([0 * factors, factors])[None]
    x = torch.tensor([[0.3, -1.0, 4.0]])
    oracle = norm if family is Normal else laplace
    expected = oracle.logpdf(x.double(), 0, wanted.double() + 1e-3).sum(axis=1)
    assert_close(likelihood(params).log_prob(x).detach(), torch.tensor(expected).float())


@pytest.mark.parametrize("scale", [1e-3, 0.3, 50.0])
def test_laplace_integrates_to_one(scale):
    p = LaplaceLikelihood((1,), scale=scale)(torch.tensor([[0.3]], dtype=torch.double))

    def density(x):
        return p.log_prob(torch.tensor([[x]], dtype=torch.double)).exp().item()

    bounds = 0.3 - 40 * scale, 0.3 + 40 * scale
    assert quad(density, *bounds, points=[0.3])[0] == pytest.approx(1, abs=1e-6)


def test_the_gradient_of_a_learned_variance_vanishes_at_the_mean_square_error():
    x, loc = torch.randn(50, 6), torch.randn(50, 6)
    variance = (x - loc).square().mean().item()
    for start, sign in ((variance / 2, 1), (variance, 0), (variance * 2, -1)):
        likelihood = Normal((6,), variance=start, learned="scalar")
        likelihood(loc).log_prob(x).mean().backward()
        gradient = likelihood.log_scale.grad.item()
        assert np.sign(round(gradient, 4)) == sign


def test_the_optimal_variance_is_the_mean_square_error_and_no_other_is_better():
    x, loc = torch.randn(50, 2, 3), 0.3 * torch.randn(50, 2, 3)
    reached = Normal((2, 3), learned="optimal")(loc).log_prob(x).mean()
    variance = (x - loc).square().mean().item()
    closed = -0.5 * 6 * (math.log(2 * math.pi * variance) + 1)
    assert reached.item() == pytest.approx(closed, rel=1e-5)
    for factor in (0.3, 0.8, 0.97, 1.03, 1.2, 3.0):
        assert Normal((2, 3), variance * factor)(loc).log_prob(x).mean() < reached


def test_the_gradient_under_the_optimal_variance_is_that_of_the_closed_form():
    """It need not pass through the variance, whose own gradient is zero at the optimum."""
    x, loc = torch.randn(9, 5), torch.randn(9, 5, requires_grad=True)
    (found,) = torch.autograd.grad(Normal((5,), learned="optimal")(loc).log_prob(x).mean(), loc)
    closed = -0.5 * 5 * (2 * math.pi * math.e * (x - loc).square().mean()).log()
    assert_close(found, torch.autograd.grad(closed, loc)[0])


def test_an_evaluation_does_not_choose_the_variance():
    likelihood, loc = Normal((4,), variance=7.0, learned="optimal"), torch.zeros(3, 4)
    x = 2 * torch.randn(3, 4)
    before = likelihood.eval()(loc).log_prob(x)
    expected = torch.tensor(norm.logpdf(x.double(), 0, math.sqrt(7)).sum(axis=1))
    assert_close(before, expected, check_dtype=False)
    for spread in (0.5, 3.0, 0.1):  # its mean over the batches of the training
        likelihood.train()(loc).log_prob(torch.full((3, 4), spread))
    variance = (0.25 + 9.0 + 0.01) / 3
    expected = torch.tensor(norm.logpdf(x.double(), 0, math.sqrt(variance)).sum(axis=1))
    for examples in (x, x[:1]):
        log_prob = likelihood.eval()(loc[: len(examples)]).log_prob(examples)
        assert_close(log_prob, expected[: len(examples)], check_dtype=False)


def test_the_variance_kept_for_evaluation_forgets_the_beginning_of_the_training():
    likelihood, loc = Normal((1,), learned="optimal"), torch.zeros(1, 1)
    for step in range(1000):
        likelihood(loc).log_prob(torch.full((1, 1), 30.0 if step < 20 else 0.2))
    assert (2 * likelihood.log_scale).exp().item() == pytest.approx(0.04, abs=0.03)


def test_the_optimal_variance_of_a_perfect_reconstruction_is_not_zero():
    x = torch.ones(2, 3)
    log_prob = Normal((3,), variance=4.0, learned="optimal")(x).log_prob(x)
    expected = 3 * norm.logpdf(0, 0, 2e-3)
    assert_close(log_prob, torch.full((2,), expected).float())


@pytest.mark.parametrize("logit", [-60.0, -3.0, -0.31, -1e-3, 0.0, 0.29, 3.0, 60.0])
def test_continuous_bernoulli_integrates_to_one(logit):
    p = ContinuousBernoulli((1,))(torch.tensor([[logit]], dtype=torch.double))

    def density(x):
        return p.log_prob(torch.tensor([[x]], dtype=torch.double)).exp().item()

    assert quad(density, 0, 1, limit=200)[0] == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("logit", EXTREMES)
@pytest.mark.parametrize("x", [0.0, 0.2, 1.0])
def test_continuous_bernoulli_and_its_gradient_are_exact_in_single_precision(logit, x):
    def exact(logit):
        size = mpmath.mpf(logit)
        constant = mpmath.log(size / mpmath.expm1(size)) if size else mpmath.mpf(0)
        return size * x + constant

    logits = torch.tensor([[logit]], requires_grad=True)
    log_prob = ContinuousBernoulli((1,))(logits).log_prob(torch.tensor([[x]]))
    log_prob.backward()
    with mpmath.workdps(50):
        logit, x = mpmath.mpf(float(torch.tensor(logit))), mpmath.mpf(float(torch.tensor(x)))
        assert log_prob.item() == pytest.approx(float(exact(logit)), rel=1e-6, abs=1e-6)
        slope = float(mpmath.diff(exact, logit, h=mpmath.mpf(10) ** -12)) if logit else x - 0.5
        assert logits.grad.item() == pytest.approx(float(slope), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("logit", EXTREMES)
def test_the_mean_of_continuous_bernoulli_is_exact(logit):
    with mpmath.workdps(50):
        size = mpmath.mpf(float(torch.tensor(logit)))
        mean = 1 / (1 - mpmath.exp(-size)) - 1 / size if logit else mpmath.mpf(0.5)
    found = ContinuousBernoulli((1,))(torch.tensor([[logit]])).mean.item()
    assert found == pytest.approx(float(mean), abs=1e-6)


@pytest.mark.parametrize("logit", [-300.0, -2.0, 0.0, 1e-3, 0.5, 300.0])
def test_samples_of_continuous_bernoulli_fall_below_its_quantiles(logit):
    size = np.float64(logit or 1e-9)
    x = ContinuousBernoulli((1,))(torch.full((20_000, 1), logit)).sample().squeeze(1)
    for u in (0.1, 0.5, 0.9):
        quantile = np.log1p(u * np.expm1(size)) / size
        assert (x <= quantile).float().mean().item() == pytest.approx(u, abs=0.02)


SCALES = [1e-4, 0.01, 0.1, 3.0, 100.0]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("loc", [-2.0, 0.0, 0.4, 1.0, 7.0])
def test_the_discretized_logistic_sums_to_one_over_all_levels(loc, scale):
    p = DiscretizedLogistic((1,), scale=scale, learned="fixed")(torch.full((256, 1), loc))
    assert_close(p.log_prob(LEVELS).exp().sum(), torch.tensor(1.0), atol=2e-5, rtol=0)


@pytest.mark.parametrize("scale", [0.01, 0.1, 3.0])
def test_the_discretized_logistic_has_the_mass_of_the_logistic_between_two_levels(scale):
    edges = (np.arange(257) - 0.5) / 255
    edges[0], edges[-1] = -np.inf, np.inf
    mass = torch.tensor(np.diff(logistic.cdf(edges, 0.4, scale)))
    p = DiscretizedLogistic((1,), scale=scale, learned="fixed")(torch.full((256, 1), 0.4))
    believed = mass > 1e-10  # below, scipy's difference has lost its digits
    found = p.log_prob(LEVELS)[believed]
    assert_close(found, mass[believed].log(), rtol=1e-4, atol=1e-4, check_dtype=False)
    assert len(found) > 100


def test_the_discretized_logistic_is_exact_where_its_mass_underflows():
    with mpmath.workdps(60):
        a, b = (10 - mpmath.mpf("0.5")) / 255, (10 + mpmath.mpf("0.5")) / 255
        f = [1 / (1 + mpmath.exp((1 - edge) / mpmath.mpf("0.001"))) for edge in (a, b)]
        expected = float(mpmath.log(f[1] - f[0]))
    p = DiscretizedLogistic((1,), scale=0.001, learned="fixed")(torch.ones(1, 1))
    assert p.log_prob(torch.tensor([[10 / 255]])).item() == pytest.approx(expected, rel=1e-5)
    assert expected < -900


@pytest.mark.parametrize("spread", [1.0, 20.0])
def test_the_categorical_sums_to_one_over_all_levels_and_is_the_softmax(spread):
    logits = spread * torch.randn(256 * 2, 3)
    likelihood = Categorical((2, 3))
    assert likelihood.params == logits.shape
    p = likelihood(logits.expand(256, -1, -1))
    log_probs = p.base_dist.log_prob(torch.arange(256.0).view(256, 1, 1).expand(256, 2, 3))
    assert_close(log_probs.exp().sum(0), torch.ones(2, 3))
    x = torch.tensor([[0, 3, 255], [17, 128, 254]])
    table = logits.view(256, 2, 3).double()
    expected = sum(
        table[x[i, j], i, j] - table[:, i, j].logsumexp(0) for i in range(2) for j in range(3)
    )
    found = likelihood(logits[None]).log_prob(x[None] / 255)
    assert_close(found, expected[None], check_dtype=False)


def test_the_categorical_knows_every_level_however_it_was_rounded():
    logits = torch.randn(256)
    p = Categorical((1,))(logits.expand(256, 256))
    for x in (LEVELS, LEVELS - 1e-6, LEVELS + 1e-6):
        assert_close(p.log_prob(x), logits.log_softmax(0))


@pytest.mark.parametrize(
    ("family", "params"),
    [
        (partial(DiscretizedLogistic, scale=0.2, learned="fixed"), torch.tensor([0.3])),
        (partial(DiscretizedLogistic, scale=0.02, learned="fixed"), torch.tensor([0.99])),
        (Categorical, torch.linspace(-3, 2, 256).sin() * 3),
    ],
    ids=["logistic", "at the edge", "categorical"],
)
def test_samples_of_levels_have_the_probabilities_and_the_mean_that_they_are_said_to_have(
    family, params
):
    p = family((1,))(params.view(1, -1).expand(50_000, -1))
    x = p.sample()
    assert torch.equal(x, (x * 255).round() / 255)
    found = (x * 255).round().long().flatten().bincount(minlength=256) / len(x)
    expected = family((1,))(params.view(1, -1).expand(256, -1)).log_prob(LEVELS).exp()
    assert (found - expected).abs().sum() < 0.08  # of 256 levels, by chance
    assert_close(p.mean[0, 0], (expected * LEVELS.squeeze()).sum(), atol=1e-5, rtol=0)
    assert_close(x.mean(), p.mean[0, 0], atol=0.005, rtol=0)


@pytest.mark.parametrize(
    "family",
    [
        ContinuousBernoulli,
        Categorical,
        *(
            partial(family, learned=learned)
            for family in (Normal, LaplaceLikelihood, DiscretizedLogistic)
            for learned in ("scalar", "pixel", "decoded")
        ),
    ],
)
@pytest.mark.parametrize("size", [0.0, 1000.0, -1000.0])
def test_gradients_are_finite_at_extremes(family, size):
    likelihood = family((2,))
    params = torch.full((3, *likelihood.params), size, requires_grad=True)
    x = torch.tensor([[0.0, 1.0], [100 / 255, 0.0], [1.0, 1 / 255]])
    log_prob = likelihood(params).log_prob(x)
    assert log_prob.isfinite().all()
    log_prob.sum().backward()
    assert params.grad.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in likelihood.parameters())


def test_bits_per_dimension_are_those_of_a_code():
    """A fair coin a pixel costs 1 bit, a level among 256 equal ones 8 bits."""
    coins, levels = Bernoulli((1, 2, 3)), Categorical((1, 2, 3))
    for likelihood, bits in ((coins, 1.0), (levels, 8.0)):
        log_prob = likelihood(torch.zeros(4, *likelihood.params)).log_prob(torch.ones(4, 1, 2, 3))
        assert likelihood.bits_per_dimension(log_prob.mean()).item() == pytest.approx(bits)


def test_a_likelihood_of_a_text_counts_its_tokens():
    class Words(Bernoulli):
        supports = frozenset({"tokens"})

    elbo = torch.tensor(-7 * math.log(32))  # seven tokens of 5 bits
    assert Words((7, 40)).bits_per_dimension(elbo).item() == pytest.approx(5)


@pytest.mark.parametrize("family", [Normal, LaplaceLikelihood, ContinuousBernoulli])
def test_a_density_has_no_bits_per_dimension(family):
    assert family((6,)).bits_per_dimension(torch.tensor(-3.0)) is None
