"""Images in two parts: what is seen, and what is to be drawn."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from vae_zoo.data import Completion, DataModule, Digits, Split, Splits
from vae_zoo.data.binarization import binarize

SIDES = {1: ["low left"], 2: ["low left", "high left"], 3: ["low left", "high left", "high right"]}


class Images(DataModule):
    """Images of any support, with labels that nobody needs."""

    shape, classes, support = (3, 5, 7), 2, "256 levels"

    def load(self):
        generator = torch.Generator().manual_seed(0)
        x = torch.randint(256, (60, *self.shape), generator=generator, dtype=torch.uint8)
        return Splits.at_random(Split(x, torch.arange(60) % 2), val=12, test=12, seed=0)


class Coins(Images):
    """The same, drawn anew from their grey levels for each batch."""

    support = "binary"

    def load(self):
        train, *rest = super().load()
        drawn = [Split(binarize(x, np.random.default_rng(0)), y) for x, y in rest]
        return Splits(train, *drawn)

    def augment(self, x, generator):
        return binarize(x, generator)


class Points(Images):
    """No images."""

    shape = (4,)


def quadrant(image, name):
    height, width = image.shape[-2] // 2, image.shape[-1] // 2
    rows = slice(height, None) if "low" in name else slice(height)
    columns = slice(width) if "left" in name else slice(width, None)
    return image[..., rows, columns]


@pytest.mark.parametrize("quadrants", [1, 2, 3])
@pytest.mark.parametrize("of", [Digits, Images])
def test_what_is_hidden_and_what_is_seen_are_the_image(of, quadrants):
    data = Completion(of(), quadrants)
    x, y = next(iter(data.test_dataloader()))
    image = torch.cat([x for x, _ in of().test_dataloader()])[: len(x)]
    assert torch.equal(data.join(x, y), image)
    assert data.shape == x.shape[1:]
    assert data.condition_shape == y.shape[1:] == of().shape
    assert (data.support, data.classes) == (of.support if of is Images else "binary", 0)


@pytest.mark.parametrize("quadrants", [1, 2, 3])
def test_the_seen_quadrants_are_those_that_are_named(quadrants):
    data = Completion(Images(), quadrants)
    _, y = next(iter(data.test_dataloader()))
    image, _ = next(iter(Images().test_dataloader()))
    for name in ("low left", "high left", "low right", "high right"):
        seen = name in SIDES[quadrants]
        expected = quadrant(image, name) if seen else torch.tensor(-1.0)
        assert_close(quadrant(y, name), expected.expand_as(quadrant(y, name)), rtol=0, atol=0)


@pytest.mark.parametrize("quadrants", [1, 2, 3])
def test_nothing_that_is_hidden_can_be_told_from_the_condition(quadrants):
    data, image = Completion(Digits(), quadrants), torch.rand(4, 1, 8, 8).round()
    x, y = data.batch(image, None)
    other = data.join(1 - x, y)
    assert not torch.equal(other, image)
    assert torch.equal(data.batch(other, None)[1], y)


@pytest.mark.filterwarnings("ignore:the .* examples of the")
def test_both_parts_are_cut_from_one_binarization():
    data = Completion(Coins(batch_size=36), quadrants=2)
    grey = torch.full((36, 3, 5, 7), 128, dtype=torch.uint8)
    grey[..., 4:] = grey[..., :3] = torch.tensor([0, 255, 128], dtype=torch.uint8)
    data.of.splits.train.x.copy_(grey)
    loader = data.train_dataloader()

    def epoch(number):
        loader.set_epoch(number)
        return data.join(*next(iter(loader)))

    first = epoch(0)
    assert first.unique().tolist() == [0, 1]
    assert torch.equal(first, epoch(0))
    assert not torch.equal(first, epoch(1))
    assert (first[..., [0, 4]] == 0).all()
    assert (first[..., [1, 5]] == 1).all()


def test_the_splits_are_those_of_the_images():
    data, digits = Completion(Digits(), quadrants=3), Digits()
    for name, split in digits.splits._asdict().items():
        assert torch.equal(getattr(data.splits, name).x, split.x)
    assert data.size == digits.size
    assert data.batch_size == digits.batch_size == 64


def test_a_picture_is_the_whole_image_with_a_tint_on_what_is_seen():
    data = Completion(Digits(), quadrants=1)
    image = torch.rand(4, 1, 8, 8).round()
    picture = data.picture(*data.batch(image, None))
    assert picture.shape == (4, 3, 8, 8)
    assert ((picture >= 0) & (picture <= 1)).all()
    hidden = ~torch.zeros(8, 8).bool()
    hidden[4:, :4] = False
    assert torch.equal(picture[..., hidden], image.expand(-1, 3, -1, -1)[..., hidden])
    red, _, blue = picture[:, :, ~hidden].unbind(1)
    assert torch.equal(blue > red, image[:, 0, ~hidden] == 0)
    assert (picture[:, :, ~hidden] == 1).eq(image[:, :, ~hidden] == 1).all()


def test_what_is_no_picture_has_none():
    class Layers(Images):
        shape = (5, 8, 8)

    data = Completion(Layers())
    x, y = data.batch(torch.zeros(2, 5, 8, 8, dtype=torch.uint8), None)
    assert data.picture(x, y) is None
    assert data.picture(x, None) is None


@pytest.mark.parametrize("quadrants", [0, 4])
def test_other_numbers_of_quadrants_are_refused(quadrants):
    with pytest.raises(ValueError, match=f"quadrants must be 1, 2 or 3, got {quadrants}"):
        Completion(Digits(), quadrants)


def test_data_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match=r"of must be data of images .* Points of shape \(4,\)"):
        Completion(Points())


def test_the_files_of_the_images_are_fetched():
    class Fetched(Images):
        fetched = False

        def prepare_data(self):
            self.fetched = True

    data = Completion(Fetched())
    data.prepare_data()
    assert data.of.fetched
