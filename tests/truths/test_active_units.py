"""Active units against linear VAEs at their optimum, and against numpy.

Lucas et al., Don't Blame the ELBO!, 2019: with fixed variance σ² and weight β the optimum keeps the
components whose eigenvalues λ exceed θ = βσ², with Var_x E[z | x] = 1 - θ / λ and s² = θ / λ.
"""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from vae_zoo.data import LinearGaussian
from vae_zoo.evaluation import ActiveUnits, AggregatePosterior, active_units
from vae_zoo.evaluation.active_units import RESAMPLES
from vae_zoo.evaluation.noise import example_keys, fix_noise
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic, FlowPosterior, FullNormal
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

DIGITS = torch.tensor(load_digits().data / 16, dtype=torch.float32)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def measured(metric, vae, x):
    metric.update(vae, x)
    return metric.compute()


def linear_vae(x_dim, latent_dim, **parts):
    affine = partial(MLP, hidden=())
    options = {"regularizer": KL(), "encoder": affine, "decoder": affine, **parts}
    return VAE((x_dim,), latent_dim, **options)


def at_its_optimum(mean, covariance, latent_dim, theta):
    """A linear VAE whose encoder is that of reverse water-filling at θ."""
    eigenvalues, axes = torch.linalg.eigh(covariance)
    eigenvalues, axes = eigenvalues.flip(0)[:latent_dim], axes.flip(1)[:, :latent_dim]
    share = (1 - theta / eigenvalues).clamp(min=0)  # of the prior's variance
    weight = (share / eigenvalues).sqrt()[:, None] * axes.T
    vae = linear_vae(len(mean), latent_dim)
    [encoder] = vae.encoder.layers
    encoder.weight.copy_(torch.cat([weight, torch.zeros_like(weight)]))
    scale = (1 - share).sqrt() - 1e-4  # the posterior's floor
    encoder.bias.copy_(torch.cat([-weight @ mean, scale.expm1().log()]))
    return vae


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize(("theta", "expected"), [(0.33, 4), (0.1, 12), (6.0, 0)])
def test_active_units_of_digits_are_the_eigenvalues_above_beta_times_the_variance(
    beta, theta, expected
):
    mean, covariance = DIGITS.double().mean(0), torch.cov(DIGITS.double().T, correction=0)
    eigenvalues = torch.linalg.eigvalsh(covariance)
    variance = theta / beta
    kept = eigenvalues[eigenvalues > beta * variance]
    assert len(kept) == expected
    vae = at_its_optimum(mean, covariance, 20, beta * variance)
    found = measured(ActiveUnits(), vae, DIGITS)["active_units"]
    assert found == (expected, 0.0)
    # It is the optimum: its rate is that of the water-filling.
    scores = measured(AggregatePosterior(codes=2), vae, DIGITS)
    rate = sum(scores[f"kl_of_dimension/{d}"].value for d in range(20))
    assert rate == pytest.approx((kept / theta).log().sum().item() / 2, abs=1e-4)


@pytest.mark.parametrize(("beta", "variance"), [(1.0, 0.1), (1.0, 0.3), (4.0, 0.6), (1.0, 9.0)])
def test_active_units_of_normal_data_are_those_of_the_water_filling(beta, variance):
    data = LinearGaussian()
    x = data.draw(4000, torch.Generator().manual_seed(2)).x
    vae = at_its_optimum(data.mu, data.covariance, 5, beta * variance)
    expected = data.water_filling(5, beta, variance).active_units
    assert expected == {0.1: 5, 0.3: 3, 2.4: 2, 9.0: 0}[beta * variance]
    assert measured(ActiveUnits(), vae, x)["active_units"].value == expected


@pytest.mark.parametrize("family", [None, FullNormal, FlowPosterior, Deterministic])
def test_units_are_those_of_the_codes_that_stand_for_the_posteriors(family):
    parts = {"posterior": family, "regularizer": MMD()} if family else {}
    vae, x = linear_vae(6, 4, **parts), torch.randn(50, 6)
    codes = vae.posterior.point(vae.encode(x, x[:, :0])).double().numpy()
    variances = codes.var(axis=0, ddof=1)
    for threshold in sorted([*variances * 0.999, *variances * 1.001]):
        found = measured(ActiveUnits(threshold=threshold), vae, x)["active_units"].value
        assert found == (variances > threshold).sum()


@pytest.mark.parametrize("shift", [0.0, 1e8])
def test_resamples_count_examples_as_often_as_they_were_drawn(shift):
    codes = np.random.default_rng(0).normal(size=(9, 6)) * np.linspace(0.1, 1, 6)
    codes = np.round(codes, 4) + shift
    times = np.random.default_rng(1).multinomial(9, np.full(9, 1 / 9), size=20)
    found = active_units(torch.from_numpy(codes), 0.25, torch.from_numpy(times))
    repeated = [np.repeat(codes, count, axis=0).var(axis=0, ddof=1) for count in times]
    assert found.tolist() == [(variances > 0.25).sum() for variances in repeated]
    assert len(set(found.tolist())) > 1


def test_the_standard_error_is_that_of_other_examples():
    deviations = torch.linspace(0.07, 0.14, 40)  # about the threshold of 0.1

    def codes():
        return torch.randn(300, 40) * deviations

    spread = np.std([active_units(codes()).item() for _ in range(300)], ddof=1)
    errors = []
    for seed in range(10):
        fix_noise(seed)
        drawn = torch.randint(300, (RESAMPLES, 300))
        times = torch.stack([row.bincount(minlength=300) for row in drawn])
        errors.append(active_units(codes(), times=times).double().std().item())
    assert spread / 1.3 < np.mean(errors) < 1.3 * spread
    vae = linear_vae(40, 40, posterior=Deterministic, regularizer=MMD())
    [encoder] = vae.encoder.layers
    encoder.weight.copy_(torch.eye(40))
    found = measured(ActiveUnits(), vae, codes())["active_units"]
    assert spread / 1.5 < found.standard_error < 1.5 * spread


@pytest.mark.parametrize("seed", [0, 3])
def test_the_bootstrap_follows_the_seed_and_the_threshold(seed):
    vae, n, threshold = linear_vae(8, 8, posterior=Deterministic, regularizer=MMD()), 30, 0.09
    [encoder] = vae.encoder.layers
    encoder.weight.copy_(0.3 * torch.eye(8))  # variances about the threshold
    x = torch.randn(n, 8)
    found = measured(ActiveUnits(threshold=threshold, seed=seed), vae, x)["active_units"]
    codes = vae.encode(x[example_keys(x).argsort()], x[:, :0]).mean.double().numpy()
    fix_noise(seed)
    drawn = torch.randint(n, (RESAMPLES, n)).numpy()
    counts = [(codes[rows].var(axis=0, ddof=1) > threshold).sum() for rows in drawn]
    assert found.standard_error == pytest.approx(np.std(counts, ddof=1))
    assert found.standard_error > 0.5
