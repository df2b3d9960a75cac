"""Data that are drawn by a formula: sizes, seeds, and what is refused."""

import pytest
import torch

from vae_zoo.data import LinearGaussian, Ring, Sprites

MODULES = [Ring, LinearGaussian, Sprites]


@pytest.mark.parametrize("family", MODULES)
def test_val_and_test_have_a_quarter_of_the_training_examples(family):
    splits = family(train=200).splits
    assert [len(split.x) for split in splits] == [200, 50, 50]


@pytest.mark.parametrize("family", MODULES)
def test_the_examples_follow_their_seed_and_nothing_else(family):
    first = family(train=40).splits
    torch.manual_seed(9)
    for one, again in zip(first, family(train=40, batch_size=3).splits, strict=True):
        assert torch.equal(one.x, again.x)
    assert not torch.equal(first.test.x, family(train=40, data_seed=1).splits.test.x)


@pytest.mark.parametrize("family", MODULES)
def test_a_batch_has_the_size_that_is_asked_for(family):
    x, _ = next(iter(family(train=40, batch_size=7).train_dataloader()))
    assert x.shape == (7, *family().shape)
    assert x.dtype == torch.float32


def test_sizes_of_a_linear_gaussian_are_options():
    data = LinearGaussian(dimension=5, latents=2, sigma=0.1)
    assert data.shape == (5,)
    assert data.w.shape == (5, 2)
    torch.testing.assert_close(data.w.T @ data.w, torch.diag(torch.tensor([4.0, 1.0]).double()))
    assert data.eigenvalues[-1].item() == pytest.approx(0.01)
    assert torch.equal(data.w, LinearGaussian(5, 2, data_seed=3).w)


def test_sprites_are_known_before_they_are_drawn():
    sprites = Sprites(side=48)
    assert (sprites.shape, sprites.classes, sprites.support) == ((1, 48, 48), 3, "binary")
    assert sprites.factors["test"].shape == (5000, 5)
    assert list(sprites.factor_sizes) == ["shape", "scale", "angle", "x", "y"]
    assert "splits" not in vars(sprites)


def test_no_combination_of_factors_occurs_twice_and_all_can_occur():
    sprites = Sprites(train=36_864)
    rows = torch.cat(list(sprites.factors.values()))
    assert len(rows.unique(dim=0)) == len(rows) == 55_296


def test_each_value_of_a_factor_is_equally_likely():
    factors = Sprites().factors["train"]
    for column, size in zip(factors.T, Sprites.factor_sizes.values(), strict=True):
        counts = torch.bincount(column, minlength=size)
        assert (counts - 20_000 / size).abs().max() < 6 * (20_000 / size) ** 0.5


REFUSED = {
    "train must be at least 4, got 3": lambda: Ring(train=3),
    "data_seed must be non-negative, got -1": lambda: LinearGaussian(data_seed=-1),
    "latents must be at least 1 and at most dimension, 3, got 4": lambda: LinearGaussian(3, 4),
    "latents must be at least 1 and at most dimension, 3, got 0": lambda: LinearGaussian(3, 0),
    "sigma must be positive, got 0": lambda: LinearGaussian(sigma=0),
    "sigma must be positive, got nan": lambda: LinearGaussian(sigma=float("nan")),
    "side must be at least 16, got 15": lambda: Sprites(side=15),
    "train must be at least 4 and at most 36864, got 36865": lambda: Sprites(train=36865),
    "data_seed must be non-negative, got -2": lambda: Sprites(data_seed=-2),
    "batch_size must be at least 1, got 0": lambda: Sprites(batch_size=0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_options_are_refused(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()
