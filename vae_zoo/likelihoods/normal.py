"""Normals: the likelihood of real data."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent
from torch.distributions import Normal as NormalDistribution

from vae_zoo.likelihoods.base import Likelihood
from vae_zoo.precision import at_least_single


class Normal(Likelihood):
    """p(x | z) = N(x; m, σ² I), with m from the decoder and one σ² for all pixels.

    Its log-density includes the constant ½ ln 2πσ² of every pixel.

    Args:
        shape: Shape of one example.
        variance: The variance σ², or where it starts if it is learned.
        learned: Whether σ² is a parameter.

    Raises:
        ValueError: The variance is not positive.

    References:
        Rybkin, Daniilidis and Levine, Simple and Effective VAE Training with Calibrated Decoders,
        2021, sec. 3. https://arxiv.org/abs/2006.13202
    """

    supports = frozenset({"binary", "unit interval", "256 levels", "real"})
    log_scale: Tensor

    def __init__(self, shape: Sequence[int], variance: float = 1.0, learned: bool = False) -> None:
        super().__init__(shape)
        if not 0 < variance < math.inf:
            raise ValueError(f"variance must be positive, got {variance}")
        log_scale = torch.tensor(math.log(variance) / 2)
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale, persistent=False)

    @property
    def params(self) -> tuple[int, ...]:
        return self.shape

    def forward(self, params: Tensor) -> Distribution:
        loc = at_least_single(params)
        normal = NormalDistribution(loc, self.log_scale.exp(), validate_args=False)
        return Independent(normal, len(self.shape), validate_args=False)
