"""Grey values as they are stored, made binary, or made continuous."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.base import DataModule
from vae_zoo.data.splits import Split, Splits, Support

Binarization = Literal["none", "threshold", "static", "dynamic"]
LEVELS = torch.uint8


class GreyData(DataModule, ABC):
    """Data of levels, or of the unit interval, that may be binarized or dequantized.

    Static and dynamic binary values are drawn with the grey value as their probability.
    Dequantized data are (level + u) / 256 with u ~ U(0, 1): data with a density, whose
    expectation under a model is at most its log-probability of the levels plus D ln 256.

    What is drawn for val and test is drawn once, and the same in every run.

    Args:
        batch_size: Number of examples per device and step.
        binarization: ``threshold`` makes a value 1 above a half; ``static`` draws all values once,
            the same in every run; ``dynamic`` draws those to train on anew in each epoch; ``none``
            keeps them grey.
        dequantization: Whether levels are dequantized, those to train on anew in each epoch.

    Raises:
        ValueError: There is no such binarization, or values would be dequantized besides.

    References:
        R. Salakhutdinov and I. Murray, On the Quantitative Analysis of Deep Belief Networks, 2008,
        https://doi.org/10.1145/1390156.1390266 (binary digits drawn from grey levels)
        L. Theis, A. van den Oord and M. Bethge, A Note on the Evaluation of Generative Models,
        2016, sec. 3.1, https://arxiv.org/abs/1511.01844 (dequantization)
    """

    def __init__(
        self,
        batch_size: int = 128,
        binarization: Binarization = "none",
        dequantization: bool = False,
    ) -> None:
        super().__init__(batch_size)
        if binarization not in (choices := get_args(Binarization)):
            raise ValueError(
                f"binarization must be one of {', '.join(choices)}, got {binarization!r}"
            )
        if dequantization and binarization != "none":
            raise ValueError(
                "dequantization is of grey levels, and goes with binarization none alone, got "
                f"{binarization!r}"
            )
        self.binarization, self.dequantization = binarization, dequantization

    stored: Support = "256 levels"  # where the values lie as they are read

    @cached_property
    def support(self) -> Support:  # type: ignore[override]  # once the data are known
        """Where the values lie once they are changed.

        Raises:
            ValueError: The values that are read cannot be changed so.
        """
        if self.binarization != "none":
            if self.stored in ("unit interval", "256 levels"):
                return "binary"
            raise ValueError(
                f"binarization is of grey values, and the data are {self.stored}: leave it out, "
                f"got {self.binarization!r}"
            )
        if self.dequantization and self.stored != "256 levels":
            raise ValueError(
                f"dequantization is of 256 levels, and the data are {self.stored}: leave it out, "
                "got true"
            )
        return "unit interval" if self.dequantization else self.stored

    @abstractmethod
    def read(self) -> Splits:
        """Read the examples as they are stored: levels in bytes, all else as float32."""

    def load(self) -> Splits:
        train, val, test = self.read()
        if self.binarization in ("threshold", "static"):
            train = self.change_once(train, seed=2)
        return Splits(train, self.change_once(val, seed=0), self.change_once(test, seed=1))

    def augment(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        anew = self.dequantization or self.binarization == "dynamic"
        return self._change(x, generator) if anew else x

    def texts(self, x: Tensor) -> None:
        return None  # without a look at the support, which may need a file

    def change_once(self, split: Split, seed: int) -> Split:
        """Binarize or dequantize stored examples, if that is asked for, the same each time."""
        if not self.dequantization and self.binarization == "none":
            return split
        return Split(self._change(split.x, np.random.default_rng(seed)), split.y)

    def _change(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        if self.dequantization:
            return dequantize(x, generator)
        if self.binarization == "threshold":
            return (x > (127 if x.dtype == LEVELS else 0.5)).to(torch.uint8)
        return binarize(x, generator)


def binarize(x: Tensor, generator: np.random.Generator) -> Tensor:
    """Draw x ~ Bernoulli(grey), 0 or 1 in bytes, from levels in bytes or from grey floats.

    The probabilities of levels, level / 255, are right to 2^-16: 16 random bits cost half of a
    uniform float.
    """
    grey = x.numpy()
    if x.dtype != LEVELS:
        ones = generator.random(grey.shape, dtype=np.float32) < grey
        return torch.from_numpy(ones.view(np.uint8))
    u = generator.integers(2**16, size=grey.shape, dtype=np.uint16)
    ones = (u < grey.astype(np.uint16) * 257) | (grey == 255)  # 257 / 2^16 is nearly 1 / 255
    return torch.from_numpy(ones.view(np.uint8))


def dequantize(x: Tensor, generator: np.random.Generator) -> Tensor:
    """Draw (level + u) / 256, u ~ U(0, 1), from levels in bytes: floats inside (0, 1).

    The noise u is one of 2^15 midpoints, so that no sum is rounded, to 1 least of all.
    """
    u = generator.integers(2**15, size=x.shape, dtype=np.uint16).astype(np.float32)
    return torch.from_numpy((x.numpy() * np.float32(2**15) + u + np.float32(0.5)) / 2**23)
