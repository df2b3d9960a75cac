"""What becomes of the scale of a likelihood whose location is the decoder's output."""

import math
from abc import ABC
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vae_zoo.likelihoods.base import Likelihood
from vae_zoo.precision import at_least_single

Learned = Literal["fixed", "scalar", "pixel", "decoded"]
FLOOR = 1e-3  # of the scale of a pixel, where it starts at 1: else a constant pixel's density
# would grow without end
ONE = math.log(math.e - 1)  # softplus(ONE) is 1


class LocationScale(Likelihood, ABC):
    """A family with a location and a scale.

    Args:
        shape: Shape of one example.
        scale: The scale, or where it starts if it is learned.
        learned: What of the scale is learned; ``fixed`` is a constant, ``scalar`` a parameter
            for all pixels, ``pixel`` one for each, and ``decoded`` comes from the decoder, for each
            pixel of each example. The last two stay above a thousandth of where they start.
        choices: What ``learned`` may be.

    Raises:
        ValueError: There is no such choice.
    """

    log_scale: Tensor

    def __init__(
        self, shape: Sequence[int], scale: float, learned: str, choices: Sequence[str]
    ) -> None:
        super().__init__(shape)
        if learned not in choices:
            raise ValueError(f"learned must be one of {', '.join(choices)}, got {learned}")
        self.learned = learned
        log_scale = torch.tensor(math.log(scale))
        if learned == "scalar":
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale, persistent=learned == "optimal")
        if learned == "pixel":
            self.factors = nn.Parameter(torch.zeros(self.shape))

    @property
    def params(self) -> tuple[int, ...]:
        first, *rest = self.shape
        return (2 * first if self.learned == "decoded" else first, *rest)

    def split(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the location ``(B, *X)`` and the scale, of any shape that fits."""
        loc, scale = at_least_single(params), at_least_single(self.log_scale).exp()
        if self.learned == "decoded":
            loc, factors = loc.chunk(2, dim=1)
        elif self.learned == "pixel":
            factors = at_least_single(self.factors)
        else:
            return loc, scale
        return loc, scale * (softplus(factors + ONE) + FLOOR)
