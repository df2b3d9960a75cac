"""Logistic distributions cut into levels: a likelihood of 256 levels."""

import math
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.nn.functional import logsigmoid

from vae_zoo.likelihoods.scale import Learned, LocationScale

LEVELS = 256
LEAST = 1e-4  # a fortieth of a level
STEP = 1 / (LEVELS - 1)  # from a level to the next


class DiscretizedLogistic(LocationScale):
    """P(x | z) = F((x + h - m) / s) - F((x - h - m) / s), F logistic and 2h = 1/255 a level.

    The edge bins reach to infinity, so that it sums to 1 over the 256 levels of a pixel; m is from
    the decoder.

    Args:
        shape: Shape of one example.
        scale: The scale s, where the levels lie in [0, 1], or where it starts if it is learned.
        learned: ``fixed`` is a constant, ``scalar`` a parameter for all pixels, ``pixel`` one for
            each, and ``decoded`` comes from the decoder for each pixel of each example. The scales
            of single pixels stay above a thousandth of where they start.

    Raises:
        ValueError: The scale is below a fortieth of a level, or there is no such choice.

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016.
        https://arxiv.org/abs/1606.04934
        Salimans, Karpathy, Chen and Kingma, PixelCNN++, 2017, sec. 2.1 (the edge bins).
        https://arxiv.org/abs/1701.05517
    """

    supports = frozenset({"256 levels"})

    def __init__(
        self, shape: Sequence[int], scale: float = 0.1, learned: Learned = "pixel"
    ) -> None:
        if not LEAST <= scale < math.inf:  # in single precision, it would no longer sum to 1
            raise ValueError(f"scale must be at least {LEAST}, got {scale}")
        super().__init__(shape, scale, learned, get_args(Learned))

    def forward(self, params: Tensor) -> Distribution:
        return Independent(LogisticLevels(*self.split(params)), len(self.shape), False)


class LogisticLevels(Distribution):
    """A logistic variable, rounded to the nearest of 256 levels in [0, 1].

    Args:
        loc: Its location.
        scale: Its scale, of a shape that fits.
    """

    arg_constraints = {}  # noqa: RUF012 (declared so by torch)

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = torch.broadcast_tensors(loc, scale)  # type: ignore[no-untyped-call]
        super().__init__(self.loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The sum over levels of the probability to reach them, without a tensor of 256 levels."""
        mean = torch.zeros_like(self.loc)
        for level in range(1, LEVELS):
            mean = mean + ((self.loc - (level - 0.5) * STEP) / self.scale).sigmoid()
        return mean * STEP

    def log_prob(self, value: Tensor) -> Tensor:
        """Ln of F(a) - F(b) = F(a) F(-b) (1 - exp(b - a)), which no rounding makes zero."""
        below, above = value < STEP / 2, value > 1 - STEP / 2
        centred = value - self.loc
        of_a = logsigmoid((centred + STEP / 2) / self.scale).masked_fill(above, 0)
        of_b = logsigmoid((STEP / 2 - centred) / self.scale).masked_fill(below, 0)
        width = torch.log(-torch.expm1(-STEP / self.scale))
        return of_a + of_b + torch.where(below | above, 0.0, width)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        with torch.no_grad():
            u = self.loc.new_empty(*sample_shape, *self.loc.shape).uniform_()
            x = self.loc + self.scale * u.clamp(1e-7, 1 - 1e-7).logit()
            levels: Tensor = (x.clamp(0, 1) / STEP).round() / (LEVELS - 1)
            return levels
