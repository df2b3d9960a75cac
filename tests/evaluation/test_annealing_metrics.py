"""Annealed importance sampling and the posterior gap, however examples come in."""

from functools import partial

import pytest
import torch

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import AnnealedChains, AnnealedImportanceSampling, PosteriorGap
from vae_zoo.evaluation.chains import FORWARD, PILOT, REVERSE, sigmoid_schedule
from vae_zoo.evaluation.noise import example_keys, sample_prior
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic, FlowPosterior, FullNormal
from vae_zoo.priors import ConditionalNormal
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

torch.manual_seed(0)
X, Y = torch.rand(23, 6).round(), torch.arange(23) % 3
GAPS = ["posterior_gap", "approximation_gap", "amortisation_gap"]
SHORT = {"chains": 2, "temperatures": 20, "simulated": 5}
BOTH = [partial(AnnealedImportanceSampling, **SHORT), partial(PosteriorGap, **SHORT, steps=10)]


def conditional_vae(regularizer=None, **parts):
    parts = {"decoder": partial(MLP, hidden=(8,)), "prior": ConditionalNormal} | parts
    return VAE((6,), 2, regularizer or KL(), condition=OneHot, classes=3, **parts)


def shown(metric, vae, *parts):
    for part in parts:
        metric.update(vae, X[part], Y[part])
    return metric


def close(found, expected):
    assert list(found) == list(expected)
    for name, score in expected.items():
        assert found[name] == pytest.approx(score, rel=1e-5), name


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("size", [1, 5, 22])
def test_batches_and_their_order_change_nothing(make, size):
    vae = conditional_vae()
    whole = shown(make(), vae, torch.arange(23)).compute()
    parts = torch.randperm(23).split(size)
    close(shown(make(), vae, *parts).compute(), whole)


@pytest.mark.parametrize("make", BOTH)
def test_two_devices_find_together_what_one_finds(make):
    vae, index = conditional_vae(), torch.arange(23)
    whole = shown(make(), vae, index).compute()
    one, other = shown(make(), vae, index[::2]), shown(make(), vae, index[1::2])
    for name in ("keys", *one.rows):
        setattr(one, name, [*getattr(one, name), *getattr(other, name)])
    close(one.compute(), whole)


@pytest.mark.parametrize("make", BOTH)
def test_the_chains_of_an_example_are_those_that_it_has_alone(make):
    vae = conditional_vae().double()
    metric = make(simulated=0)
    metric.update(vae, X.double(), Y)
    alone = []
    for i in range(23):
        single = make(simulated=0)
        single.update(vae, X[i : i + 1].double(), Y[i : i + 1])
        alone.append(single.compute()["ais"].value)
    assert metric.compute()["ais"].value == pytest.approx(sum(alone) / 23, rel=1e-9)


@pytest.mark.parametrize("make", BOTH)
def test_the_seed_decides_all_noise(make):
    vae = conditional_vae()
    first, again, other = (
        shown(make(seed=seed), vae, torch.arange(23)).compute() for seed in (0, 0, 1)
    )
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_runs_of_chains_and_examples_differ_in_their_noise():
    vae, x = conditional_vae().eval(), X[:1].expand(6, 6)
    path = {"chains": 8, "temperatures": 20, "leapfrogs": 1, "seed": 0}
    chains = AnnealedChains(vae, x, torch.eye(3)[:1].expand(6, 3), [*range(6)], **path)
    weights = chains.forward().log_weights
    assert weights.dtype == torch.double  # sums of many small numbers
    assert len(weights.flatten().unique()) == 48
    assert torch.equal(chains.forward().log_weights, weights)
    runs = PILOT, FORWARD, REVERSE
    starts = torch.stack([chains._starts(run) for run in runs])
    moves = torch.stack([next(chains._moves(run, starts[0])) for run in runs])
    chains.seed = 1
    others = chains._starts(FORWARD), next(chains._moves(FORWARD, starts[0]))
    drawn = torch.cat([*torch.cat([starts, moves], dim=2), torch.cat(others, dim=1)])
    assert len(drawn.flatten().unique()) == 4 * 48 * (2 + 3)


@pytest.mark.parametrize("make", BOTH)
def test_noise_of_the_process_mode_and_gradients_are_left_as_they_were(make):
    vae = conditional_vae().train()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    shown(make(), vae, torch.arange(4)).compute()
    assert torch.equal(torch.rand(1), expected)
    assert vae.training
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in vae.parameters())


@pytest.mark.parametrize("prior", [None, ConditionalNormal])
def test_a_deterministic_posterior_has_a_likelihood_and_no_gap(prior):
    parts = {"prior": prior} if prior else {}
    vae = conditional_vae(MMD(), posterior=Deterministic, **parts)
    found = shown(BOTH[0](), vae, torch.arange(23)).compute()
    assert [*found] == ["ais", "bdmc_gap"]
    assert -20 < found["ais"].value < 0
    with pytest.raises(
        ValueError, match="a Deterministic posterior lacks: use AnnealedImportanceS"
    ):
        shown(BOTH[1](), vae, torch.arange(23))


@pytest.mark.parametrize("posterior", [FullNormal, FlowPosterior])
def test_other_posteriors_have_a_gap(posterior):
    found = shown(BOTH[1](), conditional_vae(posterior=posterior), torch.arange(23)).compute()
    assert [*found] == ["ais", *GAPS, "bdmc_gap"]


def test_a_regression_has_neither():
    vae = VAE((6,), 0, KL(), condition=OneHot, classes=3)
    for make in BOTH:
        assert shown(make(), vae, torch.arange(23)).compute() == {}


def test_as_many_examples_are_simulated_as_were_asked_for():
    """More than there are conditions, and in several batches; none without noise of its own."""
    vae = VAE((6,), 2, KL(), decoder=partial(MLP, hidden=(8,)))
    metric = AnnealedImportanceSampling(chains=1, temperatures=5, simulated=120)
    metric.update(vae, X[:1])
    gaps = metric._gaps
    kept = []
    metric._gaps = lambda c: kept.append(gaps(c)) or kept[0]
    score = metric.compute()["bdmc_gap"]
    assert len(kept[0].unique()) == 120
    assert score.value == pytest.approx(kept[0].mean().item())
    assert score.standard_error == pytest.approx((kept[0].std() / 120**0.5).item())


def test_the_gap_is_of_samples_of_the_model_under_the_conditions_of_the_examples():
    vae = conditional_vae().double().eval()
    torch.nn.init.normal_(vae.prior.affine.weight)
    metric = AnnealedImportanceSampling(**SHORT, seed=3)
    metric.update(vae, X[:2].double(), Y[:2])
    found = metric.compute()["bdmc_gap"]
    labels = Y[:2][example_keys(X[:2].double(), Y[:2]).argsort()]
    c = torch.eye(3).double()[labels[[0, 1, 0, 1, 0]]]
    with torch.no_grad():
        z = sample_prior(vae, c, 3)
        x = vae.decode(z, c).sample()
        chains = AnnealedChains(vae, x, c, [*range(5)], **metric.path, seed=3)
        gaps = chains.reverse(z).upper - chains.forward().lower
    assert found.value == pytest.approx(gaps.mean().item())
    assert found.standard_error == pytest.approx((gaps.std() / 5**0.5).item())


def test_without_simulated_examples_there_is_no_gap_of_theirs():
    found = shown(AnnealedImportanceSampling(temperatures=5, simulated=0), conditional_vae(), [0])
    assert [*found.compute()] == ["ais"]
    assert found.compute()["ais"].standard_error is None


def test_settings_say_what_the_numbers_were_made_with():
    path = {"chains": 2, "temperatures": 20, "leapfrogs": 1, "simulated": 5}
    assert BOTH[0]().setting == path
    assert BOTH[1](samples=3).setting == path | {"steps": 10, "samples": 3}


def test_temperatures_run_from_the_prior_to_the_posterior_along_a_sigmoid():
    betas = sigmoid_schedule(10)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert torch.equal(betas, betas.sort().values)
    ends = 1 / (1 + torch.tensor([4.0, -4.0]).double().exp())
    expected = (1 / (1 + torch.tensor(-0.8 * 2).double().exp()) - ends[0]) / (ends[1] - ends[0])
    assert betas[7] == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chains": 0}, "chains must be at least 1, got 0"),
        ({"temperatures": 1}, "temperatures must be at least 2, got 1"),
        ({"leapfrogs": 0}, "leapfrogs must be at least 1, got 0"),
        ({"simulated": -1}, "simulated must be at least 0, got -1"),
        ({"seed": -1}, "seed must be non-negative, got -1"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
    ],
)
def test_numbers_that_are_too_small_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        PosteriorGap(**options)
    if not options.keys() & {"steps", "samples"}:
        with pytest.raises(ValueError, match=words):
            AnnealedImportanceSampling(**options)
