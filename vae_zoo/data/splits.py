"""What a data module holds in memory: train, val and test, checked against what it declares."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

Support = Literal["binary", "unit interval", "256 levels", "real", "tokens"]


class Split:
    """Examples x of shape ``(N, *X)``, with y: labels ``(N,)`` or other conditions, if any.

    Unpacks as ``x, y``.

    Args:
        x: Examples ``(M, *X)``.
        y: What belongs to the N examples of this split.
        rows: Which of x are in this split, ``(N,)``, where they are left in a file that is too
            large to be copied; by default all are.
    """

    def __init__(self, x: Tensor, y: Tensor | None = None, rows: Tensor | None = None) -> None:
        self._x, self.y, self._rows = x, y, rows

    @property
    def x(self) -> Tensor:
        """The examples; a copy where they are rows of a file, which may not fit into memory."""
        return self._x if self._rows is None else self._x.index_select(0, self._rows)

    @property
    def in_memory(self) -> bool:
        return self._rows is None

    def __len__(self) -> int:
        return len(self._x if self._rows is None else self._rows)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.x, self.y))

    def take(self, index: Tensor) -> Self:
        """Copy the examples of an index; some ten times faster than ``x[index]``."""
        rows = index if self._rows is None else self._rows.index_select(0, index)
        return type(self)(self._x.index_select(0, rows), self._of_y(index))

    def cut(self, start: int, stop: int) -> Self:
        """View the examples from start to stop, or copy them where they are rows of a file."""
        if self._rows is not None:
            return self.take(torch.arange(start, min(stop, len(self))))
        return type(self)(self._x[start:stop], None if self.y is None else self.y[start:stop])

    def leave(self, index: Tensor) -> Self:
        """The examples of an index, which stay where they are."""
        rows = index if self._rows is None else self._rows.index_select(0, index)
        return type(self)(self._x, self._of_y(index), rows)

    def contiguous(self) -> Self:
        """The same, with rows that do not lie apart."""
        return type(self)(self._x.contiguous(), self.y, self._rows)

    def _of_y(self, index: Tensor) -> Tensor | None:
        return None if self.y is None else self.y.index_select(0, index)


class Splits(NamedTuple):
    """The examples to train on, to choose by, and to report on."""

    train: Split
    val: Split
    test: Split

    @classmethod
    def at_random(cls, data: Split, val: int, test: int, seed: int) -> Self:
        """Split data into the rest, val and test examples; the seed alone decides which.

        Raises:
            ValueError: Nothing would be left to train on, or a split would be empty.
        """
        size = len(data)
        if min(val, test) < 1 or val + test >= size:
            raise ValueError(
                f"val and test must be positive and leave some of {size} examples to "
                f"train on, got {val} and {test}"
            )
        order = np.random.default_rng(seed).permutation(size)
        parts = np.split(order, [size - val - test, size - test])
        return cls(*(data.take(torch.from_numpy(index)) for index in parts))


def check_examples(
    name: str, x: Tensor, y: Tensor | None, shape: Sequence[int], condition_shape: Sequence[int]
) -> None:
    """Compare examples with the shapes that their data module declares.

    Raises:
        ValueError: They differ.
    """
    if tuple(x.shape[1:]) != tuple(shape):
        raise ValueError(
            f"the data module's shape is {tuple(shape)}, but its {name} examples have "
            f"the shape {tuple(x.shape[1:])}"
        )
    if condition_shape:
        found = None if y is None else tuple(y.shape[1:])
        if y is None or found != tuple(condition_shape) or not y.dtype.is_floating_point:
            has = "no conditions" if y is None else f"conditions of shape {found} and {y.dtype}"
            raise ValueError(
                f"the data module's condition_shape is {tuple(condition_shape)}, of floats, but "
                f"its {name} split has {has}"
            )


def check_finite(name: str, split: Split) -> None:
    """Look for values that are missing or infinite, in all examples and conditions.

    Raises:
        ValueError: There is one.
    """
    if not split.in_memory:  # whoever reads the file looks at it
        return
    for what, values in {"example": split.x, "condition": split.y}.items():
        # A sum is finite if all are, and many times faster than to look at each.
        if values is None or not values.is_floating_point() or values.sum().isfinite():
            continue
        bad = values.isfinite().logical_not().nonzero()
        if len(bad):
            number, *place = bad[0].tolist()
            at = f", at {tuple(place)}" if place else ""
            many = 1 + int(bad[:, 0].diff().count_nonzero())
            raise ValueError(
                f"{what} {number} of the {name} split (counted from 0) holds "
                f"{values[tuple(bad[0])].item()}{at}, as do {many} in all: fill it in, or leave "
                f"{'it' if many == 1 else 'them'} out"
            )


def warn_of_one(name: str, split: Split) -> None:
    """Warn where all examples are the same, from which nothing is learned."""
    if not split.in_memory:
        return
    x = split.x
    if len(x) > 1 and (x[:100] == x[0]).all() and (x == x[0]).all():
        value = f", all {x[0].flatten()[0].item():g}" if (x[0] == x[0].flatten()[0]).all() else ""
        warnings.warn(
            f"the {len(x)} examples of the {name} split are the same{value}", stacklevel=2
        )


def check_labels(name: str, split: Split, classes: int) -> None:
    """Compare all labels with the number that their data module declares.

    Raises:
        ValueError: They differ.
    """
    y = split.y
    if y is None or not classes:
        if y is None and not classes:
            return
        has = "no labels" if y is None else "labels"
        raise ValueError(f"the data module's classes is {classes}, but its {name} split has {has}")
    if y.shape != (len(split),) or y.dtype != torch.int64:
        raise ValueError(
            f"labels must be int64, one for each of the {len(split)} {name} examples, got "
            f"{y.dtype} of shape {tuple(y.shape)}"
        )
    low, high = y.aminmax()
    if low < 0 or high >= classes:
        raise ValueError(
            f"the {name} labels must lie in 0 to {classes - 1}, as classes says, "
            f"got {int(low)} to {int(high)}"
        )


_BELONGS: dict[str, Callable[[Tensor], Tensor]] = {
    "binary": lambda x: (x == 0) | (x == 1),
    "unit interval": lambda x: (x >= 0) & (x <= 1),
    "256 levels": lambda x: (x >= 0) & (x <= 1) & ((x * 255).round() / 255 == x),
    "real": torch.isfinite,
    "tokens": lambda x: ((x == 0) | (x == 1)) & (x.sum(-1, keepdim=True) == 1),  # one-hot
}


def check_support(name: str, x: Tensor, support: Support) -> None:
    """Look whether examples lie in the support that their data module declares.

    Raises:
        ValueError: There is no such support, or a value lies outside it.
    """
    if support not in _BELONGS:
        raise ValueError(f"support must be one of {', '.join(_BELONGS)}, got {support!r}")
    outside = x[~_BELONGS[support](x)]
    if len(outside):
        raise ValueError(
            f"the data module's support is {support!r}, but its {name} examples hold "
            f"{outside[0].item():.6g}"
        )
