"""The yardsticks against their definitions by loops, and shifted normals of known divergences."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from ot import sliced_wasserstein_distance
from scipy.integrate import quad
from torch.distributions import Distribution
from torch.nn.functional import normalize
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import Yardsticks
from vae_zoo.evaluation.noise import example_keys, fix_noise, sample_prior
from vae_zoo.evaluation.yardsticks import SCALES, jackknifed
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import (
    ConditionalNormal,
    LearnedNormal,
    MixtureOfNormals,
    StandardNormal,
    StudentT,
)
from vae_zoo.priors.base import Prior
from vae_zoo.regularizers import MMD
from vae_zoo.vae import VAE

NAMES = ["mmd", "sliced_wasserstein", "stein_discrepancy"]


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def make_vae(d, **parts):
    affine = partial(MLP, hidden=())
    return VAE((4,), d, MMD(), encoder=affine, decoder=affine, **parts)


def ignoring_the_example(mean, scale=1.0, **parts):
    """A VAE with the posterior N(mean, scale² I) of whatever example."""
    d = len(mean)
    vae = make_vae(d, **parts)
    [encoder] = vae.encoder.layers
    encoder.weight.zero_()
    floor = torch.full((d,), scale - 1e-4)
    encoder.bias.copy_(torch.cat([torch.as_tensor(mean), floor.expm1().log()]))
    return vae


def measured(vae, n, **options):
    metric = Yardsticks(**options)
    metric.update(vae, torch.rand(n, 4))
    return metric.compute()


def mmd_by_loops(x, y):
    """The mean of k(x, x') + k(y, y') - 2 k(x, y') over i ≠ j and the seven widths."""
    n, d = x.shape
    widths = 2 * d * np.array([0.1, 0.2, 0.5, 1, 2, 5, 10])

    def kernel(a, b):
        return np.mean(widths / (widths + ((a - b) ** 2).sum()))

    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    terms = [kernel(x[i], x[j]) + kernel(y[i], y[j]) - 2 * kernel(x[i], y[j]) for i, j in pairs]
    return np.mean(terms)


def stein_by_loops(x, score):
    """The mean of s·s' k + s·∇'k + s'·∇k + tr ∇∇'k over i ≠ j, with k = (1 + r² / C)^(-1/2)."""
    n, d = x.shape
    width, total = 2 * d, 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                difference = x[i] - x[j]
                base = 1 + difference @ difference / width
                k, by_x = base**-0.5, -(base**-1.5) * difference / width
                trace = d * base**-1.5 / width
                trace -= 3 * base**-2.5 * difference @ difference / width**2
                total += score[i] @ score[j] * k + (score[j] - score[i]) @ by_x + trace
    return total / (n * (n - 1))


def sliced_by_sorting(x, y, along):
    gaps = np.sort(x @ along.T, axis=0) - np.sort(y @ along.T, axis=0)
    return np.mean(gaps**2)


def by_loops(z, y, along, score):
    return [mmd_by_loops(z, y), sliced_by_sorting(z, y, along), stein_by_loops(z, score)]


@pytest.mark.parametrize("prior", [StandardNormal, LearnedNormal])
def test_values_and_errors_are_those_of_loops_with_and_without_each_group(prior):
    vae, x, seed = make_vae(3, posterior=Deterministic, prior=prior), torch.rand(23, 4), 5
    if prior is LearnedNormal:
        vae.prior.loc.copy_(torch.tensor([0.5, 0.0, -1.0]))
        vae.prior.log_scale.copy_(torch.tensor([0.3, 0.0, -0.4]))
    metric = Yardsticks(projections=7, seed=seed)
    metric.update(vae, x)
    found = metric.compute()
    ordered = x[example_keys(x).argsort()]
    z = vae.encode(ordered, x[:, :0]).mean.double().numpy()
    y = sample_prior(vae, x[:, :0], seed).double().numpy()
    fix_noise(seed, 1)
    along = normalize(torch.randn(7, 3), dim=1).double().numpy()
    p = vae.prior(x[:, :0])
    loc, scale = p.base_dist.loc.double().numpy(), p.base_dist.scale.double().numpy()
    score = -(z - loc) / scale**2
    assert list(found) == NAMES
    without = []
    for group in range(10):
        kept = np.arange(23) % 10 != group
        without.append(by_loops(z[kept], y[kept], along, score[kept]))
    errors = 3 * np.std(without, axis=0)
    expected = by_loops(z, y, along, score)
    for name, value, error in zip(NAMES, expected, errors, strict=True):
        assert found[name].value == pytest.approx(value, rel=1e-5, abs=1e-7), name
        assert found[name].standard_error == pytest.approx(error, rel=1e-5), name


def test_the_sliced_distance_is_the_square_of_pots():
    z, y = torch.randn(60, 3).double(), torch.randn(60, 3).double() + 0.5
    along = normalize(torch.randn(9, 3).double(), dim=1)
    found = jackknifed(z, y, along, None)
    assert list(found) == NAMES[:2]
    expected = sliced_wasserstein_distance(z, y, projections=along.T, p=2) ** 2
    assert found["sliced_wasserstein"].value == pytest.approx(expected.item())


@pytest.mark.parametrize("d", [1, 3])
def test_where_the_posterior_is_the_prior_unbiased_yardsticks_are_zero(d):
    vae = ignoring_the_example([0.0] * d)
    found = measured(vae, 400)
    for name in ("mmd", "stein_discrepancy"):
        assert abs(found[name].value) < 3 * found[name].standard_error
        assert found[name].standard_error < 0.03
    # That of samples falls to zero from above, about as 1 / n.
    few = measured(vae, 40)["sliced_wasserstein"].value
    assert few / 30 < found["sliced_wasserstein"].value < few / 4


def mmd_of_a_shift(length, d):
    """MMD² of N(m, I) and N(0, I): C / (C + r²) is the integral of exp(-t) exp(-t r² / C)."""

    def integrand(t, width):
        c = width / t
        return math.exp(-t) * 2 * (c / (c + 4)) ** (d / 2) * -math.expm1(-(length**2) / (c + 4))

    values = [quad(integrand, 0, math.inf, args=(2 * d * scale,))[0] for scale in SCALES]
    return np.mean(values)


def stein_of_a_shift(length, d):
    """KSD² of N(m, I) from N(0, I): |m|² E k, since s_p - s_q = -m everywhere.

    (1 + r² / C)^(-1/2) is the integral of exp(-t² - t² r² / C) 2 / √π, and r² of two samples that
    of N(0, 2I).
    """
    mean = quad(lambda t: math.exp(-(t**2)) * (1 + 2 * t**2 / d) ** (-d / 2), 0, math.inf)[0]
    return length**2 * mean * 2 / math.sqrt(math.pi)


@pytest.mark.parametrize("mean", [[0.7], [0.5, -0.5, 0.5, 0.5]])
def test_a_shift_of_the_prior_costs_what_closed_forms_say(mean):
    d, length = len(mean), np.linalg.norm(mean)
    found = measured(ignoring_the_example(mean), 500)
    expected = {
        "mmd": mmd_of_a_shift(length, d),
        "sliced_wasserstein": length**2 / d,
        "stein_discrepancy": stein_of_a_shift(length, d),
    }
    for name, value in expected.items():
        assert abs(found[name].value - value) < 3 * found[name].standard_error, name
        assert found[name].standard_error < value / 2


def test_standard_errors_are_those_of_other_codes_and_samples():
    n, d = 60, 3
    along = normalize(torch.randn(50, d).double(), dim=1)
    for shift, most in ((0.6, 1.5), (0.0, 1.9)):  # at q(z) = p they are too large, by half
        values, squares = [], []
        for _ in range(60):
            z, y = torch.randn(n, d).double() + shift, torch.randn(n, d).double()
            found = jackknifed(z, y, along, -z)
            values.append([score.value for score in found.values()])
            squares.append([score.standard_error**2 for score in found.values()])
        ratios = np.sqrt(np.mean(squares, axis=0)) / np.std(values, axis=0, ddof=1)
        assert (ratios > 1 / 1.5).all()
        assert (ratios < most).all()


def test_codes_are_measured_against_the_conditional_prior_of_their_own_condition():
    vae = make_vae(2, condition=OneHot, classes=2, prior=ConditionalNormal)
    means = torch.tensor([[-3.0, 3.0], [1.0, -1.0]])  # of each label, (D, classes)
    vae.prior.affine.weight[:2] = means
    [encoder] = vae.encoder.layers
    encoder.weight.zero_()
    encoder.weight[:2, 4:] = means
    encoder.bias[:2] = 0
    encoder.bias[2:] = math.log(math.expm1(1 - 1e-4))
    x, y = torch.rand(300, 4), torch.arange(300) % 2

    def scores(y):
        metric = Yardsticks()
        metric.update(vae, x, y)
        return metric.compute()

    found = scores(y)
    for name in ("mmd", "stein_discrepancy"):
        assert abs(found[name].value) < 3 * found[name].standard_error
    assert found["sliced_wasserstein"].value < 0.2
    vae.prior.affine.weight[:2] = means.flip(1)  # each label has the prior of the other
    wrong = scores(y)
    assert wrong["stein_discrepancy"].value > 10 * wrong["stein_discrepancy"].standard_error
    vae.prior.affine.weight.zero_()  # and now that of neither
    assert scores(y)["mmd"].value > 10 * found["mmd"].standard_error


@pytest.mark.parametrize("prior", [MixtureOfNormals, StudentT])
def test_other_priors_are_measured_by_their_own_samples_and_scores(prior):
    """A VAE with the prior's own samples for codes, as near as the encoder's points."""
    vae = make_vae(2, posterior=Deterministic, prior=prior)
    p = vae.prior(torch.zeros(1, 0))
    [encoder] = vae.encoder.layers
    encoder.weight.copy_(torch.eye(2, 4))
    encoder.bias.zero_()
    metric = Yardsticks(seed=1)
    metric.update(vae, torch.cat([p.sample((300,)), torch.rand(300, 2)], dim=1))
    found = metric.compute()
    for name in ("mmd", "stein_discrepancy"):
        assert abs(found[name].value) < 3.5 * found[name].standard_error
    encoder.weight.mul_(2)
    metric.reset()
    metric.update(vae, torch.cat([p.sample((300,)), torch.rand(300, 2)], dim=1))
    wider = metric.compute()
    for name in NAMES:
        assert wider[name].value > 4 * abs(found[name].value)


class Uniform(Prior):
    """Samples without a density."""

    def forward(self, c):
        return WithoutDensity(torch.Size(), torch.Size([self.latent_dim]), validate_args=False)


class WithoutDensity(Distribution):
    has_rsample = True

    def expand(self, batch_shape, _instance=None):
        return WithoutDensity(torch.Size(batch_shape), self.event_shape, validate_args=False)

    def rsample(self, sample_shape=()):
        return torch.rand(*sample_shape, *self.batch_shape, *self.event_shape)


def test_a_prior_without_a_density_has_no_stein_discrepancy():
    vae = make_vae(2, posterior=Deterministic, prior=Uniform)
    assert list(measured(vae, 30)) == NAMES[:2]


def test_codes_far_from_the_origin_cost_no_digits():
    z = (1e3 + torch.randn(300, 2)).double()
    found = jackknifed(z, z.flip(0), torch.eye(2).double(), 1e3 - z)
    assert found["sliced_wasserstein"].value == pytest.approx(0, abs=1e-20)
    near = jackknifed(z - 1e3, z.flip(0) - 1e3, torch.eye(2).double(), 1e3 - z)
    assert_close(
        [score.value for score in found.values()],
        [score.value for score in near.values()],
        rtol=1e-6,
        atol=1e-9,
    )
