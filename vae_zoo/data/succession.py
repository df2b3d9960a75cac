"""Strings of digits as images, of which the next is one of two."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from vae_zoo.data.base import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.data.splits import Split, Splits


class Succession(DataModule):
    """Images of digits that count up or down by one; the next goes on or skips one, 50/50.

    With ten digits, 4, 5 is followed by 6 or by 7, and 5, 4 by 3 or by 2, modulo 10. So y, the
    images of the string as channels, leaves two digits for x, the next image: the mean of p(x | y)
    is a blur of both. Images are drawn by their labels from those of the same split, for training
    anew in each epoch, for val and test once and the same in every run. All strings, and both
    endings of each, are equally frequent.

    Args:
        of: Data of images with labels, such as ``Digits()``; its batch size is this one's.
        length: Number of digits that are seen. One would not show the direction.

    Raises:
        ValueError: The data are no images with five labels or more, or the string is too short, or
            so long that digits repeat.
    """

    def __init__(self, of: DataModule, length: int = 2) -> None:
        super().__init__(of.batch_size)
        if len(of.shape) != 3 or of.classes < 5:  # with fewer, up and down end alike
            raise ValueError(
                "of must be data of images (C, H, W) with at least 5 classes, got "
                f"{type(of).__name__} of shape {tuple(of.shape)} with {of.classes}"
            )
        if not 2 <= length < of.classes:  # a longer one might show the answer itself
            raise ValueError(
                f"length must be at least 2 and below the number of classes, {of.classes}, got "
                f"{length}"
            )
        self.of, self.length, self.support = of, length, of.support
        self.shape = of.shape
        self.condition_shape = (length * of.shape[0], *of.shape[1:])

    def prepare_data(self) -> None:
        self.of.prepare_data()

    def load(self) -> Splits:
        _, val, test = self.of.splits
        stacks = []
        for seed, (split, name) in enumerate(((val, "val"), (test, "test"))):
            images = ByClass(split, self.of.classes)
            drawn = images.draw(self.digits(name), np.random.default_rng(seed))
            stacks.append(Split(self._stack(drawn)))
        return Splits(Split(self.digits("train")), *stacks)

    def digits(self, name: str) -> Tensor:
        """Return the labels of a split's strings and next images, ``(N, length + 1)``, in order.

        Args:
            name: ``train``, ``val`` or ``test``.

        Raises:
            ValueError: The split has too few images.
        """
        size, period = len(getattr(self.of.splits, name).x), 4 * self.of.classes
        if size < period:
            raise ValueError(
                f"Succession needs at least {period} {name} images, {type(self.of).__name__} has "
                f"{size}"
            )
        return count(size - size % period, self.length, self.of.classes)

    @cached_property
    def _train(self) -> "ByClass":
        return ByClass(self.of.splits.train, self.of.classes)

    def augment(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Draw images of stored strings ``(B, length + 1)``."""
        return self._stack(self.of.augment(self._train.draw(x, generator), generator))

    def _stack(self, images: Tensor) -> Tensor:
        """Make channels of the images of a string."""
        return images.reshape(-1, images.shape[1] * (self.length + 1), *images.shape[2:])

    def batch(self, x: Tensor, y: Tensor | None) -> Batch:
        """Cut stacks of images into the last and those before it."""
        image, _ = self.of.batch(x.reshape(-1, *self.shape), None)
        stack = self._stack(image)
        channels = self.of.shape[0]
        return stack[:, -channels:], stack[:, :-channels]

    def picture(self, x: Tensor, y: Tensor | None) -> Tensor | None:
        """Show a string and its next image side by side."""
        if y is None:
            return None
        given = torch.split(y, self.shape[0], dim=1)
        shown = [self.of.picture(image, None) for image in (*given, x)]
        images = [pad(image, (0, 1), value=0.5) for image in shown if image is not None]
        if len(images) < len(shown):
            return None
        return torch.cat(images, dim=-1)[..., :-1]


def count(n: int, length: int, classes: int) -> Tensor:
    """List n strings and their next digits, ``(n, length + 1)``, all 4 · classes in turn."""
    number = torch.arange(n)
    step, first = 1 - 2 * (number % 2), number // 2 % classes
    skips = number // (2 * classes) % 2
    times = torch.arange(length + 1) + torch.zeros(n, 1, dtype=torch.long)
    times[:, -1] += skips
    return (first[:, None] + step[:, None] * times) % classes


class ByClass:
    """Images to be drawn by their labels.

    Args:
        split: Images ``(N, *X)`` with labels.
        classes: Number of labels.

    Raises:
        ValueError: There is a label without images.
    """

    def __init__(self, split: Split, classes: int) -> None:
        assert split.y is not None
        self.images, self.order = split.x, split.y.argsort(stable=True)
        self.counts = split.y.bincount(minlength=classes)
        self.starts = self.counts.cumsum(0) - self.counts
        if not self.counts.all():
            absent = (self.counts == 0).nonzero().flatten().tolist()
            raise ValueError(f"each class must have images in each split, got none of {absent}")

    def draw(self, labels: Tensor, generator: np.random.Generator) -> Tensor:
        """Draw an image for each of labels ``(...)``, in one row ``(labels, *X)``."""
        labels = labels.flatten()
        number = torch.from_numpy(generator.integers(self.counts[labels].numpy()))
        return self.images.index_select(0, self.order[self.starts[labels] + number])
