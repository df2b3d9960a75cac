"""What arrays of a user's own are: their shape, where their values lie, and their labels."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.splits import Support

CHANNELS = (1, 3)
PIECE = 2**26  # bytes


def as_examples(where: str, x: np.ndarray, shape: Sequence[int] | None) -> np.ndarray:
    """Arrange examples as ``(N, *X)``, images with their channels first.

    Arrays ``(N, H, W)`` are grey images, ``(N, H, W, C)`` and ``(N, C, H, W)`` of 1 or 3 channels
    are images, and whatever else has more than one axis is taken as it is.

    Args:
        where: What to name in an error.
        x: The array.
        shape: The shape of an example, in the order of its values; None leaves the array's.

    Raises:
        ValueError: They are no numbers, none at all, not finite, or do not fill the shape.
    """
    if x.dtype.kind not in "biuf" or not x.size or not x.ndim:
        raise ValueError(f"{where} should hold numbers, some, got {x.dtype} of shape {x.shape}")
    if x.dtype.kind == "f":
        _check_finite(where, x)
    if shape is not None:
        if math.prod(shape) != x[0].size:
            raise ValueError(
                f"shape must hold the {x[0].size} values of an example of {where}, got "
                f"{list(shape)}"
            )
        return x.reshape(len(x), *shape)
    if x.ndim == 1:
        return x[:, np.newaxis]
    if x.ndim == 3:
        return x[:, np.newaxis]
    if x.ndim == 4 and x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS:
        return np.moveaxis(x, 3, 1)
    return x


def _check_finite(where: str, x: np.ndarray) -> None:
    before = 0
    for piece in pieces(x):
        finite = np.isfinite(piece.reshape(len(piece), -1)).all(axis=1)
        if not finite.all():
            row = before + int(np.argmin(finite))
            raise ValueError(
                f"{where} holds numbers that are not finite, first in example {row} (counted from "
                "0): fill them in, or leave the example out"
            )
        before += len(piece)


def pieces(x: np.ndarray) -> Iterator[np.ndarray]:
    """Views of some examples after others: what is computed of a large file fits into memory."""
    rows = max(1, PIECE // max(1, x[0].nbytes))
    return (x[start : start + rows] for start in range(0, len(x), rows))


def infer_support(parts: Sequence[np.ndarray]) -> Support:
    """Find where values lie: bytes and images of whole numbers to 255 are levels.

    Rows of whole numbers are real: they may be counts.
    """
    few = [piece for x in parts for piece in pieces(x)]
    if all(((x == 0) | (x == 1)).all() for x in few):
        return "binary"
    if all(x.dtype == np.uint8 for x in parts):
        return "256 levels"
    low, high = min(x.min() for x in few), max(x.max() for x in few)
    if low >= 0 and high <= 1:
        return "unit interval"
    images = all(x.ndim == 4 for x in parts)
    if images and low >= 0 and high <= 255 and all((x == np.round(x)).all() for x in few):
        return "256 levels"
    return "real"


def as_stored(where: str, x: np.ndarray, support: Support) -> Tensor:
    """Keep values as a data module stores them: levels and 0 and 1 in bytes, others as float32.

    Levels may be given as 0 to 255, or as 255ths; the unit interval as levels. An array in a file
    that is mapped into memory stays there if its values are stored so.

    Raises:
        ValueError: A value does not lie there.
    """
    dtype = np.dtype(np.uint8 if support in ("binary", "256 levels") else np.float32)
    if isinstance(x, np.memmap) and x.dtype == dtype and x.flags.c_contiguous:
        for piece in pieces(x):
            _check_values(where, piece, support)
        return torch.from_numpy(np.asarray(x))
    x = x.astype(np.uint8) if x.dtype == bool else x
    if support == "256 levels" and x.dtype.kind == "f" and x.min() >= 0 and x.max() <= 1:
        levels = x * 255
        # Rounded to 1e-4: a float32 of k / 255 is no multiple to the last bit.
        x = np.round(levels) if np.allclose(levels, np.round(levels), atol=1e-4) else levels
    if support == "unit interval" and x.dtype == np.uint8 and x.max() > 1:
        x = x / np.float32(255)
    _check_values(where, x, support)
    return torch.tensor(np.ascontiguousarray(x, dtype))


def _check_values(where: str, x: np.ndarray, support: Support) -> None:
    inside = {
        "binary": (x == 0) | (x == 1),
        "unit interval": (x >= 0) & (x <= 1),
        "256 levels": (x >= 0) & (x <= 255) & (x == np.round(x)),
        "real": np.isfinite(x),
    }[support]
    if not inside.all():
        raise ValueError(
            f"{where} holds {x[~inside][0]:.6g}, which is not {support}: mend it, or train with "
            "another --data.support"
        )
    if support == "real" and (beyond := np.abs(x) > np.finfo(np.float32).max).any():
        raise ValueError(
            f"{where} holds {x[beyond][0]:.6g}, which is too large for float32: standardize it"
        )


def number_labels(where: str, y: np.ndarray, names: Sequence[str]) -> Tensor:
    """Turn integers or words into their places among names.

    Raises:
        ValueError: One of them is not there.
    """
    places = {name: place for place, name in enumerate(names)}
    values, inverse = np.unique(y, return_inverse=True)
    if strange := [str(value) for value in values if str(value) not in places]:
        raise ValueError(
            f"{where} has the label {strange[0]!r}, and the labels are "
            f"{', '.join(map(repr, names[:20]))}"
        )
    order = np.asarray([places[str(value)] for value in values])
    return torch.from_numpy(order[inverse]).long()
