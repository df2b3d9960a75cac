"""Strings of digits, of which the next is one of two."""

from collections import Counter

import numpy as np
import pytest
import torch

from vae_zoo.data import DataModule, Digits, Split, Splits, Succession
from vae_zoo.data.binarization import binarize


class Labelled(DataModule):
    """Images that show their label, how often it was, and their split: 16 · split + number."""

    shape, classes, support = (1, 1, 2), 10, "256 levels"

    def load(self):
        def split(number, size):
            y = torch.arange(size) % self.classes
            x = torch.stack([y, 16 * number + torch.arange(size) // self.classes], dim=1)
            return Split(x.to(torch.uint8).view(-1, 1, 1, 2), y)

        return Splits(split(0, 120), split(1, 87), split(2, 40))


def levels(images):
    return (images * 255).round().long()


def strings(batch, length=2):
    """The labels that a batch shows, of the strings and of what follows, ``(B, length + 1)``."""
    x, y = batch
    assert x.shape[1:] == (1, 1, 2)
    assert y.shape[1:] == (length, 1, 2)
    return levels(torch.cat([y, x], dim=1)[:, :, 0, 0])


def batch_of(data, name):
    return next(iter(getattr(data, f"{name}_dataloader")()))


@pytest.mark.parametrize("name", ["train", "val", "test"])
@pytest.mark.parametrize("length", [2, 3])
def test_strings_count_up_or_down_and_both_next_digits_are_equally_frequent(name, length):
    data = Succession(Labelled(batch_size=120 if name == "train" else 1000), length)
    shown = strings(batch_of(data, name), length)
    size = {"train": 120, "val": 80, "test": 40}[name]
    assert len(shown) == size
    counted = Counter(map(tuple, shown.tolist()))
    expected = {
        tuple((first + step * i) % 10 for i in [*range(length), length + skip])
        for first in range(10)
        for step in (1, -1)
        for skip in (0, 1)
    }
    assert set(counted) == expected
    assert set(counted.values()) == {size // 40}


def test_the_last_image_alone_does_not_tell_which_two_digits_may_follow():
    data = Succession(Labelled(batch_size=120))
    shown = strings(batch_of(data, "train"))
    after_five = {tuple(string[1:]) for string in shown.tolist() if string[1] == 5}
    assert after_five == {(5, 6), (5, 7), (5, 4), (5, 3)}


def test_the_data_module_knows_the_digits_of_the_strings():
    data = Succession(Labelled(batch_size=1000), length=3)
    assert torch.equal(data.digits("test"), strings(batch_of(data, "test"), length=3))


@pytest.mark.parametrize(("number", "name"), [(0, "train"), (1, "val"), (2, "test")])
def test_a_split_shows_images_of_that_split_alone_and_all_of_them(number, name):
    data = Succession(Labelled(batch_size=120))
    x, y = batch_of(data, name)
    images = levels(torch.cat([y, x], dim=1)[:, :, 0, 1])
    assert (images // 16 == number).all()
    shown = {"train": 12, "val": 8, "test": 4}[name]
    assert (images % 16).unique().tolist() == list(range(shown + (name == "val")))


def test_training_images_are_drawn_anew_in_each_epoch_and_the_others_once():
    data = Succession(Labelled(batch_size=40))
    loader = data.train_dataloader()

    def epoch(number):
        loader.set_epoch(number)
        return torch.cat([torch.cat([y, x], dim=1) for x, y in loader])

    assert torch.equal(epoch(0), epoch(0))
    ordered = [sorted(epoch(number).flatten(1).tolist()) for number in (0, 1)]
    assert ordered[0] != ordered[1]
    torch.manual_seed(9)
    again = Succession(Labelled(batch_size=7))
    for name in ("val", "test"):
        x = getattr(data.splits, name).x
        assert torch.equal(x, getattr(data.splits, name).x)
        assert torch.equal(x, getattr(again.splits, name).x)


def test_training_images_are_augmented_as_they_are_by_themselves():
    class Coins(Labelled):
        support = "binary"

        def load(self):
            train, *rest = super().load()
            return Splits(train, *(Split(x % 2, y) for x, y in rest))

        def augment(self, x, generator):
            assert x.shape[1:] == self.shape
            return binarize(torch.full_like(x, 128), generator)

    x, y = Succession(Coins(batch_size=120)).examples(120)
    assert x.unique().tolist() == y.unique().tolist() == [0, 1]
    assert x.mean() == pytest.approx(0.5, abs=0.15)


def test_digits_stand_in_the_order_of_the_string():
    data, digits = Succession(Digits(), length=3), Digits().splits.test
    images = map(tuple, digits.x.flatten(1).tolist())
    rows = dict(zip(images, digits.y.tolist(), strict=True))
    x, y = next(iter(data.test_dataloader()))
    images = torch.cat([y, x], dim=1).flatten(2).tolist()
    labels = [[rows[tuple(image)] for image in string] for string in images]
    differing = (torch.tensor(labels) != data.digits("test")[: len(x)]).sum()
    assert differing <= 2  # two binarized digits may look alike
    assert (data.shape, data.condition_shape) == ((1, 8, 8), (3, 8, 8))
    assert (data.support, data.classes, data.batch_size) == ("binary", 0, 64)


def test_a_picture_is_the_string_and_the_next_image_side_by_side():
    data = Succession(Digits(), length=3)
    x, y = next(iter(data.test_dataloader()))
    picture = data.picture(x, y)
    assert picture.shape == (64, 1, 8, 4 * 8 + 3)
    for i in range(3):
        assert torch.equal(picture[..., 9 * i : 9 * i + 8], y[:, i : i + 1])
        assert (picture[..., 9 * i + 8] == 0.5).all()
    assert torch.equal(picture[..., 27:], x)
    assert data.picture(x, None) is None


def test_colour_images_keep_their_channels_together():
    class Colours(Labelled):
        shape = (3, 2, 2)

        def load(self):
            y = torch.arange(60) % 10
            x = torch.arange(3)[:, None, None] + 20 * y[:, None, None, None]
            split = Split(x.expand(-1, -1, 2, 2).to(torch.uint8), y)
            return Splits(split, split, split)

    data = Succession(Colours())
    x, y = next(iter(data.test_dataloader()))
    assert levels(x[0, :, 0, 0]).tolist() == [40, 41, 42]
    assert levels(y[0, :, 0, 0]).tolist() == [0, 1, 2, 20, 21, 22]
    assert data.picture(x, y).shape == (40, 3, 2, 8)
    five = Succession(type("Layers", (Colours,), {"shape": (5, 2, 2)})())
    assert five.picture(torch.zeros(1, 5, 2, 2), torch.zeros(1, 10, 2, 2)) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": (4,)}, r"at least 5 classes, got Wrong of shape \(4,\) with 10"),
        ({"classes": 0}, r"at least 5 classes, got Wrong of shape \(1, 1, 2\) with 0"),
        ({"classes": 4}, "at least 5 classes, .* with 4"),
    ],
)
def test_data_without_enough_labelled_images_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Succession(type("Wrong", (Labelled,), wrong)())


@pytest.mark.parametrize("length", [1, 10])
def test_a_string_that_shows_no_direction_or_the_answer_is_refused(length):
    with pytest.raises(
        ValueError, match=f"length must be at least 2 and below .* 10, got {length}"
    ):
        Succession(Labelled(), length)


def test_splits_that_cannot_make_the_strings_are_refused():
    class Few(Labelled):
        def load(self):
            train, val, test = super().load()
            return Splits(train, val, test.cut(0, 39))

    class Gap(Labelled):
        def load(self):
            train, val, test = super().load()
            return Splits(train, Split(val.x, torch.where(val.y == 3, 4, val.y)), test)

    with pytest.raises(ValueError, match="needs at least 40 test images, Few has 39"):
        Succession(Few()).setup("fit")
    with pytest.raises(ValueError, match=r"must have images in each split, got none of \[3\]"):
        Succession(Gap()).setup("fit")


def test_all_images_of_a_class_are_drawn_equally_often():
    from vae_zoo.data.succession import ByClass

    split = Labelled().splits.train
    drawn = ByClass(split, 10).draw(torch.full((12_000,), 7), np.random.default_rng(0))
    assert (drawn[:, 0, 0, 0] == 7).all()
    counts = drawn[:, 0, 0, 1].long().bincount(minlength=12)
    assert (counts - 1000).abs().max() < 5 * (1000 * 11 / 12) ** 0.5


def test_the_files_of_the_images_are_fetched():
    class Fetched(Labelled):
        fetched = False

        def prepare_data(self):
            self.fetched = True

    data = Succession(Fetched())
    data.prepare_data()
    assert data.of.fetched
