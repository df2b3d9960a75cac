"""Means over examples, with their errors."""

import numpy as np
import pytest
import torch

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import (
    ImportanceSampling,
    PriorSampling,
    Score,
    class_log_likelihoods,
    importance_sampling,
    prior_sampling,
)
from vae_zoo.evaluation.noise import evaluating, example_keys, fix_noise
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

X, Y = torch.rand(23, 6).round(), torch.arange(23) % 3


def conditional_vae(regularizer=None, **parts):
    return VAE((6,), 2, regularizer or KL(), condition=OneHot, classes=3, **parts)


def measured(metric, vae, size):
    for x, y in zip(X.split(size), Y.split(size), strict=True):
        metric.update(vae, x, y)
    return metric.compute()


@pytest.mark.parametrize("family", [ImportanceSampling, PriorSampling])
def test_a_mean_does_not_depend_on_the_size_of_the_batches(family):
    vae = conditional_vae()
    whole = measured(family(samples=5), vae, 23)
    for size in (1, 5, 22):
        found = measured(family(samples=5), vae, size)
        for name, mean in whole.items():
            assert found[name] == pytest.approx(mean, rel=1e-6)


def test_mean_and_standard_error_are_those_of_what_the_bounds_are_example_by_example():
    vae, rows = conditional_vae().eval(), []
    found = measured(ImportanceSampling(samples=5, seed=4), vae, 10)
    found |= measured(PriorSampling(samples=5, seed=4), vae, 10)
    with torch.no_grad():
        c = vae.condition(Y)
        for i, key in enumerate(example_keys(X, Y).tolist()):
            fix_noise(4, key)
            row = torch.cat(importance_sampling(vae, X[i : i + 1], c[i : i + 1], samples=5))
            fix_noise(4, key)
            row = torch.cat([row, prior_sampling(vae, X[i : i + 1], c[i : i + 1], samples=5)])
            rows.append(row.double().numpy())
    names = ["elbo", "importance_sampling", "effective_samples", "prior_samples"]
    assert list(found) == names
    errors = np.std(rows, axis=0, ddof=1) / np.sqrt(len(X))
    for name, mean, error in zip(names, np.mean(rows, axis=0), errors, strict=True):
        assert found[name].value == pytest.approx(mean)
        assert found[name].standard_error == pytest.approx(error)


def test_the_seed_decides_the_noise_and_examples_differ_in_it():
    vae = conditional_vae()
    first, again, other = (
        measured(PriorSampling(5, seed), vae, 23)["prior_samples"] for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    metric = PriorSampling(samples=5)
    alike = X[:1] + 1e-6 * torch.arange(10)[:, None]
    metric.update(vae, alike, Y[:1].expand(10))
    assert metric.compute()["prior_samples"].standard_error > 0


def test_noise_of_the_process_and_mode_of_the_model_are_left_as_they_were():
    vae = conditional_vae().train()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measured(ImportanceSampling(2), vae, 23)
    class_log_likelihoods(vae, X, samples=2)
    assert torch.equal(torch.rand(1), expected)
    assert vae.training
    with evaluating(vae):
        assert not vae.training


def test_labels_and_their_images_are_told_apart_without_gradients():
    found = class_log_likelihoods(conditional_vae(), X, samples=2)
    assert found.shape == (23, 3)
    assert not found.requires_grad
    again = class_log_likelihoods(conditional_vae(), X[:3], samples=2, seed=1)
    assert not torch.equal(found[:3], again)


def test_one_example_has_no_standard_error():
    metric = PriorSampling(samples=2)
    metric.update(conditional_vae(), X[:1], Y[:1])
    assert metric.compute()["prior_samples"].standard_error is None
    assert str(Score(-1.234, None)) == "-1.23"
    assert str(Score(-0.001, 0.25)) == "0.00 ± 0.25"


def test_a_metric_begins_anew_after_a_reset():
    vae, metric = conditional_vae(), PriorSampling(samples=2)
    first = measured(metric, vae, 23)
    metric.reset()
    assert measured(metric, vae, 23) == first


def test_a_model_without_a_condition_needs_no_labels():
    metric = ImportanceSampling(samples=2)
    metric.update(VAE((6,), 2, KL()), X)
    assert metric.compute()["elbo"].value < 0


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        PriorSampling(samples=0)
    with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
        ImportanceSampling(seed=-1)
    vae = conditional_vae(MMD(), posterior=Deterministic)
    with pytest.raises(ValueError, match="needs the density of q"):
        measured(ImportanceSampling(2), vae, 23)
    assert measured(PriorSampling(2), vae, 23)["prior_samples"].value < 0
    with pytest.raises(ValueError, match="condition of this model is Unconditional: train one"):
        class_log_likelihoods(VAE((6,), 2, KL(), classes=3), X)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        class_log_likelihoods(conditional_vae(), X, samples=0)
