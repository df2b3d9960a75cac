"""A data set in memory, in three splits, that knows its shape before it is read."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from vae_zoo.data.loaders import Batch, InOrder, Shuffled
from vae_zoo.data.splits import Split, Splits, Support, check_split, check_support


class DataModule(LightningDataModule, ABC):
    """A data set in memory, whose batches are ``(x, y)``: x float, y int64 labels or None.

    A data set of one's own says what it is and how it is read; ``--data mine.Points`` uses it::

        class Points(DataModule):
            'What I measured.'

            shape, support = (12,), "real"

            def load(self):
                x = torch.from_numpy(np.load("points.npy")).float()
                return Splits.at_random(Split(x), val=200, test=200, seed=0)

    The order of the training examples follows the seed of the process (``seed_everything``), as
    the initial weights do, and the epoch: a resumed run sees what it would have seen.

    Attributes:
        shape: Shape ``*X`` of an example.
        classes: Number of labels, 0 where there are none.
        support: Where the values of x lie.

    Args:
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: The batch size is not positive.
    """

    shape: tuple[int, ...]
    classes: int = 0
    support: Support

    def __init__(self, batch_size: int = 128) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size = batch_size
        self.seed = torch.initial_seed()

    @abstractmethod
    def load(self) -> Splits:
        """Read the examples: uint8 (levels, or 0 and 1 where binary) or float32, labels int64."""

    def augment(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Change stored training examples anew for each batch; by default not at all."""
        return x

    @cached_property
    def splits(self) -> Splits:
        """The examples as they are stored, read once.

        Raises:
            ValueError: They are not what the data module says that they are.
        """
        # Rows that lie apart (Fortran order, as numpy may load it) are 50 times slower to select.
        splits = Splits(*(Split(x.contiguous(), y) for x, y in self.load()))
        for name, split in splits._asdict().items():
            check_split(name, split, self.shape, self.classes)
            x = split.x[:1000]  # a wrong declaration shows in any of them
            if name == "train":
                x = self.augment(x, np.random.default_rng(0))
            check_support(name, self._scale(x), self.support)
        return splits

    @property
    def size(self) -> int:
        """Number of training examples."""
        return len(self.splits.train.x)

    def setup(self, stage: str) -> None:
        _ = self.splits
        if stage == "fit":
            self.train_dataloader()  # refuses a batch size that the examples cannot fill

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        x, y = batch
        return x.to(device), None if y is None else y.to(device)

    def train_dataloader(self) -> Shuffled:
        prepare = self._training_batch
        return Shuffled(self.splits.train, self.batch_size, prepare, self.seed, *self._place)

    def val_dataloader(self) -> InOrder:
        return InOrder(self.splits.val, self.batch_size, self._scale, *self._place)

    def test_dataloader(self) -> InOrder:
        return InOrder(self.splits.test, self.batch_size, self._scale, *self._place)

    @property
    def _place(self) -> tuple[int, int]:
        """This process and the number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _training_batch(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        return self._scale(self.augment(x, generator))

    def _scale(self, x: Tensor) -> Tensor:
        """Turn stored values into floats; levels are kept as bytes, a quarter of the memory."""
        levels = self.support == "256 levels" and x.dtype == torch.uint8
        return x / 255 if levels else x.float()
