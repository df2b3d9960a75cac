"""Batches cut by index from a split that lies in memory, without worker processes.

Lightning shares out only the batches of a ``DataLoader``: these loaders share out their own.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.splits import Split

Batch = tuple[Tensor, Tensor | None]


class Shuffled:
    """Equal batches in an order that the seed and the epoch alone decide.

    Batch b of R ranks, put together, is batch b of one process at R times the batch size.

    Args:
        split: Examples to train on; the last ones that fill no batch are left out of the epoch.
        batch_size: Number of examples per rank and step.
        prepare: Turns stored examples into those of a batch, with a generator for what is random.
        seed: Of the order, and of what ``prepare`` draws.
        rank: This process.
        ranks: Number of processes.

    Raises:
        ValueError: The examples do not fill one batch.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        prepare: Callable[[Split, np.random.Generator], Batch],
        seed: int,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        size, devices = len(split), f" on each of {ranks} devices" if ranks > 1 else ""
        if batch_size * ranks > size:
            raise ValueError(
                f"batch_size must be at most {size // ranks}{devices}: there are {size} training "
                f"examples, got {batch_size}"
            )
        self.split, self.batch_size, self.prepare = split, batch_size, prepare
        self.seed, self.rank, self.ranks = seed, rank, ranks
        self.epoch = 0

    @property
    def sampler(self) -> "Shuffled":
        """Where Lightning looks for ``set_epoch``, at the start of every epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.split) // (self.batch_size * self.ranks)

    def __iter__(self) -> Iterator[Batch]:
        # Lightning may ask for the iterator before it tells the epoch (of a resumed run): a
        # generator's body waits for the first batch.
        noise = np.random.default_rng((self.seed, self.epoch, 1 + self.rank))
        for index in self._order():
            yield self.prepare(self.split.take(index), noise)

    def numbers(self, batch: int) -> Tensor:
        """Say which examples of the split are in a batch of this epoch, ``(batch_size,)``."""
        return self._order()[batch]

    def _order(self) -> Tensor:
        order = np.random.default_rng((self.seed, self.epoch, 0)).permutation(len(self.split))
        whole = torch.from_numpy(order[: len(self) * self.ranks * self.batch_size])
        return whole.view(len(self), self.ranks, self.batch_size)[:, self.rank]


class InOrder:
    """Batches that hold every example once, the last one smaller.

    All ranks have the same number of batches, since a step may wait for the other ranks.

    Args:
        split: Examples to evaluate on.
        batch_size: Number of examples per rank and step.
        prepare: Turns stored examples into those of a batch.
        rank: This process.
        ranks: Number of processes.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        prepare: Callable[[Split], Batch],
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.split, self.prepare, self.rank, self.ranks = split, prepare, rank, ranks
        size = len(split)
        # A rest of fewer than four for each rank joins the batch before: no rank gets an empty
        # batch, nor one that a divergence of samples, or their moments, cannot be estimated from.
        starts = range(0, max(size - 4 * ranks + 1, 1), batch_size * ranks)
        self.bounds = list(zip(starts, [*starts[1:], size], strict=True))

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[Batch]:
        for start, stop in self.bounds:
            size = stop - start
            mine = (start + size * part // self.ranks for part in (self.rank, self.rank + 1))
            yield self.prepare(self.split.cut(*mine))
