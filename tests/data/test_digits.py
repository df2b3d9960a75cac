"""scikit-learn's digits."""

import pytest
import torch
from sklearn.datasets import load_digits

from vae_zoo.data import Digits


def rows(x):
    return [tuple(row) for row in x.flatten(1).tolist()]


def test_sizes_are_known_before_the_data_are_read():
    digits = Digits()
    assert (digits.shape, digits.classes, digits.support) == ((1, 8, 8), 10, "binary")
    assert "splits" not in vars(digits)


def test_the_three_splits_are_all_digits_once():
    images, labels = load_digits(return_X_y=True)
    splits = Digits(binarization="none").splits
    assert [len(split.x) for split in splits] == [1397, 200, 200]
    pairs = [pair for x, y in splits for pair in zip(rows(x * 16), y.tolist(), strict=True)]
    assert sorted(pairs) == sorted(zip(map(tuple, images.tolist()), labels.tolist(), strict=True))


def test_the_split_follows_its_seed_and_nothing_else():
    first = Digits().splits
    torch.manual_seed(9)
    assert torch.equal(first.val.x, Digits(batch_size=100).splits.val.x)
    assert not torch.equal(first.val.x, Digits(split_seed=1).splits.val.x)


def test_a_pixel_is_one_above_half_of_its_levels():
    grey, binary = Digits(binarization="none"), Digits()
    assert grey.support == "unit interval"
    assert torch.equal(binary.splits.test.x, (grey.splits.test.x > 0.5).float())


def test_a_batch_is_floats_of_the_shape_and_labels():
    x, y = next(iter(Digits(batch_size=10).train_dataloader()))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((10, 1, 8, 8), torch.float32, (10,), torch.long)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="binarization must be threshold or none, got 'dynamic'"):
        Digits(binarization="dynamic")
    with pytest.raises(ValueError, match="split_seed must be non-negative, got -1"):
        Digits(split_seed=-1)
