"""What a data module holds in memory: train, val and test, checked against what it declares."""

from typing import Literal, NamedTuple, Self, get_args

import numpy as np
import torch
from torch import Tensor

Support = Literal["binary", "unit interval", "256 levels", "real"]


class Split(NamedTuple):
    """Examples x of shape ``(N, *X)``, with labels y of shape ``(N,)`` where there are any."""

    x: Tensor
    y: Tensor | None = None

    def __getitem__(self, rows: slice | Tensor) -> Self:  # type: ignore[override]
        """Choose rows, in place of the fields by number."""
        return type(self)(self.x[rows], None if self.y is None else self.y[rows])
