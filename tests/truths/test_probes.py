"""Probes against classes whose best accuracy is known."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import norm

from vae_zoo.evaluation import Probes, linear_probe, nearest_neighbours
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import MMD
from vae_zoo.vae import VAE

N, DISTANCE = 2000, 2.4
BEST = norm.cdf(DISTANCE / 2)  # Bayes's accuracy for N(m, I) and N(0, I), with ‖m‖ the distance


def classes(seed, n=N, scale=1.0):
    generator = np.random.default_rng(seed)
    y = generator.integers(2, size=n)
    mean = DISTANCE * np.array([0.6, 0.8, 0.0])
    x = (generator.normal(size=(n, 3)) + y[:, None] * mean) * [scale, 1, 1]
    return torch.from_numpy(x), torch.from_numpy(y)


def as_good_as(found, expected, n=N, short=0.0):
    error = (expected * (1 - expected) / n) ** 0.5
    return -4 * error - short < found.double().mean().item() - expected < 4 * error


def test_a_linear_probe_of_two_normals_comes_up_to_bayes():
    found = linear_probe(*classes(0), *classes(1))
    assert found.shape == (N,)
    assert as_good_as(found, BEST)
    assert as_good_as(nearest_neighbours(*classes(0), *classes(1), 50), BEST, short=0.01)


def test_labels_at_random_are_told_by_chance():
    (x, y), (new, labels) = classes(0), classes(1)
    y = y[torch.randperm(N)]
    assert as_good_as(linear_probe(x, y, new, labels), 0.5)
    assert as_good_as(nearest_neighbours(x, y, new, labels), 0.5)


def test_neighbours_see_what_no_line_separates():
    x, new = torch.randn(N, 2).double(), torch.randn(N, 2).double()
    y, labels = ((part.prod(1) > 0).long() for part in (x, new))
    assert linear_probe(x, y, new, labels).double().mean() < 0.6
    assert nearest_neighbours(x, y, new, labels).double().mean() > 0.95


def test_neighbours_are_those_of_all_distances():
    (x, y), (new, labels) = classes(0, 300), classes(1, 200)
    distances = np.linalg.norm(new.numpy()[:, None] - x.numpy(), axis=-1)
    nearest = y.numpy()[np.argsort(distances, axis=1)[:, :3]]
    expected = (nearest.mean(axis=1) > 0.5) == labels.numpy()
    assert nearest_neighbours(x, y, new, labels, 3).numpy().tolist() == expected.tolist()


def test_the_scale_of_a_dimension_matters_to_neighbours_alone():
    (x, y), (new, labels) = classes(0), classes(1)
    (stretched, _), (new_stretched, _) = classes(0, scale=1e3), classes(1, scale=1e3)
    found = linear_probe(x, y, new, labels)
    assert torch.equal(linear_probe(stretched, y, new_stretched, labels), found)
    near = nearest_neighbours(x, y, new, labels).double().mean()
    assert near > nearest_neighbours(stretched, y, new_stretched, labels).double().mean() + 0.05


def test_one_label_is_all_that_can_be_told():
    x, y = torch.randn(8, 2), torch.tensor([1, 0, 1, 1, 2, 0, 0, 1])
    assert torch.equal(linear_probe(x, torch.ones(8), x, y), y == 1)


def test_the_metric_trains_on_training_codes_and_tells_test_ones():
    parts = {"posterior": Deterministic, "encoder": partial(MLP, hidden=())}
    vae = VAE((3,), 3, MMD(), **parts).double()
    [encoder] = vae.encoder.layers
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(3))
        encoder.bias.zero_()
    train, test = classes(0), classes(1, 700)
    metric = Probes(neighbours=3)
    metric.update(vae, *test)
    metric.update(vae, *train, train=True)
    found = metric.compute()
    expected = {
        "linear_probe": linear_probe(*train, *test),
        "knn": nearest_neighbours(*train, *test, 3),
    }
    assert list(found) == list(expected)
    for name, right in expected.items():
        mean = right.double().mean().item()
        assert found[name].value == pytest.approx(mean)
        error = (mean * (1 - mean) / 700) ** 0.5
        assert found[name].standard_error == pytest.approx(error, rel=1e-3)
