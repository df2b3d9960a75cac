"""The quality of samples as a metric: whatever the batches, the devices and the noise around."""

import pytest
import torch
from torch import nn

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import Features, SampleQuality, samples
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import ConditionalNormal
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

X, Y = torch.rand(60, 6).round() + 0.01 * torch.rand(60, 6), torch.arange(60) % 3
TRAIN = torch.rand(70, 6)
SCORES = ("fid", "kid", "precision", "recall", "density", "coverage")


def features():
    found = Features(nn.Linear(6, 4), 4, "a projection")
    found.standardize(TRAIN)
    return found


FEATURES = features()


def conditional_vae(regularizer=None, **parts):
    parts = {"condition": OneHot, "classes": 3, "prior": ConditionalNormal, **parts}
    vae = VAE((6,), 2, regularizer or KL(), **parts)
    with torch.no_grad():  # codes and conditions that matter
        vae.decoder.layers[-1].weight.mul_(9)
    return vae


def measured(vae, sizes=(60,), order=None, **options):
    metric = SampleQuality(FEATURES, **options)
    order = torch.arange(60) if order is None else order
    for x, y in zip(X[order].split(sizes), Y[order].split(sizes), strict=True):
        metric.update(vae, x, y)
    for x in TRAIN.split(sizes[0]):
        metric.update(vae, x, torch.zeros(len(x)).long(), train=True)
    return metric.compute()


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, score in expected.items():
        assert found[name] == pytest.approx(score, rel=1e-5, abs=1e-7), name


def test_six_scores_are_of_samples_reconstructions_and_training_examples():
    found = measured(conditional_vae())
    assert [*found] == [f"{s}/{o}" for o in ("samples", "reconstructions", "train") for s in SCORES]
    for name, score in found.items():
        assert score.standard_error > 0 or score.value in (0, 1), name


@pytest.mark.parametrize("decoded", ["means", "draws"])
def test_they_depend_neither_on_the_batches_nor_on_their_order(decoded):
    vae = conditional_vae()
    whole = measured(vae, decoded=decoded)
    for sizes in ([1] * 60, [7, 53], [50, 10]):
        same(measured(vae, sizes, torch.randperm(60), decoded=decoded), whole)


def test_two_halves_make_the_whole():
    vae, states = conditional_vae(), ("keys", *SampleQuality.rows, "train_keys", "train_real")
    whole, halves = SampleQuality(FEATURES), [SampleQuality(FEATURES) for _ in range(2)]
    for half in range(2):
        for metric in (whole, halves[half]):
            metric.update(vae, X[half::2], Y[half::2])
            metric.update(vae, TRAIN[half::2], Y[:35], train=True)
    for state in states:  # as it is gathered from devices
        parts = [part for half in halves for part in getattr(half, state)]
        setattr(halves[1], state, torch.cat(parts[::-1]))
    same(halves[1].compute(), whole.compute())


def test_the_number_of_samples_that_are_decoded_at_once_decides_their_noise_alone(monkeypatch):
    vae, metric = conditional_vae(), SampleQuality(FEATURES)
    decoded = []
    vae.decoder.register_forward_hook(lambda *given: decoded.append(len(given[-1])))
    metric.update(vae, X, Y)
    monkeypatch.setattr(samples, "ROWS", 25)
    decoded.clear()
    found = metric.compute()
    assert decoded == [25, 25, 10]  # as many as there are test examples, and no two alike
    monkeypatch.setattr(samples, "ROWS", 1000)
    again = SampleQuality(FEATURES)
    again.update(vae, X, Y)
    other = again.compute()
    assert other["fid/reconstructions"] == found["fid/reconstructions"]
    assert other["fid/samples"] != found["fid/samples"]


def test_no_two_samples_are_alike_in_whichever_part(monkeypatch):
    monkeypatch.setattr(samples, "ROWS", 6)
    vae, seen = conditional_vae(), []
    vae.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    metric = SampleQuality(FEATURES)
    metric.update(vae, X, Y)
    seen.clear()
    metric.compute()
    assert len(torch.unique(torch.cat(seen), dim=0)) == 60


def test_the_seed_decides_the_samples():
    vae = conditional_vae()
    first, again, other = (measured(vae, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["fid/samples"] != other["fid/samples"]
    assert first["fid/reconstructions"] == other["fid/reconstructions"]
    drawn, other = (measured(vae, seed=seed, decoded="draws") for seed in (0, 1))
    assert drawn["fid/reconstructions"] != other["fid/reconstructions"]
    assert drawn["fid/train"] == first["fid/train"]


def test_noise_of_the_process_and_mode_of_the_model_are_left_as_they_were():
    vae = conditional_vae().train()
    expected = torch.get_rng_state()
    measured(vae, decoded="draws")
    assert torch.equal(torch.get_rng_state(), expected)
    assert vae.training


@pytest.mark.parametrize("distance", [samples.frechet_distance, samples.kernel_distance])
def test_a_distance_alone_leaves_the_noise_of_the_process_as_it_was(distance):
    expected = torch.get_rng_state()
    distance(X, TRAIN[:60])
    assert torch.equal(torch.get_rng_state(), expected)


def test_reconstructions_are_those_of_the_model():
    vae = conditional_vae().eval()
    metric = SampleQuality(nn.Identity())
    metric.update(vae, X, Y)
    torch.testing.assert_close(metric.reconstructed[0], vae.reconstruct(X, Y))
    torch.testing.assert_close(metric.real[0], X)
    metric = SampleQuality(nn.Identity(), decoded="draws")
    for _ in range(40):
        metric.update(vae, X, Y)
        metric.seed += 1
    drawn = torch.stack(metric.reconstructed)
    assert set(drawn.unique().tolist()) == {0, 1}
    torch.testing.assert_close(drawn.mean(0), vae.reconstruct(X, Y), atol=0.4, rtol=0)
    assert drawn.mean().item() == pytest.approx(vae.reconstruct(X, Y).mean().item(), abs=0.02)


def test_examples_that_are_decoded_alike_are_drawn_apart():
    vae = conditional_vae()
    vae.decoder.layers[-1].weight.data.zero_()
    metric = SampleQuality(nn.Identity(), decoded="draws")
    metric.update(vae, X, Y)
    [drawn] = metric.reconstructed
    assert len(drawn.unique(dim=0)) > 20  # of 64


def test_a_deterministic_posterior_has_all_of_them():
    vae = conditional_vae(MMD(), posterior=Deterministic, prior=ConditionalNormal)
    assert len(measured(vae)) == 18


def test_without_training_examples_or_with_too_few_there_is_no_floor():
    vae = conditional_vae()
    for train in (None, TRAIN[:59]):
        metric = SampleQuality(FEATURES)
        metric.update(vae, X, Y)
        if train is not None:
            metric.update(vae, train, train=True)
        assert {name.partition("/")[2] for name in metric.compute()} == {
            "samples",
            "reconstructions",
        }


def test_of_more_training_examples_as_many_are_compared_as_there_are_test_examples():
    vae, metric = conditional_vae(), SampleQuality(FEATURES)
    metric.update(vae, X, Y)
    metric.update(vae, torch.cat([X, 5 + TRAIN]), train=True)
    found = metric.compute()
    assert 0 < found["precision/train"].value < 1
    count = found["precision/train"].value * 60
    assert count == pytest.approx(round(count))


def test_a_model_without_a_condition_needs_no_labels():
    metric = SampleQuality(FEATURES)
    metric.update(VAE((6,), 2, KL()), X)
    assert metric.compute()["fid/samples"].value > 0


def test_it_begins_anew_after_a_reset():
    vae, metric = conditional_vae(), SampleQuality(FEATURES)
    metric.update(vae, TRAIN[:50], Y[:50])
    metric.update(vae, X, train=True)
    metric.compute()
    metric.reset()
    metric.update(vae, X, Y)
    metric.update(vae, TRAIN, torch.zeros(70).long(), train=True)
    assert metric.compute() == measured(vae)


def test_the_setting_says_in_what_features_of_how_many_neighbours_and_how_decoded():
    setting = SampleQuality(FEATURES, neighbours=3, decoded="draws").setting
    assert setting == {**FEATURES.setting, "neighbours": 3, "decoded": "draws"}
    assert setting["features"].startswith("a projection, ")
    assert SampleQuality(nn.Identity()).setting == {
        "features": "Identity",
        "neighbours": 5,
        "decoded": "means",
    }
    assert measured(conditional_vae(), neighbours=1) != measured(conditional_vae(), neighbours=9)


def test_the_caller_s_features_stay_as_they_were():
    given = nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.9))
    metric = SampleQuality(given)
    metric.update(VAE((6,), 2, KL()), X)
    assert given.training
    torch.testing.assert_close(metric.real[0], given[0](X).detach())


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="neighbours must be at least 1, got 0"):
        SampleQuality(FEATURES, neighbours=0)
    with pytest.raises(ValueError, match="decoded must be means or draws, got 'modes'"):
        SampleQuality(FEATURES, decoded="modes")
    with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
        SampleQuality(FEATURES, seed=-1)
    for neighbours, n in ((5, 5), (1, 3)):
        metric = SampleQuality(FEATURES, neighbours)
        metric.update(conditional_vae(), X[:n], Y[:n])
        with pytest.raises(ValueError, match=f"needs more than {n} test examples, got {n}"):
            metric.compute()
        metric.update(conditional_vae(), X[n : n + 1], Y[n : n + 1])
        assert metric.compute()["fid/samples"].standard_error > 0
    broken = conditional_vae()
    broken.decoder.layers[-1].bias.data.fill_(torch.nan)
    metric = SampleQuality(nn.Identity())
    metric.update(conditional_vae(), X, Y)
    metric.update(broken, X, Y)
    with pytest.raises(ValueError, match="features of samples are not finite: the model has"):
        metric.compute()
