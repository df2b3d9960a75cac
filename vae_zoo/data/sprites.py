"""Small binary shapes, drawn from factors that are known."""

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.base import DataModule
from vae_zoo.data.splits import Split, Splits, Support

HEART_AREA, HEART_CENTRE = 3.66198, 0.29348  # of (u² + v² - 1)³ ≤ u² v³
ASPECT = 1.5  # of the ellipse
CHUNK = 1000  # images at once
Array = np.ndarray


def _heart(u: Array, v: Array) -> Array:
    u, v = (math.sqrt(HEART_AREA) * w for w in (u, v))
    v = HEART_CENTRE - v  # its tip is low
    squared = u * u
    bound = squared + v * v - 1
    return bound * bound * bound <= squared * v * v * v


SHAPES: tuple[Callable[[Array, Array], Array], ...] = (  # of area 1, with the centre of mass at 0
    lambda u, v: np.maximum(abs(u), abs(v)) <= 0.5,
    lambda u, v: u * u / ASPECT + v * v * ASPECT <= 1 / math.pi,
    _heart,
)
PERIODS = (math.pi / 2, math.pi, 2 * math.pi)  # after which each shape is the same again
SCALES = np.linspace(0.15, 0.3, 6, dtype=np.float32)  # √area, in sides of the image
CENTRES = np.linspace(0.22, 0.78, 16, dtype=np.float32)  # the largest shape stays inside
ANGLES = 12


class Sprites(DataModule):
    """A square, an ellipse or a heart: 3 shapes x 6 scales x 12 angles x 16 x 16 places, binary.

    Every image is one combination of the five factors, and none is drawn twice, so the splits have
    none in common; some small shapes at neighbouring angles fill the same pixels. All shapes of a
    scale have the same area. An angle is a twelfth of the turn after which the shape is the same
    again: of 90 degrees for the square, 180 for the ellipse, 360 for the heart. The label y is the
    shape.

    Attributes:
        factors: The factors of ``train``, ``val`` and ``test``, each ``(N, 5)``: numbers from 0 of
            the shape, the scale, the angle, the column x and the row y, in the order of examples.
        factor_sizes: How many values each factor has.
        categorical: The factors whose values have no order; that of an angle closes in a circle.

    Args:
        side: Width and height of an image, in pixels.
        train: Number of training examples; val and test have a quarter as many.
        data_seed: Decides which combinations are drawn, and nothing else does.
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: The images are too small, there are fewer than four examples or more than there
            are combinations, or the seed is negative.
    """

    classes = 3
    support: Support = "binary"
    factor_sizes: ClassVar[dict[str, int]] = {
        "shape": len(SHAPES),
        "scale": len(SCALES),
        "angle": ANGLES,
        "x": len(CENTRES),
        "y": len(CENTRES),
    }
    categorical: ClassVar[tuple[str, ...]] = ("shape",)

    def __init__(
        self, side: int = 32, train: int = 20_000, data_seed: int = 0, batch_size: int = 128
    ) -> None:
        super().__init__(batch_size)
        combinations = math.prod(self.factor_sizes.values())
        most = combinations * 2 // 3
        if side < 16:
            raise ValueError(f"side must be at least 16, got {side}")
        if not 4 <= train <= most:
            raise ValueError(f"train must be at least 4 and at most {most}, got {train}")
        if data_seed < 0:
            raise ValueError(f"data_seed must be non-negative, got {data_seed}")
        self.shape, self.data_seed = (1, side, side), data_seed
        order = np.random.default_rng(data_seed).permutation(combinations)[: train + train // 4 * 2]
        factors = np.stack(np.unravel_index(order, tuple(self.factor_sizes.values())), axis=1)
        parts = np.split(factors, [train, train + train // 4])
        names = Splits._fields
        self.factors = {n: torch.from_numpy(part) for n, part in zip(names, parts, strict=True)}

    def load(self) -> Splits:
        return Splits(
            *(Split(self.draw(part), part[:, 0].clone()) for part in self.factors.values())
        )

    def draw(self, factors: Tensor) -> Tensor:
        """Draw images, as bytes of 0 and 1, from factors ``(N, 5)``."""
        numbers = factors.numpy()
        images = np.empty((len(numbers), *self.shape), np.uint8)
        for shape, inside in enumerate(SHAPES):
            index = np.flatnonzero(numbers[:, 0] == shape)
            for part in np.split(index, range(CHUNK, len(index), CHUNK)):
                images[part, 0] = self._fill(inside, PERIODS[shape], *numbers[part, 1:].T)
        return torch.from_numpy(images)

    def _fill(
        self,
        inside: Callable[[Array, Array], Array],
        period: float,
        scale: Array,
        angle: Array,
        column: Array,
        row: Array,
    ) -> Array:
        """Tell which pixels have their middle in a shape, ``(N, H, W)``."""
        pixels = (np.arange(self.shape[1], dtype=np.float32) + 0.5) / self.shape[1]
        turn = (period * angle / ANGLES).astype(np.float32)
        cos, sin = (f(turn)[:, None] / SCALES[scale][:, None] for f in (np.cos, np.sin))
        x, y = pixels - CENTRES[column][:, None], pixels - CENTRES[row][:, None]  # (N, W), (N, H)
        u = (cos * x)[:, None, :] + (sin * y)[:, :, None]
        v = (cos * y)[:, :, None] - (sin * x)[:, None, :]
        return inside(u, v)
