"""A data set in memory, in three splits, that knows its shape before it is read."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from vae_zoo.data.loaders import Batch, InOrder, Shuffled
from vae_zoo.data.splits import (
    Split,
    Splits,
    Support,
    check_examples,
    check_finite,
    check_labels,
    check_support,
    warn_of_one,
)


class DataModule(LightningDataModule, ABC):
    """A data set in memory, whose batches are ``(x, y)``: x float, y a label, a condition or None.

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
        shape: Shape ``*X`` of an example; ``(T, V)`` of a text of T one-hot tokens out of V.
        classes: Number of labels, 0 where y is none, or is no label.
        condition_shape: Shape ``*Y`` of y where it is a vector or an image, ``()`` otherwise.
        support: Where the values of x lie.
        names: Names of the labels, by their numbers, or the characters of a text; none by default.

    Args:
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: The batch size is not positive.
    """

    shape: tuple[int, ...]
    classes: int = 0
    condition_shape: tuple[int, ...] = ()
    support: Support
    names: Sequence[str] = ()
    _learned: list[str] | None = None  # the names that a run was trained with

    def __init__(self, batch_size: int = 128) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size = batch_size
        self.seed = torch.initial_seed()

    def __str__(
        self,
    ) -> str:  # Lightning's reads the data, and fails on loaders that are not torch's
        return f"{type(self).__name__}: {self.support} data of shape {self.shape}"

    @abstractmethod
    def load(self) -> Splits:
        """Read the examples as they are stored.

        Levels, tokens' numbers and 0 and 1 may be uint8 or int16, all else is float32; labels are
        int64.
        """

    def augment(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Change stored training examples anew for each batch; by default not at all."""
        return x

    def batch(self, x: Tensor, y: Tensor | None) -> Batch:
        """Turn stored examples, augmented if they are trained on, into ``(x, y)`` as models see it.

        By default it turns levels into floats and tokens into one-hot vectors; y stays as it is.
        """
        if self.support == "tokens" and not x.dtype.is_floating_point:
            return one_hot(x.long(), self.shape[-1]), y
        # Levels are kept as bytes, a quarter of the memory.
        levels = self.support == "256 levels" and x.dtype == torch.uint8
        return x / 255 if levels else x.float(), y

    def picture(self, x: Tensor, y: Tensor | None) -> Tensor | None:
        """Show examples, given or generated, as images ``(N, C, H, W)`` with values in [0, 1].

        Returns:
            None if they are no images.
        """
        return x if x.dim() == 4 and x.shape[1] in (1, 3) else None

    def texts(self, x: Tensor) -> list[str] | None:
        """Show one-hot tokens ``(N, T, V)``, given or generated, as texts: by default numbers.

        Returns:
            None if they are no tokens.
        """
        if self.support != "tokens":
            return None
        return [" ".join(str(number) for number in row) for row in x.argmax(-1).tolist()]

    @property
    def known_names(self) -> Sequence[str]:
        """The names that a restored run was trained with, which need no data; else the data's."""
        return self.names if self._learned is None else self._learned

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: names, whose numbers are what the model knows of them."""
        return {"names": [*self.names]} if self.names else {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Remember the names of a run, which its data must have whenever they are read.

        Raises:
            ValueError: They were read, and have others.
        """
        names = state_dict.get("names")
        self._learned = [str(name) for name in names] if isinstance(names, list) else None
        if "splits" in vars(self):
            self._check_names()

    def _check_names(self) -> None:
        if self._learned is None or [*self.names] == self._learned:
            return
        new = [repr(name) for name in self.names if name not in self._learned]
        gone = [repr(name) for name in self._learned if name not in self.names]
        changes = "; ".join(
            f"{change}: {', '.join(names[:5])}"
            for change, names in {"new": new, "missing": gone}.items()
            if names
        )
        what = "characters" if self.support == "tokens" else "labels"
        raise ValueError(
            f"{getattr(self, 'path', None) or type(self).__name__} has other {what} than the run "
            f"was trained with ({changes or 'in another order'}): give it back the data that it "
            "had, or train another run"
        )

    @cached_property
    def splits(self) -> Splits:
        """The examples as they are stored, read once.

        Raises:
            ValueError: They are not what the data module says that they are.
        """
        # Rows that lie apart (Fortran order, as numpy may load it) are 50 times slower to select.
        splits = Splits(*(split.contiguous() for split in self.load()))
        self._check_names()
        for name, split in splits._asdict().items():
            if not len(split):
                raise ValueError(f"the {name} split has no examples")
            check_finite(name, split)
            first = split.cut(0, 1000)  # a wrong declaration shows in any of them
            generator = np.random.default_rng(0)
            x, y = self._augmented(first, generator) if name == "train" else self.batch(*first)
            check_examples(name, x, y, self.shape, self.condition_shape)
            if not self.condition_shape:
                check_labels(name, split, self.classes)
            check_support(name, x, self.support)
            warn_of_one(name, split)
        return splits

    @property
    def size(self) -> int:
        """Number of training examples."""
        return len(self.splits.train)

    def examples(self, n: int) -> Batch:
        """Take n training examples, the same each time; all of them if there are fewer."""
        generator = np.random.default_rng(0)
        order = generator.permutation(self.size)[:n]
        return self._augmented(self.splits.train.take(torch.from_numpy(order)), generator)

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
        prepare = self._augmented
        return Shuffled(self.splits.train, self.batch_size, prepare, self.seed, *self._place)

    def val_dataloader(self) -> InOrder:
        return self._in_order(self.splits.val)

    def test_dataloader(self) -> InOrder:
        return self._in_order(self.splits.test)

    def _in_order(self, split: Split) -> InOrder:
        return InOrder(split, self.batch_size, lambda split: self.batch(*split), *self._place)

    @property
    def _place(self) -> tuple[int, int]:
        """This process and the number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _augmented(self, split: Split, generator: np.random.Generator) -> Batch:
        return self.batch(self.augment(split.x, generator), split.y)


def one_hot(tokens: Tensor, vocabulary: int) -> Tensor:
    """Turn tokens' numbers ``(...)`` into floats ``(..., V)``, an eighth of the memory of torch's.

    Raises:
        ValueError: A token is none of the vocabulary's.
    """
    low, high = tokens.aminmax()
    if low < 0 or high >= vocabulary:
        raise ValueError(
            f"tokens must lie in 0 to {vocabulary - 1}, as the data module's shape says, "
            f"got {int(low)} to {int(high)}"
        )
    return torch.zeros(*tokens.shape, vocabulary).scatter_(-1, tokens.unsqueeze(-1), 1.0)
