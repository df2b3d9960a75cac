"""The interface of every network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Network(nn.Module, ABC):
    """An encoder, a decoder or a critic."""

    @abstractmethod
    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Map ``(B, *in_shape)``, and a condition ``(B, C)``, to ``(B, *out_shape)``."""


class NetworkFactory(Protocol):
    """A class of networks, or a partial of one: all is settled but the sizes."""

    def __call__(
        self, *, in_shape: Sequence[int], out_shape: Sequence[int], condition_dim: int
    ) -> Network: ...


def join(x: Tensor, c: Tensor) -> Tensor:
    """Append a condition ``(B, C)`` or ``(1, C)`` to the features ``(B, N)`` of each example."""
    return torch.cat([x, c.expand(len(x), -1)], dim=1) if c.shape[1] else x
