"""A data module that is held to a contract, and the examples that it has."""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vae_zoo.contract.examine import make_first
from vae_zoo.data import DataModule, Split
from vae_zoo.data.loaders import Batch

PART = 1000  # examples at once


class Data:
    """A data module, and another one that is made later, under another seed of the process.

    Args:
        factory: Makes the data module.

    Raises:
        ValueError: It refuses its options.
        OSError: Files are missing.
    """

    def __init__(self, factory: Callable[[], DataModule]) -> None:
        self.factory = factory
        self.module = self.make(seed=0)
        self.module.prepare_data()
        try:
            _ = self.module.splits
        except OSError:
            raise
        except Exception:
            return  # the first property tells it

    def make(self, seed: int) -> DataModule:
        """Make the data module under a seed of the process."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return make_first([self.factory])

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The splits as they are stored."""
        return dict(self.module.splits._asdict())

    def seen(self, name: str) -> Iterator[Batch]:
        """All examples of a split, as models see them."""
        split, generator = self.splits[name], np.random.default_rng(0)
        for start in range(0, len(split), PART):
            stop = min(start + PART, len(split))
            x, y = split.take(torch.arange(start, stop))
            yield self.module.batch(self.module.augment(x, generator) if name == "train" else x, y)


def rows(*parts: Tensor | None) -> list[bytes]:
    """The bytes of each example, of all tensors ``(N, ...)`` that there are."""
    flat = [part.reshape(len(part), -1).numpy() for part in parts if part is not None]
    return [b"".join(part.tobytes() for part in row) for row in zip(*flat, strict=True)]


def equal(one: Tensor | None, other: Tensor | None) -> bool:
    """Compare tensors, either of which may be missing."""
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)
