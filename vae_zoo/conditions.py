"""Conditions c: what the encoder, the decoder and perhaps the prior know besides x and z."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


class Condition(nn.Module, ABC):
    """Maps labels to the features that a conditional model sees."""

    dim: int  # number C of features

    @abstractmethod
    def forward(self, y: Tensor | None) -> Tensor:
        """Map labels ``(B,)`` to conditions ``(B, C)``."""


class ConditionFactory(Protocol):
    """A class of conditions, or a partial of one: all is settled but the number of labels."""

    def __call__(self, *, classes: int) -> Condition: ...


class Unconditional(Condition):
    """No condition: labels are ignored, and c has no features."""

    empty: Tensor

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.dim = 0
        self.register_buffer("empty", torch.zeros(1, 0), persistent=False)

    def forward(self, y: Tensor | None) -> Tensor:
        return self.empty  # (1, 0), which expands to any batch


class OneHot(Condition):
    """A label as a one-hot vector: the conditional VAE.

    Args:
        classes: Number C of labels.

    Raises:
        ValueError: The data have no labels.

    References:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, 2015.
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError("OneHot needs labels, and the data have none: use Unconditional")
        self.dim = classes

    def forward(self, y: Tensor | None) -> Tensor:
        """Map labels ``(B,)`` to one-hot vectors ``(B, C)``.

        Raises:
            ValueError: There are no labels.
        """
        if y is None:
            raise ValueError("a model with the condition OneHot needs labels y, got None")
        return one_hot(y, self.dim).float()
