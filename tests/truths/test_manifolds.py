"""Precision, recall, density and coverage against their definitions, and where they are known."""

import numpy as np
import pytest
import torch

from vae_zoo.evaluation import manifolds, overlap


def by_hand(real, generated, k):
    """Count in matrices of all distances, none of them rounded by a matrix product."""

    def distances(x, y):
        return np.linalg.norm(x[:, None] - y[None], axis=-1)

    def reach(x):
        return np.sort(distances(x, x), axis=1)[:, k]  # of which column 0 is the example itself

    between = distances(generated, real)  # (M, N)
    inside = between <= reach(real)[None]
    return {
        "precision": inside.any(1),
        "recall": (between <= reach(generated)[:, None]).any(0),
        "density": inside.sum(1) / k,
        "coverage": inside.any(0),
    }


def means(real, generated, k=5):
    found = overlap(real, generated, k)
    return {name: each.double().mean().item() for name, each in found._asdict().items()}


@pytest.mark.parametrize("numbers", [2**20, 300, 1])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_overlaps_are_those_that_a_matrix_of_all_distances_gives(k, numbers, monkeypatch):
    monkeypatch.setattr(manifolds, "NUMBERS", numbers)
    real, generated = torch.randn(60, 3).double(), 0.8 * torch.randn(45, 3).double() + 1.3
    expected = by_hand(real.numpy(), generated.numpy(), k)
    assert 0 < expected["precision"].mean() < 1
    assert 0 < expected["recall"].mean() < 1
    for name, each in overlap(real, generated, k)._asdict().items():
        np.testing.assert_allclose(each.numpy(), expected[name])


def test_far_from_the_origin_they_are_the_same():
    real, generated = torch.randn(60, 3).double(), torch.randn(45, 3).double() + 0.4
    moved = overlap(real + 1e6, generated + 1e6)
    for each, other in zip(overlap(real, generated), moved, strict=True):
        assert torch.equal(each, other)


def test_examples_that_are_alike_are_at_no_distance_and_balls_hold_their_edge():
    # Small whole numbers, of which many are equal, and distances exact in numpy.
    real, generated = torch.randint(3, (80, 3)), torch.randint(4, (70, 3))
    for k in (1, 4):
        expected = by_hand(real.double().numpy(), generated.double().numpy(), k)
        for name, each in overlap(real / 3, generated / 3, k)._asdict().items():
            np.testing.assert_allclose(each.numpy(), expected[name])


def test_a_set_overlaps_itself():
    x = torch.randn(100, 6)
    found = means(x, x[torch.randperm(100)])
    # Each ball holds its own centre besides k neighbours.
    assert found == pytest.approx({"precision": 1, "recall": 1, "density": 6 / 5, "coverage": 1})


def test_sets_that_are_far_apart_do_not_overlap():
    found = means(torch.randn(100, 6), torch.randn(100, 6) + 50)
    assert set(found.values()) == {0}


def test_a_model_of_one_mode_of_two_is_precise_and_recalls_half():
    modes = torch.tensor([[0.0, 0.0], [100.0, 0.0]]).repeat_interleave(300, dim=0)
    real = torch.rand(600, 2) + modes
    found = means(real, torch.rand(600, 2))
    assert found["precision"] > 0.97
    assert found["density"] == pytest.approx(1, abs=0.1)  # twice as many, in balls of half of them
    assert found["recall"] == pytest.approx(0.5, abs=0.01)
    assert found["coverage"] == pytest.approx(0.5, abs=0.01)
    found = means(torch.rand(600, 2), real)
    assert found["precision"] == pytest.approx(0.5, abs=0.02)
    assert found["recall"] > 0.95


def test_an_outlier_blows_up_precision_and_recall_but_neither_density_nor_coverage():
    outlier = torch.tensor([[100.0, 0.0]])
    cloud, between = torch.randn(200, 2), torch.randn(200, 2) + torch.tensor([60.0, 0.0])
    found = means(torch.cat([cloud, outlier]), between)
    assert found["precision"] == 1
    assert found["density"] == pytest.approx(1 / 5)  # the ball of the outlier, of five that count
    found = means(between, torch.cat([cloud, outlier]))
    assert found["recall"] == 1
    assert found["coverage"] == 0


def test_of_one_distribution_density_and_coverage_are_what_chance_makes_them():
    n, m, k = 2000, 1000, 5
    found = overlap(torch.randn(n, 2), torch.randn(m, 2), k)
    # Among all n - 1 + m others, the k nearest of an example are real ones.
    uncovered = np.prod([(n - 1 - i) / (n - 1 + m - i) for i in range(k)])
    assert found.coverage.double().mean().item() == pytest.approx(1 - uncovered, abs=0.03)
    assert found.density.mean().item() == pytest.approx(1, abs=0.06)


def test_sets_without_so_many_neighbours_are_refused():
    with pytest.raises(
        ValueError, match="5 neighbours need more than 5 examples of each set, got 5"
    ):
        overlap(torch.randn(5, 2), torch.randn(9, 2))
    with pytest.raises(ValueError, match="got 9 and 5"):
        overlap(torch.randn(9, 2), torch.randn(5, 2))
    with pytest.raises(ValueError, match="neighbours must be at least 1, got 0"):
        overlap(torch.randn(5, 2), torch.randn(9, 2), 0)
