"""Holes against normals that overlap by a known part, and decoders whose distances are known."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import chi2, norm
from torch import nn

from vae_zoo.conditions import OneHot
from vae_zoo.evaluation import ClassifierTwoSample, RadiusDistance, two_sample_classifier
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import ConditionalNormal, Flow, LearnedNormal, StandardNormal, StudentT
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

N, D, X = 2000, 3, 6


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def as_good_as(found, best, n=N, short=0.0):
    error = (best * (1 - best) / n) ** 0.5
    return -4 * error - short < found - best < 4 * error


def accuracy(x, y):
    return two_sample_classifier(x, y).double().mean().item()


@pytest.mark.parametrize("distance", [0.0, 0.8, 2.0, 4.0])
def test_normals_at_a_distance_are_told_apart_as_well_as_can_be(distance):
    x, y = torch.randn(N, D), torch.randn(N, D) + distance / D**0.5
    assert as_good_as(accuracy(x, y), norm.cdf(distance / 2), short=0.02)


def test_normals_around_one_centre_are_told_apart_by_their_radius():
    # N(0, I) is the denser where r² < 2 D ln 2 / (1 - 1/4); both are chi-squared in it.
    border = 2 * D * np.log(2) / 0.75
    best = (chi2.cdf(border, D) + chi2.sf(border / 4, D)) / 2
    x, y = torch.randn(N, D), 2 * torch.randn(N, D)
    assert as_good_as(accuracy(x, y), best, short=0.02)
    assert as_good_as(accuracy(x * 1e3, y * 1e3), best, short=0.02)


def affine_vae(prior=StandardNormal, labels=0, regularizer=None, **parts):
    """Codes are the first D numbers of an example, and W, with orthonormal columns, decodes them.

    Under a condition the decoder adds 100 times the number of the label.
    """
    networks = dict.fromkeys(("encoder", "decoder"), partial(MLP, hidden=()))
    if labels:
        parts |= {"condition": OneHot, "classes": labels}
    likelihood = partial(Normal, variance=1.0)
    options = {"prior": prior, "likelihood": likelihood, **networks, **parts}
    vae = VAE((X,), D, regularizer or KL(), **options)
    [encoder], [decoder] = vae.encoder.layers, vae.decoder.layers
    encoder.weight.zero_()
    encoder.weight[:D, :D] = torch.eye(D)
    encoder.bias.zero_()
    encoder.bias[D:] = np.log(np.e - 1)  # a standard deviation of 1, by softplus
    decoder.weight[:, :D] = torch.linalg.qr(torch.randn(X, D)).Q
    decoder.weight[:, D:] = 100 * torch.arange(labels)
    return vae.eval()


def numbers(metric, vae, x, y=None):
    metric.update(vae, x, y)
    return metric.compute()


def test_codes_are_samples_and_not_means():
    vae = affine_vae()  # q(z | 0) = N(0, I)
    found = numbers(ClassifierTwoSample(), vae, 1e-4 * torch.randn(N, X))["two_sample_accuracy"]
    assert as_good_as(found.value, 0.5)
    expected = (found.value * (1 - found.value) / N) ** 0.5
    assert found.standard_error == pytest.approx(expected, rel=1e-3)


def test_points_of_a_deterministic_posterior_are_codes():
    vae, shift = affine_vae(regularizer=MMD(), posterior=Deterministic), 1.6
    x = torch.randn(N, X) + shift / D**0.5
    found = numbers(ClassifierTwoSample(), vae, x)["two_sample_accuracy"]
    assert as_good_as(found.value, norm.cdf(shift / 2), short=0.02)


def test_as_many_codes_are_taken_as_are_asked_for_and_half_of_them_are_held_out():
    vae = affine_vae(regularizer=MMD(), posterior=Deterministic)
    metric = ClassifierTwoSample(codes=100)
    [found] = numbers(metric, vae, torch.randn(300, X)).values()
    expected = (found.value * (1 - found.value) / 99) ** 0.5  # of 50 codes and 50 samples
    assert found.standard_error == pytest.approx(expected)


def shifted_prior(means, scale=1.0, **parts):
    """A model with the prior N(m(y), s² I)."""
    vae = affine_vae(ConditionalNormal, labels=2, **parts)
    vae.prior.affine.weight.zero_()
    vae.prior.affine.weight[:D] = means
    vae.prior.affine.bias[:D] = 0
    vae.prior.affine.bias[D:] = np.log(scale)
    assert torch.allclose(vae.prior(torch.eye(2)).stddev, torch.tensor(scale), rtol=1e-3)
    return vae


def test_the_prior_of_the_examples_own_labels_is_compared():
    means = 2 * torch.randn(D, 2)
    vae = shifted_prior(means, regularizer=MMD(), posterior=Deterministic)
    y = (torch.rand(N) < 0.2).long()
    x = torch.cat([means.T[y], torch.zeros(N, X - D)], dim=1) + torch.randn(N, X)
    assert as_good_as(numbers(ClassifierTwoSample(), vae, x, y)["two_sample_accuracy"].value, 0.5)


def radii(found):
    name = "distance_at_radius/"
    return {key.removeprefix(name): score for key, score in found.items() if name in key}


def test_what_an_isometry_decodes_is_as_far_as_its_code():
    vae = affine_vae()
    x = vae.decoder.layers[0].bias.expand(1, X)  # what 0 is decoded into
    found = radii(numbers(RadiusDistance(nn.Flatten(), directions=30), vae, x))
    assert list(found) == ["0", "0.5", "1", "1.5", "2", "3"]  # one example has no other
    for radius, score in found.items():
        assert score.value == pytest.approx(float(radius) * D**0.5, abs=1e-5)
    assert found["0"].standard_error is None
    assert found["2"].standard_error == pytest.approx(0, abs=1e-6)


def test_distances_are_those_to_the_nearest_example_on_average_over_directions():
    vae = affine_vae(LearnedNormal)
    vae.prior.loc.copy_(torch.tensor([1.0, -2.0, 0.5]))
    vae.prior.log_scale.copy_(torch.tensor([0.5, 2.0, 1.0]).log())
    features, x = nn.Linear(X, 4), 3 * torch.randn(40, X)
    found = radii(numbers(RadiusDistance(features, (0.7, 2.5), directions=400), vae, x))
    generator = np.random.default_rng(0)
    u = generator.normal(size=(4000, D))
    u *= np.sqrt(D) / np.linalg.norm(u, axis=1, keepdims=True)
    [decoder] = vae.decoder.layers
    maps = [(part.weight.numpy(), part.bias.numpy()) for part in (decoder, features)]
    real = x.numpy() @ maps[1][0].T + maps[1][1]
    for radius in (0.7, 2.5):
        decoded = np.array([1, -2, 0.5]) + radius * np.array([0.5, 2, 1]) * u
        for weight, bias in maps:
            decoded = decoded @ weight.T + bias
        nearest = np.linalg.norm(decoded[:, None] - real, axis=-1).min(axis=1)
        score = found[f"{radius:g}"]
        assert score.standard_error == pytest.approx(nearest.std() / 20, rel=0.15)
        assert abs(score.value - nearest.mean()) < 4 * score.standard_error
    between = np.linalg.norm(real[:, None] - real, axis=-1)
    floor = np.where(np.eye(40), np.inf, between).min(axis=1)
    assert found["test"].value == pytest.approx(floor.mean(), rel=1e-4)
    error = floor.std(ddof=1) / 40**0.5
    assert found["test"].standard_error == pytest.approx(error, rel=1e-4)


def test_the_floor_is_of_as_many_examples_as_directions_to_all_others():
    vae, x = affine_vae(), torch.arange(30.0)[:, None].expand(30, X) ** 2
    gaps = np.sqrt(X) * np.array([1, *range(1, 59, 2)])  # from each square to the nearest other
    first = radii(numbers(RadiusDistance(nn.Flatten(), directions=1), vae, x))["test"]
    assert np.isclose(gaps, first.value).any()
    assert first.standard_error is None
    every = radii(numbers(RadiusDistance(nn.Flatten(), directions=30), vae, x))["test"]
    assert every.value == pytest.approx(gaps.mean())


def test_points_are_around_the_prior_of_an_examples_label_and_decoded_under_it():
    means = torch.tensor([[5.0, -5.0]]).expand(D, 2)
    vae, y = shifted_prior(means, scale=0.5), torch.tensor([0, 1])
    x = vae.likelihood.point(vae.decode(means.T, torch.eye(2)))
    metric = RadiusDistance(nn.Flatten(), (0, 2), directions=20)
    found = radii(numbers(metric, vae, x, y))
    assert found["0"].value == pytest.approx(0, abs=1e-4)
    assert found["2"].value == pytest.approx(2 * 0.5 * D**0.5, rel=1e-3)
    metric.reset()
    x[1, 0] += 3
    found = radii(numbers(metric, vae, x, y))["0"]  # each label is as frequent as in the data
    assert found.value == pytest.approx(3 / 2, rel=1e-3)
    assert found.standard_error == pytest.approx(1.5 / 19**0.5, rel=1e-3)


def test_directions_do_not_depend_on_the_number_of_examples():
    vae, x = affine_vae(LearnedNormal), torch.randn(1, X)
    vae.prior.log_scale.copy_(torch.tensor([0.1, 1.0, 3.0]).log())
    one, ten = (
        radii(numbers(RadiusDistance(nn.Flatten(), (1,), 30), vae, x.expand(n, X)))["1"]
        for n in (1, 10)
    )
    assert one.standard_error > 0
    assert ten.value == pytest.approx(one.value, rel=1e-5)


def test_a_prior_without_moments_has_those_of_its_samples():
    vae = affine_vae(partial(Flow, transforms=1, hidden=(8,)))  # it starts at N(0, I)
    x = vae.decoder.layers[0].bias.expand(1, X)
    found = radii(numbers(RadiusDistance(nn.Flatten(), (0, 2), directions=200), vae, x))
    assert found["0"].value < 0.1
    assert found["2"].value == pytest.approx(2 * D**0.5, rel=0.03)


def test_a_prior_of_infinite_variance_has_no_radius():
    vae = affine_vae(partial(StudentT, df=1.5))
    assert list(radii(numbers(RadiusDistance(nn.Flatten()), vae, torch.randn(9, X)))) == ["test"]
