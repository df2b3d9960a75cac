"""Means over examples, with their errors."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.distributions import Normal as NormalDistribution
from torch.distributions import kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import (
    Elbo,
    ImportanceSampling,
    PriorSampling,
    class_log_likelihoods,
    importance_sampling,
    prior_sampling,
)
from vae_zoo.evaluation.noise import evaluating, example_keys, fix_noise
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic, FlowPosterior, FullNormal
from vae_zoo.priors import ConditionalNormal, MixtureOfNormals, VampPrior
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

X = torch.rand(23, 6, generator=torch.Generator().manual_seed(0)).round()
Y = torch.arange(23) % 3


def conditional_vae(regularizer=None, **parts):
    return VAE((6,), 2, regularizer or KL(), condition=OneHot, classes=3, **parts)


def measured(metric, vae, size):
    for x, y in zip(X.split(size), Y.split(size), strict=True):
        metric.update(vae, x, y)
    return metric.compute()


def assert_same(found, expected):
    """Compare numbers, and errors on the scale of their numbers, in single precision."""
    assert found.keys() == expected.keys()
    for name, score in expected.items():
        assert found[name] == pytest.approx(score, rel=1e-5, abs=1e-5 * abs(score.value))


FAMILIES = [Elbo, ImportanceSampling, PriorSampling]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mean_does_not_depend_on_the_size_of_the_batches_nor_on_their_order(family):
    vae = conditional_vae()
    whole = measured(family(samples=5), vae, 23)
    for size in (1, 5, 22):
        assert_same(measured(family(samples=5), vae, size), whole)
    backwards = family(samples=5)
    backwards.update(vae, X.flip(0), Y.flip(0))
    assert_same(backwards.compute(), whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_halves_on_two_devices_are_one_whole(family):
    vae = conditional_vae()
    whole = measured(family(samples=5), vae, 23)
    first, second = family(samples=5), family(samples=5)
    first.update(vae, X[:9], Y[:9])
    second.update(vae, X[9:], Y[9:])
    for name in ("keys", "table"):
        getattr(second, name).extend(getattr(first, name))
    assert_same(second.compute(), whole)


@pytest.mark.parametrize(
    "parts",
    [
        {"prior": ConditionalNormal},
        {"prior": partial(VampPrior, components=4)},
        {"prior": partial(MixtureOfNormals, components=3), "posterior": FullNormal},
        {"posterior": FlowPosterior},
    ],
    ids=["ConditionalNormal", "VampPrior", "MixtureOfNormals", "FlowPosterior"],
)
def test_each_example_has_the_prior_of_its_own_condition(parts):
    torch.manual_seed(0)
    vae = conditional_vae(**parts)
    for family in FAMILIES:
        whole, single = (measured(family(samples=40), vae, size) for size in (23, 1))
        assert_same(single, whole)
    with torch.no_grad():
        rates = torch.stack([vae(X, Y).kl.mean() for _ in range(200)])  # by other noise
    rate = measured(Elbo(samples=200), vae, 23)["kl"].value
    error = math.sqrt(2 / 200) * rates.std().item()
    assert rate == pytest.approx(rates.mean().item(), abs=4 * error + 1e-5)


def test_an_unconditional_prior_is_made_once_for_a_batch():
    vae, made = VAE((6,), 2, KL(), prior=partial(VampPrior, components=4)), []
    vae.prior.register_forward_hook(lambda *_: made.append(1))
    for family in FAMILIES:
        made.clear()
        family(samples=5).update(vae, X)
        assert len(made) == 1


def test_mean_and_standard_error_are_those_of_what_the_bounds_are_example_by_example():
    vae, rows = conditional_vae().eval(), []
    found = measured(ImportanceSampling(samples=5, seed=4), vae, 10)
    found |= measured(PriorSampling(samples=5, seed=4), vae, 10)
    with torch.no_grad():
        c = vae.condition(Y)
        for i, key in enumerate(example_keys(X, Y).tolist()):
            fix_noise(4, key)
            row = torch.cat(importance_sampling(vae, X[i : i + 1], c[i : i + 1], samples=5)[1:])
            fix_noise(4, key)
            row = torch.cat([row, prior_sampling(vae, X[i : i + 1], c[i : i + 1], samples=5)])
            rows.append(row.double().numpy())
    names = ["importance_sampling", "effective_samples", "prior_samples"]
    assert list(found) == names
    errors = np.std(rows, axis=0, ddof=1) / np.sqrt(len(X))
    for name, mean, error in zip(names, np.mean(rows, axis=0), errors, strict=True):
        assert found[name].value == pytest.approx(mean, rel=1e-5)
        assert found[name].standard_error == pytest.approx(error, rel=1e-5, abs=1e-5 * abs(mean))


def test_the_seed_decides_the_noise_and_examples_differ_in_it():
    vae = conditional_vae()
    for family in FAMILIES:
        first, again, other = (measured(family(5, seed), vae, 23) for seed in (0, 0, 1))
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
    for family in FAMILIES:
        measured(family(2), vae, 23)
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


def test_a_metric_begins_anew_after_a_reset():
    vae, metric = conditional_vae(), PriorSampling(samples=2)
    first = measured(metric, vae, 23)
    metric.reset()
    assert measured(metric, vae, 23) == first


def test_a_model_without_a_condition_needs_no_labels():
    for family in FAMILIES:
        metric = family(samples=2)
        metric.update(VAE((6,), 2, KL()), X)
        assert metric.compute()
        assert metric.setting == {"samples": 2}


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        PriorSampling(samples=0)
    with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
        ImportanceSampling(seed=-1)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        Elbo(samples=0)
    vae = conditional_vae(MMD(), posterior=Deterministic)
    with pytest.raises(ValueError, match="needs the density of q"):
        measured(ImportanceSampling(2), vae, 23)
    assert measured(PriorSampling(2), vae, 23)["prior_samples"].value < 0
    with pytest.raises(ValueError, match="condition of this model is Unconditional: train one"):
        class_log_likelihoods(VAE((6,), 2, KL(), classes=3), X)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        class_log_likelihoods(conditional_vae(), X, samples=0)


def affine_vae(weight=1.0, **parts):
    affine = partial(MLP, hidden=())
    return VAE((6,), 2, KL(weight), encoder=affine, decoder=affine, **parts)


def of_examples(values):
    """Mean and standard error of numbers of examples, in double precision."""
    return pytest.approx((values.mean().item(), values.std().item() / len(values) ** 0.5), rel=1e-5)


def test_reconstruction_and_rate_are_those_of_the_closed_form_at_weight_1():
    torch.manual_seed(0)
    vae = affine_vae(weight=4.0, likelihood=partial(Normal, variance=0.3)).double()
    metric, x = Elbo(samples=2000), X.double()
    metric.update(vae, x)
    found = metric.compute()
    assert list(found) == ["reconstruction", "kl", "elbo"]
    with torch.no_grad():
        q = vae.encode(x, x.new_empty(23, 0)).base_dist
        w, b = vae.decoder.layers[0].weight, vae.decoder.layers[0].bias
        error = (x - q.mean @ w.T - b).square().sum(1) + q.variance @ w.square().sum(0)
        reconstruction = error / 0.6 + 3 * math.log(2 * math.pi * 0.3)
        rate = kl_divergence(q, NormalDistribution(0.0, 1.0)).sum(1)
    assert found["kl"] == of_examples(rate)
    assert found["reconstruction"].value == pytest.approx(reconstruction.mean().item(), abs=0.1)
    assert found["elbo"].value == pytest.approx(
        -found["reconstruction"].value - found["kl"].value, rel=1e-6
    )
    spread = (reconstruction + rate).std().item() / 23**0.5
    assert found["elbo"].standard_error == pytest.approx(spread, rel=0.05)


def test_a_rate_without_a_closed_form_is_estimated_by_the_same_samples():
    torch.manual_seed(0)
    prior = partial(MixtureOfNormals, components=2)
    vae = affine_vae(prior=prior)
    with torch.no_grad():
        for one in vae.prior.parameters():  # both components are N(0, I)
            one.zero_()
        q = vae.encode(X, X.new_empty(23, 0)).base_dist
    metric = Elbo(samples=2000)
    metric.update(vae, X)
    rate = kl_divergence(q, NormalDistribution(0.0, 1.0)).sum(1).mean().item()
    assert metric.compute()["kl"].value == pytest.approx(rate, abs=0.03)


def test_bits_per_dimension_are_a_code_length_of_discrete_data():
    metric = Elbo(samples=3)
    metric.update(VAE((6,), 2, KL()), X)
    found = metric.compute()
    assert list(found) == ["reconstruction", "kl", "elbo", "bits_per_dimension"]
    per_nat = 1 / (6 * math.log(2))
    bits, elbo = found["bits_per_dimension"], found["elbo"]
    assert bits.value == pytest.approx(-per_nat * elbo.value)
    assert bits.standard_error == pytest.approx(per_nat * elbo.standard_error)


def test_a_posterior_without_a_density_has_a_reconstruction_alone():
    vae = VAE((6,), 2, MMD(), posterior=Deterministic)
    metric = Elbo()
    metric.update(vae, X)
    found = metric.compute()
    assert list(found) == ["reconstruction"]
    with torch.no_grad():
        c = X.new_empty(23, 0)
        logits = vae.decoder(vae.encoder(X, c), c)
    entropy = binary_cross_entropy_with_logits(logits, X, reduction="none").sum(1).double()
    assert found["reconstruction"] == of_examples(entropy)


def test_a_regression_has_its_likelihood_and_no_codes():
    vae = VAE((6,), 0, KL(), condition=OneHot, classes=3)
    found = measured(Elbo(), vae, 10)
    with torch.no_grad():
        logits = vae.decoder(X.new_empty(23, 0), torch.eye(3)[Y])
    entropy = binary_cross_entropy_with_logits(logits, X, reduction="none").sum(1).double()
    assert list(found) == ["reconstruction", "elbo", "bits_per_dimension"]
    assert found["reconstruction"] == of_examples(entropy)
    for name, one in {
        "elbo": found["elbo"],
        **measured(ImportanceSampling(7), vae, 10),
        **measured(PriorSampling(7), vae, 10),
    }.items():
        assert name in ("elbo", "importance_sampling", "prior_samples")
        assert one == of_examples(-entropy)


def test_an_encoder_sees_each_example_once():
    vae, seen = VAE((6,), 2, KL()), []
    vae.encoder.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    for family in (Elbo, ImportanceSampling):
        seen.clear()
        family(samples=3000).update(vae, X)
        assert seen == [23]


def test_examples_that_are_alike_have_noise_of_their_own_in_any_batches():
    vae, x = VAE((4,), 2, KL()), torch.ones(40, 4)
    whole, parts, single = Elbo(samples=1), Elbo(samples=1), Elbo(samples=1)
    whole.update(vae, x)
    for batch in x.split(7):
        parts.update(vae, batch)
    single.update(vae, x[:1])
    assert whole.compute()["reconstruction"].standard_error > 0
    assert parts.compute() == whole.compute()
    whole.reset()
    whole.update(vae, x[:1])
    assert whole.compute() == single.compute()
