"""The examples of a split, as models see them."""

from typing import Literal

import numpy as np
import torch

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch

SplitName = Literal["train", "val", "test"]


def examples(data: DataModule, split: SplitName, n: int | None = None) -> Batch:
    """Take n examples of a split, the same each time; all of them if there are fewer, or n is None.

    Raises:
        ValueError: There would be none.
    """
    if n is not None and n < 1:
        raise ValueError(f"examples must be at least 1, got {n}")
    data.prepare_data()
    stored = getattr(data.splits, split)
    generator = np.random.default_rng(0)
    if n is not None and n < len(stored.x):
        chosen = np.sort(generator.permutation(len(stored.x))[:n])
        stored = stored.take(torch.from_numpy(chosen))
    x = data.augment(stored.x, generator) if split == "train" else stored.x
    return data.batch(x, stored.y)


def shuffle_conditions(batch: Batch) -> Batch:
    """Give each example the condition of another one.

    Raises:
        ValueError: There is no condition.
    """
    x, y = batch
    if y is None:
        raise ValueError("the data have no conditions to shuffle")
    # In a circle, so that none keeps its own.
    order = np.random.default_rng(0).permutation(len(x))
    index = torch.empty(len(x), dtype=torch.long)
    index[order] = torch.from_numpy(np.roll(order, 1))
    return x, y[index]
