"""No condition."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vae_zoo.conditions.base import Condition


class Unconditional(Condition):
    """No condition: labels are ignored, and c has no features."""

    empty: Tensor

    def __init__(self, classes: int = 0, shape: Sequence[int] = ()) -> None:
        super().__init__()
        self.dim = 0
        self.register_buffer("empty", torch.zeros(1, 0), persistent=False)

    def forward(self, y: Tensor | None) -> Tensor:
        return self.empty  # (1, 0), which expands to any batch
