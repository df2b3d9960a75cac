"""What holds for every metric of codes: batches, devices, seeds, and what is refused."""

from functools import partial

import pytest
import torch
from torch import nn

from vae_zoo.conditions import OneHot
from vae_zoo.data import Sprites
from vae_zoo.evaluation import ClassifierTwoSample, FactorScores, Probes, RadiusDistance
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import KL, MMD, NoRegularizer
from vae_zoo.vae import VAE

N = 160
FACTORS = torch.stack([torch.arange(N) // 2 % 2, torch.arange(N) % 3, torch.arange(N) % 5], dim=1)
X = torch.cat([FACTORS, torch.arange(N)[:, None] % 7], dim=1).float()
X[1::2] = X[::2]  # examples that look alike, with other factors
Y = torch.arange(N) // 2 % 2
METRICS = {
    "factors": partial(FactorScores, {"a": 2, "b": 3, "c": 5}, ("b",)),
    "probes": Probes,
    "two_samples": ClassifierTwoSample,
    "radius": partial(RadiusDistance, nn.Flatten(), radii=(0, 1.5), directions=50),
}

NOISY = [family for name, family in METRICS.items() if name != "probes"]  # whose codes are means
FEW = {"probes": {"examples": 20}, "two_samples": {"codes": 20}, "radius": {"directions": 20}}


@pytest.fixture(params=METRICS)
def family(request):
    return METRICS[request.param]


def model(**parts):
    return VAE((4,), 3, parts.pop("regularizer", KL()), **parts)


def feed(metric, vae, numbers, size=N):
    """Show the examples of these numbers; to probes, each fourth is one to test."""
    for index in numbers.split(size):
        if isinstance(metric, Probes):
            for train in (False, True):
                part = index[(index // 2 % 4 > 0) == train]
                if len(part):
                    metric.update(vae, X[part], Y[part], train=train)
        elif isinstance(metric, FactorScores):
            metric.update(vae, X[index], Y[index], factors=FACTORS[index])
        else:
            metric.update(vae, X[index], Y[index])
    return metric


def measured(family, vae, numbers=torch.arange(N), size=N, **options):  # noqa: B008
    return feed(family(**options), vae, numbers, size).compute()


def same(found, expected):
    assert list(found) == list(expected)
    for name, score in expected.items():
        assert found[name].value == pytest.approx(score.value, rel=1e-5, abs=1e-5)
        assert (found[name].standard_error is None) == (score.standard_error is None)
        assert (found[name].standard_error or 0) == pytest.approx(
            score.standard_error or 0, rel=1e-5, abs=1e-5
        )


def test_no_number_depends_on_the_size_or_the_order_of_batches(family):
    vae = model()
    whole = measured(family, vae)
    for size in (7, 100):
        same(measured(family, vae, torch.randperm(N), size), whole)


def test_two_devices_find_what_one_does(family):
    vae = model()
    halves = [feed(family(), vae, torch.arange(N)[part::2], 30) for part in (1, 0)]
    halves[0].merge_state(halves[1])
    same(halves[0].compute(), measured(family, vae))


@pytest.mark.parametrize("name", FEW)
def test_of_many_examples_the_same_few_count_in_any_order(name):
    vae = model()
    few = measured(METRICS[name], vae, **FEW[name])
    assert few != measured(METRICS[name], vae)
    same(measured(METRICS[name], vae, torch.randperm(N), 7, **FEW[name]), few)


@pytest.mark.parametrize("family", NOISY)
def test_the_seed_decides_the_noise(family):
    vae = model()
    first, again, other = (measured(family, vae, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_noise_of_the_process_and_mode_of_the_model_are_left_as_they_were(family):
    vae = model().train()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measured(family, vae)
    assert torch.equal(torch.rand(1), expected)
    assert vae.training


def test_the_points_of_a_deterministic_posterior_have_all_the_numbers(family):
    vae = model(posterior=Deterministic, regularizer=MMD())
    assert list(measured(family, vae)) == list(measured(family, model()))


def test_a_conditional_model_is_told_the_labels(family):
    vae = model(condition=OneHot, classes=2)
    found = measured(family, vae)
    assert found
    with torch.no_grad():
        for network in (vae.encoder, vae.decoder):
            for layer in network.modules():
                if isinstance(layer, nn.Linear):
                    layer.weight.mul_(3)
    assert measured(family, vae) != found


def test_a_setting_says_how_the_numbers_were_made(family):
    metric = family()
    assert metric.setting
    assert all(isinstance(value, int | float | str) for value in metric.setting.values())
    feed(metric, model(), torch.arange(N)).compute()
    for name, number in {"codes": N, "training_examples": 3 * N // 4}.items():
        assert metric.setting.get(name, number) == number


def test_a_model_without_codes_is_refused(family):
    vae = VAE((4,), 0, NoRegularizer(), condition=OneHot, classes=2)
    with pytest.raises(ValueError, match="a model of latent_dim 0 has none"):
        measured(family, vae)


@pytest.mark.parametrize("family", NOISY)
def test_a_seed_is_not_negative(family):
    with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
        family(seed=-1)


def test_one_dimension_has_no_gap_to_another():
    vae = VAE((4,), 1, KL())
    found = measured(METRICS["factors"], vae)
    assert list(found) == ["dci_disentanglement", "dci_informativeness", "factor_vae_score"]


def test_one_factor_is_told_from_no_other_and_constant_ones_do_not_count():
    metric = FactorScores({"a": 2, "b": 3}, categorical=("a",))
    factors = torch.stack([FACTORS[:, 0], torch.ones(N).long()], dim=1)
    metric.update(model(), X, factors=factors)
    found = metric.compute()
    assert list(found) == ["mig", "dci_completeness", "dci_informativeness", "sap"]
    alone = FactorScores({"a": 2}, categorical=("a",))
    alone.update(model(), X, factors=FACTORS[:, :1])
    assert list(alone.compute()) == list(found)
    metric.reset()
    metric.update(model(), X, factors=torch.ones(N, 2).long())
    with pytest.raises(ValueError, match="needs a factor that varies, and none does"):
        metric.compute()


def test_a_constant_factor_changes_no_number():
    vae, constant = model(), torch.ones(N, 1).long()
    metric = FactorScores({"z": 2, "a": 2, "b": 3, "c": 5}, categorical=("b",))
    metric.update(vae, X, factors=torch.cat([constant, FACTORS], dim=1))
    plain = FactorScores({"a": 2, "b": 3, "c": 5, "z": 2}, categorical=("b",))
    plain.update(vae, X, factors=torch.cat([FACTORS, constant], dim=1))
    other = FactorScores({"a": 2, "b": 3, "c": 5, "z": 2}, categorical=("a",))
    other.update(vae, X, factors=torch.cat([FACTORS, constant], dim=1))
    first, second, third = (each.compute()["mig"] for each in (metric, plain, other))
    assert first.value == pytest.approx(second.value)
    assert second == third
    sap = [each.compute()["sap"].value for each in (metric, plain, other)]
    assert sap[0] == pytest.approx(sap[1], abs=0.03)
    assert sap[2] != pytest.approx(sap[1], abs=0.03)


def test_a_rare_value_leaves_a_gap_without_an_error():
    metric = FactorScores({"a": 2, "b": 3})
    rare = (torch.arange(N) == 0).long()
    metric.update(model(), X, factors=torch.stack([rare, FACTORS[:, 1]], dim=1))
    found = metric.compute()
    assert found["mig"].standard_error is None
    assert found["dci_informativeness"].value > 0


def test_sprites_know_their_factors_and_which_have_no_order():
    data = Sprites(side=16, train=400)
    metric = FactorScores(data.factor_sizes, data.categorical)
    x, y = data.batch(*data.splits.test)
    metric.update(VAE(data.shape, 4, KL()), x, y, factors=data.factors["test"])
    assert len(metric.compute()) == 6
    assert set(data.categorical) <= set(data.factor_sizes)
    assert torch.equal(data.factors["test"][:, 0], y)


def refuses(message, make, *arguments, **options):
    with pytest.raises(ValueError, match=message):
        make(*arguments, **options)


def test_factors_that_are_none_are_refused():
    refuses("factor_sizes must name factors of two values or more, got {}", FactorScores, {})
    refuses("two values or more, got {'a': 1}", FactorScores, {"a": 1})
    refuses("categorical must be among a, b, got c", FactorScores, {"a": 2, "b": 2}, ("c", "a"))
    metric, vae = FactorScores({"a": 2, "b": 3}), model()
    update = partial(metric.update, vae, X[:3])
    refuses("needs the factors of the examples", update)
    wrong = r"factors must be whole numbers of shape \(3, 2\), got torch.int64 of shape \(3, 3\)"
    refuses(wrong, update, factors=FACTORS[:3])
    refuses(r"\(3, 2\), got torch.float32", update, factors=torch.zeros(3, 2))
    refuses(
        "the factor b must lie in 0 to 2, got 1 to 3",
        update,
        factors=torch.tensor([[0, 1], [1, 2], [0, 3]]),
    )
    refuses(
        "the factor a must lie in 0 to 1, got -1 to 1",
        update,
        factors=torch.tensor([[0, 1], [1, 2], [-1, 0]]),
    )
    update(factors=FACTORS[:3, :2])
    refuses("FactorScores needs at least 20 examples, got 3", metric.compute)


def test_labels_that_cannot_be_probed_are_refused():
    refuses("neighbours must be at least 1, got 0", Probes, neighbours=0)
    refuses("examples must be at least 1, got 0", Probes, examples=0)
    metric, vae = Probes(), model()
    refuses(
        "Probes needs labels, a whole number for each example: y is None", metric.update, vae, X
    )
    refuses("has the shape .160, 2. and is torch.float32", metric.update, vae, X, torch.rand(N, 2))
    metric.update(vae, X[:4], Y[:4])
    refuses("Probes needs at least 5 training examples, got 0", metric.compute)
    metric.update(vae, X[:3], Y[:3], train=True)
    refuses("Probes needs at least 5 training examples, got 3", metric.compute)
    metric.reset()
    metric.update(vae, X[:4], Y[:4])
    metric.update(vae, X[::4], Y[::4], train=True)
    refuses("Probes needs two labels to tell apart, got one", metric.compute)
    metric.reset()
    metric.update(vae, X, Y, train=True)
    refuses("Probes needs at least 1 test examples, got 0", metric.compute)


def test_holes_that_cannot_be_measured_are_refused():
    refuses("codes must be at least 4, got 3", ClassifierTwoSample, 3)
    metric = ClassifierTwoSample()
    metric.update(model(), X[:3])
    refuses("ClassifierTwoSample needs at least 4 examples, got 3", metric.compute)
    refuses("radii must be non-negative numbers, got \\[\\]", RadiusDistance, nn.Flatten(), ())
    refuses("got \\[1, -2\\]", RadiusDistance, nn.Flatten(), (1, -2))
    refuses("directions must be at least 1, got 0", RadiusDistance, nn.Flatten(), directions=0)
