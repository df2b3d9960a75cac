"""Data that nothing can be learned from are named before a training, with the place."""

import math
import time

import pytest
import torch

from vae_zoo.conditions import OneHot
from vae_zoo.data import DataModule, Split, Splits
from vae_zoo.likelihoods import ContinuousBernoulli
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


class Holes(DataModule):
    shape, support = (2, 4), "real"

    def __init__(self, split, value):
        super().__init__(batch_size=8)
        self.split, self.value = split, value

    def load(self):
        parts = {name: torch.ones(3000, 2, 4) for name in ("train", "val", "test")}
        parts[self.split][2500, 1, 3] = parts[self.split][2600, 0, 0] = self.value
        return Splits(*(Split(x) for x in parts.values()))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.filterwarnings("ignore:the 3000 examples")
def test_a_value_that_is_not_finite_is_named_wherever_it_is(split, value):
    where = rf"example 2500 of the {split} split .* holds {value}, at \(1, 3\), as do 2 in all"
    with pytest.raises(ValueError, match=where):
        _ = Holes(split, value).splits


class Conditions(DataModule):
    shape, support, condition_shape = (2,), "real", (3,)

    def load(self):
        y = torch.zeros(60, 3)
        y[41, 2] = math.nan
        split = Split(torch.randn(60, 2), y)
        return Splits(split, split, split)


def test_a_condition_that_is_missing_is_named():
    with pytest.raises(
        ValueError, match=r"condition 41 of the train split .* holds nan, at \(2,\)"
    ):
        _ = Conditions(batch_size=8).splits


class Same(DataModule):
    shape, support, classes = (1, 2, 2), "unit interval", 4

    def load(self):
        split = Split(torch.full((60, 1, 2, 2), 0.5), torch.full((60,), 3))
        return Splits(split, split, split)


def test_examples_that_are_the_same_are_warned_of_once_by_split():
    data = Same(batch_size=8)
    with pytest.warns(UserWarning, match="the 60 examples of the .* same, all 0.5") as caught:
        _ = data.splits
    assert len(caught) == 3


@pytest.mark.filterwarnings("ignore:the 60 examples of the")
def test_a_condition_with_one_label_is_warned_of(make_trainer):
    model = VAE((1, 2, 2), 2, KL(), condition=OneHot, classes=4, likelihood=ContinuousBernoulli)
    with pytest.warns(UserWarning, match="the 60 labels of the train split are all 3, so that One"):
        make_trainer(max_epochs=1).fit(model, Same(batch_size=8))


def test_sixty_thousand_images_are_looked_at_in_a_moment(monkeypatch):
    class Large(DataModule):
        shape, support = (1, 28, 28), "real"

        def load(self):
            x = torch.rand(60_000, 1, 28, 28)
            return Splits(Split(x), Split(x[:9]), Split(x[:9]))

    data = Large(batch_size=8)
    loaded = data.load()
    monkeypatch.setattr(data, "load", lambda: loaded)
    began = time.thread_time()
    _ = data.splits
    assert time.thread_time() - began < 0.3
