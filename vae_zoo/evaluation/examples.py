"""The examples of a run's data, as models see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data import DataModule
from vae_zoo.data.download import data_folder
from vae_zoo.data.loaders import Batch
from vae_zoo.data.splits import Splits
from vae_zoo.vae import VAE

SplitName = Literal["train", "val", "test"]


def read(model: VAE, data: DataModule) -> Splits:
    """Read the data of a run, which must be as its model knows them.

    A run may be another's, whose config may name any folder: data are downloaded to the user's own.

    Raises:
        FileNotFoundError: They are not there.
        ValueError: They have other sizes, or other labels than the model knows.
    """
    try:
        if all(root == data_folder(None) for root in _roots(data)):
            data.prepare_data()
        splits = data.splits
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; the run's config.yaml says where its data lie: put them there, or write "
            "there where they are"
        ) from error
    for size in ("shape", "classes", "condition_shape"):
        was, now = getattr(model, size), getattr(data, size)
        if now != was and (was or size == "shape"):  # a model may know of no labels
            raise ValueError(
                f"the run's data have changed: {size} is {now}, and that of its model is {was}"
            )
    return splits


def _roots(data: DataModule) -> Iterator[Path]:
    """The folders that data, and other data that they are made of, would be downloaded to."""
    if isinstance(root := getattr(data, "root", None), Path):
        yield root
    for part in vars(data).values():
        if isinstance(part, DataModule):
            yield from _roots(part)


def examples(model: VAE, data: DataModule, split: SplitName, n: int | None = None) -> Batch:
    """Take n examples of a split, the same each time; all of them if there are fewer, or n is None.

    Raises:
        ValueError: There would be none.
    """
    if n is not None and n < 1:
        raise ValueError(f"examples must be at least 1, got {n}")
    stored = getattr(read(model, data), split)
    if n is not None and n < len(stored.x):
        stored = stored.take(chosen(len(stored.x), n))
    x = stored.x
    if split == "train":
        x = data.augment(x, np.random.default_rng(0))
    return data.batch(x, stored.y)


def chosen(size: int, n: int) -> Tensor:
    """The numbers of the n examples of a split that are taken, in order; all if there are fewer."""
    return torch.from_numpy(np.sort(np.random.default_rng(0).permutation(size)[:n]))


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
