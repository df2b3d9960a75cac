"""The interface of every condition."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn


class Condition(nn.Module, ABC):
    """Maps labels, vectors or images to the features that a conditional model sees."""

    dim: int  # number C of features

    @abstractmethod
    def forward(self, y: Tensor | None) -> Tensor:
        """Map labels ``(B,)``, or conditions ``(B, *Y)``, to features ``(B, C)``."""


class ConditionFactory(Protocol):
    """A class of conditions, or a partial of one: all is settled but what the data have.

    That is the number of labels, 0 without any, and the shape of a vector or an image, else ().
    """

    def __call__(self, *, classes: int, shape: Sequence[int]) -> Condition: ...
