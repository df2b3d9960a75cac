"""What section 8 of the experiments measures critics by: a distance that is known exactly."""

from unittest.mock import Mock

import ot
import pytest
import torch
from divergences import DISTANCES, D, called, estimated, normal


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_normal_that_is_moved_is_as_far_as_it_was_moved(distance):
    """No transport is shorter than the way of the means, and moving every point alike is one."""
    z = normal(0.0).sample().double()
    moved = z + (normal(distance).mean - normal(0.0).mean).double()
    assert moved.shape == (len(z), D)
    cost = ot.dist(z.numpy(), moved.numpy(), metric="euclidean")
    assert ot.emd2([], [], cost) == pytest.approx(distance)


def test_critics_find_it_but_for_a_clipped_one_that_finds_a_small_part(monkeypatch):
    monkeypatch.setattr("divergences.STEPS", 200)
    torch.manual_seed(0)
    assert estimated("penalty", 2.0, seed=0) == pytest.approx(1.0, abs=0.15)
    assert estimated("spectral", 2.0, seed=0) == pytest.approx(1.0, abs=0.05)  # it has slope 1
    assert estimated("clip", 2.0, seed=0) < 0.1


@pytest.mark.parametrize(
    ("label", "options", "name"),
    [
        ("KL", {}, "KL"),
        ("InfoVAE(MMD) · alpha 0.5", {}, "InfoVAE(MMD)"),
        ("Sum(KL + DIP)", {}, "KL + DIP"),
        ("CriticWasserstein", {"model.regularizer.lipschitz": "clip"}, "W₁, clipped"),
    ],
)
def test_a_divergence_is_called_by_its_parts_and_not_by_its_options(label, options, name):
    group = Mock(configuration=Mock(flat=options))
    assert called(Mock(label=label, groups={1.0: group})) == name
