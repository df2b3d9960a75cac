"""Data that are drawn by a formula, and so have a known truth."""

from abc import ABC, abstractmethod

import torch

from vae_zoo.data.base import DataModule
from vae_zoo.data.splits import Split, Splits


class Synthetic(DataModule, ABC):
    """Examples that are drawn, each split on its own.

    Args:
        train: Number of training examples; val and test have a quarter as many.
        data_seed: Of the examples, and of nothing else.
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: There are fewer than four examples, or the seed is negative.
    """

    def __init__(self, train: int, data_seed: int, batch_size: int) -> None:
        super().__init__(batch_size)
        if train < 4:
            raise ValueError(f"train must be at least 4, got {train}")
        if data_seed < 0:
            raise ValueError(f"data_seed must be non-negative, got {data_seed}")
        self.data_seed = data_seed
        self.sizes = (train, train // 4, train // 4)

    @abstractmethod
    def draw(self, n: int, generator: torch.Generator) -> Split:
        """Draw n examples, and labels if there are any."""

    def load(self) -> Splits:
        generator = torch.Generator().manual_seed(self.data_seed)
        return Splits(*(self.draw(size, generator) for size in self.sizes))
