"""Normals: the likelihood of real data."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.distributions import Normal as NormalDistribution

from vae_zoo.arguments import require_positive
from vae_zoo.likelihoods.scale import FLOOR, LocationScale
from vae_zoo.sampling import gather

Learned = Literal["fixed", "scalar", "pixel", "decoded", "optimal"]
MEMORY = 100  # batches of training, of which the optimal variance is kept


class Normal(LocationScale):
    """p(x | z) = N(x; m, σ²), with m from the decoder, and σ² as ``learned`` says.

    Its log-density includes the constant ½ ln 2πσ² of every pixel. On levels or binary data it is a
    density beside them, to be compared with other densities alone.

    The optimal variance of a training batch is its mean square error, at which the gradient of σ²
    vanishes (of a bound by several weights, only nearly). An evaluation, whose examples must not
    choose it, takes its mean over the last hundred or so batches of the training.

    Args:
        shape: Shape of one example.
        variance: The variance σ², or where it starts if it is learned.
        learned: ``fixed`` is a constant, ``scalar`` a parameter for all pixels, ``pixel`` one for
            each, ``decoded`` comes from the decoder for each pixel of each example, and ``optimal``
            is that of the batch, in closed form. The standard deviations of single pixels, and the
            optimal one, stay above a thousandth of where they start.

    Raises:
        ValueError: The variance is not positive, or there is no such choice.

    References:
        Rybkin, Daniilidis and Levine, Simple and Effective VAE Training with Calibrated Decoders,
        2021, sec. 3. https://arxiv.org/abs/2006.13202
    """

    supports = frozenset({"binary", "unit interval", "256 levels", "real"})
    batches: Tensor

    def __init__(
        self, shape: Sequence[int], variance: float = 1.0, learned: Learned = "fixed"
    ) -> None:
        require_positive("variance", variance)
        super().__init__(shape, math.sqrt(variance), learned, get_args(Learned))
        self.least = FLOOR**2 * variance
        if learned == "optimal":
            self.register_buffer("batches", torch.tensor(0))

    def forward(self, params: Tensor) -> Distribution:
        normal = NormalDistribution(*self.split(params), validate_args=False)
        if self.learned == "optimal" and self.training:
            return OptimalNormal(normal, len(self.shape), self._observe)
        return Independent(normal, len(self.shape), validate_args=False)

    def _observe(self, square_error: Tensor) -> Tensor:
        """Keep the mean square error of a batch, and return its root, alike on all ranks."""
        pooled = gather(square_error.reshape(1)).mean().clamp(min=self.least)
        self.batches = self.batches + 1
        kept = (2 * self.log_scale).exp()
        kept = kept + (pooled - kept) / self.batches.clamp(max=MEMORY)
        self.log_scale = kept.log() / 2
        return pooled.sqrt()


class OptimalNormal(Independent):  # type: ignore[type-arg]
    """Normals whose variance is the mean square error of what their density is asked at.

    Args:
        normal: Its means, and the scale for samples.
        dims: Number of dimensions of an example.
        observe: Turns the mean square error into the scale.
    """

    def __init__(
        self, normal: NormalDistribution, dims: int, observe: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__(normal, dims, validate_args=False)
        self.observe = observe

    def log_prob(self, value: Tensor) -> Tensor:
        loc = self.base_dist.loc
        # Detached: at the optimum the gradient of the variance is zero.
        scale = self.observe((value - loc.detach()).square().mean())
        normal = NormalDistribution(loc, scale, validate_args=False)
        return normal.log_prob(value).flatten(-self.reinterpreted_batch_ndims).sum(-1)  # type: ignore[no-any-return, no-untyped-call]
