"""Metrics of the aggregate posterior: on what they depend, and what they leave out or refuse."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import (
    ActiveUnits,
    AggregatePosterior,
    Yardsticks,
    aggregate,
    log_aggregate,
)
from vae_zoo.evaluation.noise import example_keys, fix_noise, sample_prior
from vae_zoo.posteriors import Deterministic, FlowPosterior, FullNormal
from vae_zoo.priors import (
    ConditionalNormal,
    Flow,
    Laplace,
    LearnedNormal,
    MixtureOfNormals,
    StudentT,
    VampPrior,
)
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

N, D = 37, 3
X = torch.rand(N, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 3
METRICS = [AggregatePosterior, ActiveUnits, Yardsticks]
INFORMATION = ["mutual_information"]
SURGERY = [*INFORMATION, "aggregate_kl", "surgery_rate"]
OF_DIMENSIONS = [f"kl_of_dimension/{d}" for d in range(D)]
ALL = [*SURGERY, "total_correlation", "dimension_wise_kl", "prior_log_ratio", *OF_DIMENSIONS]


def make_vae(regularizer=None, latent_dim=D, **parts):
    """A VAE whose codes differ from one another as much as those of a trained one."""
    torch.manual_seed(0)
    vae = VAE((6,), latent_dim, regularizer or KL(), **parts)
    with torch.no_grad():
        for parameter in vae.encoder.parameters():
            parameter.mul_(2)
    return vae


def conditional_vae(regularizer=None, **parts):
    return make_vae(regularizer, condition=OneHot, classes=3, **parts)


def measured(metric, vae, order=None, size=N):
    order = torch.arange(N) if order is None else order
    for part in order.split(size):
        metric.update(vae, X[part], Y[part])
    return metric.compute()


def assert_equal(found, expected, rel=1e-5):
    assert list(found) == list(expected)
    for name, score in expected.items():
        for one, other in zip(found[name], score, strict=True):
            assert one == pytest.approx(other, rel=rel, abs=1e-6), name


@pytest.mark.parametrize("prior", [LearnedNormal, ConditionalNormal])
@pytest.mark.parametrize("family", METRICS)
def test_neither_the_size_of_the_batches_nor_their_order_changes_a_number(family, prior):
    vae = conditional_vae(prior=prior)
    expected = measured(family(seed=2), vae)
    for size in (1, 5, N - 1):
        found = measured(family(seed=2), vae, torch.randperm(N), size)
        assert_equal(found, expected)


@pytest.mark.parametrize("family", METRICS)
def test_two_devices_find_what_one_finds(family):
    vae = conditional_vae()
    expected = measured(family(), vae)
    halves = [family(), family()]
    halves[0].update(vae, X[:11], Y[:11])
    halves[1].update(vae, X[11:], Y[11:])
    for name in ("keys", *family.rows):  # as torchmetrics puts the states of all devices together
        setattr(halves[0], name, [*getattr(halves[1], name), *getattr(halves[0], name)])
    assert_equal(halves[0].compute(), expected)


@pytest.mark.parametrize("family", METRICS)
def test_the_seed_decides_the_noise(family):
    vae = conditional_vae()
    first, again, other = (measured(family(seed=seed), vae) for seed in (0, 0, 1))
    assert first == again
    if family is ActiveUnits:
        return
    for name in first.keys() - set(OF_DIMENSIONS):  # those have a closed form
        assert first[name].value != other[name].value


@pytest.mark.parametrize("family", METRICS)
def test_noise_of_the_process_and_mode_of_the_model_are_left_as_they_were(family):
    vae = conditional_vae().train()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measured(family(), vae)
    assert torch.equal(torch.rand(1), expected)
    assert vae.training


@pytest.mark.parametrize("family", METRICS)
def test_a_metric_begins_anew_after_a_reset(family):
    vae, metric = conditional_vae(), family()
    first = measured(metric, vae)
    metric.reset()
    assert measured(metric, vae) == first


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({}, ALL),
        ({"prior": LearnedNormal}, ALL),
        ({"prior": Laplace}, ALL),
        ({"prior": StudentT}, ALL),
        ({"posterior": FullNormal}, ALL[:6]),
        ({"posterior": FlowPosterior}, [*SURGERY, "prior_log_ratio"]),
        ({"prior": MixtureOfNormals}, [*ALL[:4], "prior_log_ratio"]),
        ({"prior": Flow}, [*ALL[:4], "prior_log_ratio"]),
        ({"prior": VampPrior}, [*INFORMATION, "total_correlation"]),  # of each condition another
        ({"prior": ConditionalNormal}, [*INFORMATION, "total_correlation", *OF_DIMENSIONS]),
        (
            {"prior": ConditionalNormal, "posterior": FullNormal},
            [*INFORMATION, "total_correlation"],
        ),
    ],
)
def test_what_is_not_defined_is_absent(parts, names):
    found = measured(AggregatePosterior(), conditional_vae(**parts))
    assert list(found) == names
    assert all(math.isfinite(score.value) for score in found.values())
    assert all(score.standard_error > 0 for score in found.values())


@torch.no_grad()
def test_codes_and_samples_of_the_prior_follow_key_and_seed_and_groups_leave_out_every_tenth():
    vae, seed, m = make_vae(), 4, 12
    vae.encoder.layers[-1].bias[:D] = 0.5
    found = measured(AggregatePosterior(codes=m, seed=seed), vae)
    keys = example_keys(X, Y)
    order = keys.argsort()
    q = vae.encode(X[order], vae.condition(Y))
    z = []
    for example, key in zip(X[order][:m].split(1), keys[order][:m].tolist(), strict=True):
        fix_noise(seed, key)
        z.append(vae.encode(example, vae.condition(None)[:, :0]).sample((1,))[0])
    codes = torch.cat(z)
    own = vae.encode(X[order][:m], vae.condition(Y)).log_prob(codes)
    information = own - log_aggregate(q, codes)
    assert found["mutual_information"].value == pytest.approx(information.mean().item(), abs=1e-5)
    y = sample_prior(vae, torch.zeros(m, 0), seed)
    log_prior = vae.prior(y).log_prob(y)

    def holes(encoders, samples):
        q = vae.encode(X[order][encoders], vae.condition(Y))
        return (log_prior[samples] - log_aggregate(q, y[samples])).mean().item()

    assert found["prior_log_ratio"].value == pytest.approx(
        holes(torch.arange(N), torch.arange(m)), abs=1e-5
    )
    without = [holes(torch.arange(N) % 10 != g, torch.arange(m) % 10 != g) for g in range(10)]
    error = 3 * np.std(without)
    assert found["prior_log_ratio"].standard_error == pytest.approx(error, rel=1e-4)


def test_a_vamp_prior_without_a_condition_is_one_prior():
    found = measured(AggregatePosterior(), make_vae(prior=VampPrior))
    assert list(found) == [*ALL[:4], "prior_log_ratio"]


def test_divergences_of_the_dimensions_add_up_to_the_rate():
    for prior in (LearnedNormal, ConditionalNormal):
        vae = conditional_vae(prior=prior)
        with torch.no_grad():
            for parameter in vae.prior.parameters():
                parameter.copy_(0.5 * torch.randn_like(parameter))
            c = vae.condition(Y)
            rate = kl_divergence(vae.encode(X, c), vae.prior(c).expand((N,))).mean().item()
        found = measured(AggregatePosterior(codes=5), vae)
        total = sum(found[name].value for name in OF_DIMENSIONS)
        assert total == pytest.approx(rate, rel=1e-5)


def test_a_part_of_the_examples_is_the_first_by_their_keys_and_the_setting_says_how_many():
    vae = make_vae()
    metric = AggregatePosterior(codes=9)
    assert metric.setting == {"codes": 9}
    whole, part = measured(AggregatePosterior(codes=N), vae), measured(metric, vae)
    assert metric.setting == {"encoders": N, "codes": 9, "ceiling": math.log(N)}
    assert part["mutual_information"].standard_error > whole["mutual_information"].standard_error
    assert part["kl_of_dimension/0"] == whole["kl_of_dimension/0"]
    first = example_keys(X, Y).argsort()[:9]
    alone, again = Yardsticks(), Yardsticks(codes=9)
    alone.update(vae, X[first], Y[first])
    assert_equal(measured(again, vae), alone.compute())
    assert again.setting["codes"] == alone.setting["codes"] == 9


@torch.no_grad()
def test_of_few_examples_there_are_several_codes_each_so_that_the_sum_is_close_to_the_rate():
    vae, metric = make_vae(), AggregatePosterior(codes=100 * N + 1)
    found = measured(metric, vae)
    assert metric.setting["codes"] == 100 * N
    q, p = vae.encode(X, vae.condition(Y)), vae.prior(X)
    rates = kl_divergence(q, p.expand((N,)))
    z = q.sample((100,))
    noise = (q.log_prob(z) - p.log_prob(z)).std(0).square().sum().sqrt().item() / N / 10
    assert abs(found["surgery_rate"].value - rates.mean().item()) < 3 * noise
    error = math.hypot(rates.std().item() / math.sqrt(N), noise)
    assert found["surgery_rate"].standard_error == pytest.approx(error, rel=0.1)
    y = sample_prior(vae, torch.zeros(100 * N, 0), 0)
    holes = (p.log_prob(y) - log_aggregate(q, y)).mean().item()
    assert found["prior_log_ratio"].value == pytest.approx(holes, rel=1e-5)


def test_settings_say_what_the_numbers_were_made_with():
    assert ActiveUnits(threshold=0.02).setting == {"threshold": 0.02, "resamples": 200}
    assert Yardsticks(projections=7).setting == {
        "codes": 2000,
        "projections": 7,
        "kernel": "imq",
        "mmd_widths": "2D × 0.1, 0.2, 0.5, 1, 2, 5, 10",
        "stein_width": "2D",
    }


def test_posteriors_of_flows_are_asked_for_fewer_pairs(monkeypatch):
    monkeypatch.setattr(aggregate, "PAIRS", 5 * N + 1)
    for family, codes in ((FlowPosterior, 5), (FullNormal, 2000 // N * N)):
        metric = AggregatePosterior()
        measured(metric, make_vae(posterior=family))
        assert metric.setting["codes"] == codes
    monkeypatch.setattr(aggregate, "PAIRS", 1)
    found = measured(metric := AggregatePosterior(), make_vae(posterior=FlowPosterior))
    assert metric.setting["codes"] == 2
    assert found["mutual_information"].standard_error > 0


def test_one_example_tells_nothing_and_has_no_standard_error():
    metric = AggregatePosterior()
    metric.update(make_vae(), X[:1])
    found = metric.compute()
    assert found["mutual_information"].value == pytest.approx(0, abs=1e-12)
    assert all(score.standard_error is None for score in found.values())


def test_a_deterministic_posterior_has_yardsticks_and_active_units_alone():
    vae = make_vae(MMD(), posterior=Deterministic)
    assert measured(ActiveUnits(), vae)["active_units"].value > 0
    assert list(measured(Yardsticks(), vae)) == ["mmd", "sliced_wasserstein", "stein_discrepancy"]
    with pytest.raises(ValueError, match=r"AggregatePosterior needs the density of q\(z \| x\)"):
        measured(AggregatePosterior(), vae)


@pytest.mark.parametrize("family", METRICS)
def test_a_regression_has_no_codes(family):
    message = f"{family.__name__} measures codes, and a model of latent_dim 0 has none"
    with pytest.raises(ValueError, match=message):
        measured(family(), conditional_vae(latent_dim=0))


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="codes must be at least 1, got 0"):
        AggregatePosterior(codes=0)
    with pytest.raises(ValueError, match="codes must be at least 3, got 2"):
        Yardsticks(codes=2)
    with pytest.raises(ValueError, match="projections must be at least 1, got 0"):
        Yardsticks(projections=0)
    with pytest.raises(ValueError, match="threshold must be positive and finite, got 0"):
        ActiveUnits(threshold=0)
    for family in METRICS:
        with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
            family(seed=-1)
    yardsticks, units = Yardsticks(), ActiveUnits()
    yardsticks.update(make_vae(), X[:2])
    with pytest.raises(ValueError, match="Yardsticks needs at least 3 examples, got 2"):
        yardsticks.compute()
    units.update(make_vae(), X[:1])
    with pytest.raises(ValueError, match="ActiveUnits needs at least 2 examples, got 1"):
        units.compute()


@pytest.mark.parametrize("posterior", [FullNormal, FlowPosterior])
def test_a_model_in_double_precision_is_measured_too(posterior):
    vae = make_vae(posterior=posterior).double()
    for family in METRICS:
        metric = family()
        metric.update(vae, X.double())
        assert all(math.isfinite(score.value) for score in metric.compute().values())


def test_of_examples_that_are_alike_the_sum_of_the_parts_is_their_rate():
    vae, metric = make_vae(), AggregatePosterior()
    x = X[:1].expand(2000, *X.shape[1:])
    metric.update(vae, x)
    score = metric.compute()["surgery_rate"]
    with torch.no_grad():
        q = vae.encode(X[:1], vae.condition(Y)[:1])
        rate = kl_divergence(q, vae.prior(X[:1]).expand((1,))).item()
    assert score.standard_error > 0
    assert abs(score.value - rate) < 4 * score.standard_error
