"""Divergences of each q(z | x) from p(z) against integrals of their definitions."""

from functools import partial

import numpy as np
import ot
import pytest
import torch
from scipy.stats import norm, t
from torch.autograd import gradcheck
from torch.distributions import Independent, Normal, StudentT
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import (
    KL,
    Bhattacharyya,
    ChiSquared,
    Fisher,
    GaussianWasserstein,
    GeometricJensenShannon,
    Hellinger,
    Jeffreys,
    JensenShannon,
    Renyi,
    ReverseKL,
)

Z = np.linspace(-40, 40, 40_001)[:, None, None]
STEP = Z[1, 0, 0] - Z[0, 0, 0]

# Posteriors and priors of shape (B, D); all have s² < 2s₀², so that chi-squared is finite.
M = np.array([[0.3, -1.2, 1.0], [0.0, 0.7, -0.4]])
S = np.array([[0.9, 0.3, 1.2], [0.5, 1.0, 0.7]])
M0 = np.array([[0.0, 0.0, 0.0], [0.5, -0.5, 1.0]])
S0 = np.array([[1.0, 1.0, 1.0], [0.6, 0.9, 2.0]])


def normal(m, s, dtype=torch.double):
    m, s = torch.as_tensor(m, dtype=dtype), torch.as_tensor(s, dtype=dtype)
    return Independent(Normal(m, s), 1)


def divergence(regularizer, m=M, s=S, m0=M0, s0=S0):
    q = normal(m, s)
    return regularizer.divergence(q, normal(m0, s0), q.rsample())


def integral(values):
    """Sum over a grid, which is exact for densities that have fallen to nothing at its ends."""
    return values.sum(axis=0) * STEP


def log_densities(m, s, m0, s0):
    return norm.logpdf(Z, m, s), norm.logpdf(Z, m0, s0)


def kl(log_q, log_p):
    return integral(np.exp(log_q) * (log_q - log_p))


def affinity(log_q, log_p, alpha):
    """∫ q^α p^(1-α) dz."""
    return integral(np.exp(alpha * log_q + (1 - alpha) * log_p))


def geometric(log_q, log_p, a, dual):
    log_g = a * log_q + (1 - a) * log_p
    log_g = log_g - np.log(integral(np.exp(log_g)))
    pairs = [(log_g, log_q), (log_g, log_p)] if dual else [(log_q, log_g), (log_p, log_g)]
    return (1 - a) * kl(*pairs[0]) + a * kl(*pairs[1])


def fisher(log_q, log_p):
    scores = np.gradient(log_q - log_p, STEP, axis=0, edge_order=2)
    return integral(np.exp(log_q) * scores**2)


# What each sums over dimensions, and what it makes of the sum.
DEFINITIONS = {
    "kl": (KL(), kl, lambda x: x),
    "reverse kl": (ReverseKL(), lambda q, p: kl(p, q), lambda x: x),
    "jeffreys": (Jeffreys(), lambda q, p: kl(q, p) + kl(p, q), lambda x: x),
    "fisher": (Fisher(), fisher, lambda x: x),
    "bhattacharyya": (
        Bhattacharyya(),
        lambda q, p: -np.log(affinity(q, p, 0.5)),
        lambda x: x,
    ),
    "hellinger": (
        Hellinger(),
        lambda q, p: np.log(affinity(q, p, 0.5)),
        lambda x: 1 - np.exp(x),
    ),
    "chi squared": (
        ChiSquared(),
        lambda q, p: np.log(affinity(q, p, 2.0)),
        lambda x: np.exp(x) - 1,
    ),
}
for alpha in (0.1, 0.5, 0.999, 1.001, 1.5, 2.0):
    DEFINITIONS[f"renyi {alpha}"] = (
        Renyi(alpha=alpha),
        lambda q, p, alpha=alpha: np.log(affinity(q, p, alpha)) / (alpha - 1),
        lambda x: x,
    )
for skew in (0.1, 0.5, 0.8):
    for dual in (False, True):
        DEFINITIONS[f"geometric {skew} {dual}"] = (
            GeometricJensenShannon(skew=skew, dual=dual),
            partial(geometric, a=skew, dual=dual),
            lambda x: x,
        )
CLOSED = {name: regularizer for name, (regularizer, _, _) in DEFINITIONS.items()}
CLOSED["gaussian wasserstein"] = GaussianWasserstein()
ALL = {**CLOSED, "jensen shannon": JensenShannon()}


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("d", [1, 3])
def test_each_divergence_is_the_integral_of_its_definition(name, d):
    regularizer, factor, joint = DEFINITIONS[name]
    parts = [part[:, :d] for part in (M, S, M0, S0)]
    expected = joint(factor(*log_densities(*parts)).sum(axis=1)).mean()
    found = divergence(regularizer, *parts)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_squared_wasserstein_distance_of_normals_is_that_of_pot():
    pairs = zip(M, S, M0, S0, strict=True)
    expected = [
        ot.gaussian.bures_wasserstein_distance(m, m0, np.diag(s**2), np.diag(s0**2)) ** 2
        for m, s, m0, s0 in pairs
    ]
    assert divergence(GaussianWasserstein()).item() == pytest.approx(np.mean(expected))


def test_the_squared_wasserstein_distance_of_a_point_is_that_of_a_normal_of_no_width():
    z = torch.tensor(M)
    found = GaussianWasserstein().divergence(Delta(z), normal(M0, S0), z)
    assert_close(found, divergence(GaussianWasserstein(), s=1e-9 * S))


@pytest.mark.parametrize("name", ALL)
def test_each_divergence_is_zero_where_every_posterior_is_the_prior(name):
    assert abs(divergence(ALL[name], m0=M, s0=S)) < 1e-12


@pytest.mark.parametrize("name", CLOSED)
def test_the_gradient_of_each_divergence_is_that_of_finite_differences(name):
    parts = [torch.tensor(part).requires_grad_() for part in (M, S, M0, S0)]

    def value(m, s, m0, s0):
        return CLOSED[name].divergence(normal(m, s), normal(m0, s0), torch.tensor(M))

    assert gradcheck(value, parts)


@pytest.mark.parametrize("name", CLOSED)
def test_divergences_in_single_precision_have_five_digits(name):
    q, p = normal(M, S, torch.float32), normal(M0, S0, torch.float32)
    found = CLOSED[name].divergence(q, p, q.rsample())
    assert found.dtype == torch.float32
    assert_close(found.double(), divergence(CLOSED[name]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("regularizer", [ReverseKL(), Jeffreys()])
def test_the_reverse_kl_of_a_prior_without_a_closed_form_is_estimated_without_bias(regularizer):
    m, s, df = 0.4, 0.8, 9.0
    loc = torch.full((50_000, 1), 0.2, requires_grad=True)
    q, p = normal([[m]] * len(loc), s), Independent(StudentT(df, loc), 1)
    z = np.linspace(-60, 60, 100_001)
    log_q, log_p = norm.logpdf(z, m, s), t.logpdf(z, df, 0.2)

    def expected(shift):  # of both q and p, as seen from the other
        other = t.logpdf(z, df, 0.2 + shift)
        reverse = integral(np.exp(other) * (other - log_q)) * (z[1] - z[0]) / STEP
        forward = integral(np.exp(log_q) * (log_q - other)) * (z[1] - z[0]) / STEP
        return reverse + (forward if isinstance(regularizer, Jeffreys) else 0.0)

    assert np.isfinite(log_p).all()
    found = regularizer.divergence(q, p, q.rsample())
    found.backward()
    assert found.item() == pytest.approx(expected(0.0), rel=0.05)
    slope = (expected(1e-4) - expected(-1e-4)) / 2e-4
    assert loc.grad.sum().item() == pytest.approx(slope, rel=0.1)


@pytest.fixture
def pairs():
    """Posteriors of N(0, I), in two dimensions, of a batch of one each."""
    m, log_s = torch.randn(2, 500, 1, 2, dtype=torch.double)
    s = (log_s / 2).exp().clamp(max=1.4)  # chi-squared is finite
    return [
        (a.numpy(), b.numpy(), np.zeros((1, 2)), np.ones((1, 2))) for a, b in zip(m, s, strict=True)
    ]


def test_from_a_standard_normal_squared_wasserstein_is_below_twice_the_kl_below_fisher(pairs):
    for pair in pairs:
        w, kl, fisher = (divergence(r, *pair) for r in (GaussianWasserstein(), KL(), Fisher()))
        assert 0 < w < 2 * kl < fisher


def test_the_kl_is_between_renyi_divergences_and_below_the_log_of_one_plus_chi_squared(pairs):
    for pair in pairs:
        orders = [divergence(Renyi(alpha=alpha), *pair) for alpha in (0.2, 0.7, 1.0, 1.3, 2.0)]
        assert orders == sorted(orders)
        assert orders[2] < divergence(ChiSquared(), *pair).log1p() + 1e-12
        assert orders[4] == pytest.approx(divergence(ChiSquared(), *pair).log1p().item())


def test_pinsker_and_hellinger_bound_the_total_variation(pairs):
    for m, s, m0, s0 in pairs[:50]:
        parts = [part[:, :1] for part in (m, s, m0, s0)]
        log_q, log_p = log_densities(*parts)
        total_variation = integral(np.abs(np.exp(log_q) - np.exp(log_p))).item() / 2
        assert total_variation <= (divergence(KL(), *parts) / 2).sqrt()
        squared = divergence(Hellinger(), *parts)
        assert squared <= total_variation <= (2 * squared).sqrt()


def test_close_to_the_prior_each_divergence_has_a_scale_of_its_own():
    e = 1e-4
    near = [np.zeros((1, 1)), np.full((1, 1), 1 + e), np.zeros((1, 1)), np.ones((1, 1))]
    of = {KL(): 1, ReverseKL(): 1, Jeffreys(): 2, GaussianWasserstein(): 1, Fisher(): 4}
    of |= {Bhattacharyya(): 1 / 4, Hellinger(): 1 / 4, ChiSquared(): 2, Renyi(alpha=0.7): 0.7}
    for regularizer, factor in of.items():
        assert divergence(regularizer, *near).item() == pytest.approx(factor * e**2, rel=1e-3)


@pytest.mark.parametrize("dual", [False, True])
def test_the_ends_of_the_skew_are_the_kl_and_its_reverse(dual):
    ends = [ReverseKL(), KL()] if dual else [KL(), ReverseKL()]
    for end, near, expected in ((0.0, 1e-9, ends[0]), (1.0, 1 - 1e-9, ends[1])):
        for skew in (end, near):
            found = divergence(GeometricJensenShannon(skew=skew, dual=dual))
            assert_close(found, divergence(expected), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dual", [False, True])
def test_exchanging_the_normals_turns_the_skew_around(dual):
    one = divergence(GeometricJensenShannon(skew=0.3, dual=dual))
    other = divergence(GeometricJensenShannon(skew=0.7, dual=dual), M0, S0, M, S)
    assert_close(one, other)
    assert (one - divergence(GeometricJensenShannon(skew=0.7, dual=dual))).abs() > 1e-2
