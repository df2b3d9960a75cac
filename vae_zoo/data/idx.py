"""Images and labels in idx files: MNIST's format, and that of its successors."""

import gzip
import math
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.binarization import Binarization, GreyData
from vae_zoo.data.splits import Split, Splits

UNSIGNED_BYTES = 8  # the type code of all files of images and labels


def parse_idx(content: bytes) -> Tensor:
    """Read bytes of an idx file: 0, 0, type, number of dimensions, each as 4 bytes, values.

    Raises:
        ValueError: They are something else, or not all there.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ValueError(f"an idx file begins with two zeros and its type, got {content[:4]!r}")
    kind, dimensions = content[2:4]
    if kind != UNSIGNED_BYTES:
        raise ValueError(f"its type must be unsigned bytes, 8, got {kind}")
    start = 4 + 4 * dimensions
    if dimensions < 1 or len(content) < start:
        raise ValueError(f"its header of {dimensions} dimensions is cut off")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4)]
    if math.prod(shape) != len(content) - start:
        raise ValueError(
            f"its header says {' x '.join(map(str, shape))} values, got {len(content) - start}"
        )
    return torch.tensor(np.frombuffer(content, np.uint8, offset=start).reshape(shape))


def decompress(content: bytes) -> bytes:
    """Take the gzip off, if there is one.

    Raises:
        ValueError: It is broken.
    """
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"its gzip is broken: {error}") from error


class IDX(GreyData):
    """Images in idx files by path: Fashion-MNIST, KMNIST, MNIST, or one's own.

    The last ``val`` images to train on are the validation split.

    Args:
        path: Folder of ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
            ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each with ``.gz`` or not.
        batch_size: Number of examples per device and step.
        binarization: ``threshold`` makes a pixel 1 above half of its levels; ``static`` draws every
            pixel from its grey level once; ``dynamic`` draws those to train on anew in each epoch
            (binary data); ``none`` keeps the grey levels (256 levels).
        dequantization: Whether grey levels become (level + u) / 256, u ~ U(0, 1), anew in each
            epoch (data on the unit interval).
        val: Number of validation images.

    Raises:
        ValueError: An option is none, or does not go with another.

    References:
        H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747
        T. Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018,
        https://arxiv.org/abs/1812.01718 (KMNIST)
    """

    def __init__(
        self,
        path: str | Path,
        batch_size: int = 128,
        binarization: Binarization = "none",
        dequantization: bool = False,
        val: int = 10_000,
    ) -> None:
        super().__init__(batch_size, binarization, dequantization)
        if val < 1:
            raise ValueError(f"val must be at least 1, got {val}")
        self.path, self.val = Path(path).expanduser(), val

    @cached_property
    def parts(self) -> tuple[Split, Split]:
        """The images to train on and to test on, with their labels, as the files have them."""
        train, test = self._part("train"), self._part("t10k")
        if train.x.shape[1:] != test.x.shape[1:]:
            raise ValueError(
                f"{self.path}: images to train on and to test on must be of one size, got "
                f"{tuple(train.x.shape[2:])} and {tuple(test.x.shape[2:])}"
            )
        return train, test

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]  # of the files
        return tuple(self.parts[0].x.shape[1:])

    @cached_property
    def classes(self) -> int:  # type: ignore[override]
        return 1 + max(int(part.y.max()) for part in self.parts if part.y is not None)

    def read(self) -> Splits:
        train, test = self.parts
        border = len(train.x) - self.val
        if border < 1:
            raise ValueError(
                f"val must leave some of {len(train.x)} images to train on, got {self.val}"
            )
        return Splits(train.cut(0, border), train.cut(border, len(train.x)), test)

    def _part(self, part: str) -> Split:
        images, labels = self._file(f"{part}-images", 3), self._file(f"{part}-labels", 1)
        if not len(images) or len(images) != len(labels):
            raise ValueError(
                f"{self.path}: {part} must have as many labels as images, and some, got "
                f"{len(labels)} and {len(images)}"
            )
        return Split(images.unsqueeze(1), labels.long())

    def _file(self, name: str, dimensions: int) -> Tensor:
        plain = self.path / f"{name}-idx{dimensions}-ubyte"
        path = plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")
        if not path.is_file():
            raise FileNotFoundError(f"{self.path} lacks {plain.name}, or {path.name}")
        try:
            values = parse_idx(decompress(path.read_bytes()))
        except ValueError as error:
            raise ValueError(f"{path} is no idx file of images or labels: {error}") from error
        if values.dim() != dimensions:
            raise ValueError(f"{path} must have {dimensions} dimensions, got {values.dim()}")
        return values
