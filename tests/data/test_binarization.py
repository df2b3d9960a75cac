"""Grey values kept, binarized or dequantized: what is drawn anew, and what once."""

import numpy as np
import pytest
import torch

from vae_zoo.data import Split, Splits
from vae_zoo.data.binarization import GreyData

LEVELS = torch.arange(256, dtype=torch.uint8).view(16, 1, 4, 4)


class Grey(GreyData):
    """All levels, in each split."""

    shape, x = (1, 4, 4), LEVELS

    def read(self):
        return Splits(Split(self.x), Split(self.x), Split(self.x))


class Tenths(Grey):
    """Values of the unit interval."""

    stored = "unit interval"
    x = LEVELS / 255


def training(data, epoch):
    loader = data.train_dataloader()
    loader.set_epoch(epoch)
    [(x, _)] = loader
    return x[x.flatten(1).argsort(0)[:, 0]] if data.binarization == "none" else x


@pytest.mark.parametrize("kind", [Grey, Tenths])
def test_a_threshold_is_at_half_of_the_values(kind):
    data = kind(16, binarization="threshold")
    assert data.support == "binary"
    for split in data.splits:
        assert split.x.flatten().tolist() == [0] * 128 + [1] * 128


@pytest.mark.parametrize("kind", [Grey, Tenths])
def test_static_values_are_drawn_once_for_each_split_and_alike_in_every_run(kind):
    first, other = kind(16, binarization="static"), kind(4, binarization="static")
    for split, again in zip(first.splits, other.splits, strict=True):
        assert torch.equal(split.x, again.x)
        assert split.x.unique().tolist() == [0, 1]
    train, val, test = (split.x for split in first.splits)
    assert not torch.equal(train, val)
    assert not torch.equal(val, test)
    counts = [sorted(training(first, epoch).sum(dim=(1, 2, 3)).tolist()) for epoch in (0, 1)]
    assert counts[0] == counts[1] == sorted(train.sum(dim=(1, 2, 3)).tolist())


def test_dynamic_values_of_training_are_drawn_from_levels_that_stay():
    data = Grey(16, binarization="dynamic")
    assert torch.equal(data.splits.train.x, LEVELS)
    ones = [training(data, epoch).sum() for epoch in range(5)]
    assert len(set(map(float, ones))) > 1
    assert not torch.equal(data.splits.val.x, data.splits.test.x)


def test_dequantized_values_are_anew_in_training_and_fixed_elsewhere():
    first, other = Grey(16, dequantization=True), Grey(4, dequantization=True)
    assert first.support == "unit interval"
    assert torch.equal(first.splits.train.x, LEVELS)
    assert torch.equal(first.splits.val.x, other.splits.val.x)
    assert torch.equal((first.splits.test.x * 256).floor().byte(), LEVELS)
    epochs = [training(first, epoch) for epoch in (0, 1)]
    assert not torch.equal(*epochs)
    assert torch.equal(*((x * 256).floor() for x in epochs))


def test_values_are_kept_unless_something_else_is_asked_for():
    data = Grey(16)
    assert data.support == "256 levels"
    assert all(torch.equal(split.x, LEVELS) for split in data.splits)
    assert torch.equal(training(data, 0), training(data, 1))
    assert torch.equal(data.augment(LEVELS, np.random.default_rng(0)), LEVELS)


def test_what_cannot_be_changed_so_is_refused():
    with pytest.raises(ValueError, match=r"binarization must be one of none, .* got 'grey'"):
        Grey(binarization="grey")
    with pytest.raises(ValueError, match="binarization none alone, got 'static'"):
        Grey(binarization="static", dequantization=True)
    with pytest.raises(ValueError, match="of 256 levels, and the data are unit interval"):
        Tenths(dequantization=True).setup("test")
    real = type("Real", (Tenths,), {"stored": "real"})
    with pytest.raises(ValueError, match="of grey values, and the data are real: leave it out"):
        real(binarization="static").setup("test")
