"""Families of p(x | z): modules that turn the output of the decoder into a distribution."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli as BernoulliDistribution
from torch.distributions import Distribution, Independent
from torch.distributions import Normal as NormalDistribution
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_zoo.precision import at_least_single


class Likelihood(nn.Module, ABC):
    """A family of p(x | z), normalised over its support.

    Args:
        shape: Shape of one example.
    """

    supports: ClassVar[frozenset[str]]  # the data that it is a likelihood of

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    @property
    @abstractmethod
    def params(self) -> tuple[int, ...]:
        """Shape of the parameters that one example needs."""

    @abstractmethod
    def forward(self, params: Tensor) -> Distribution:
        """Map ``(B, *params)`` to a distribution of batch shape ``(B,)`` over the data."""

    def check_support(self, support: str) -> None:
        """Refuse data of which this is no likelihood.

        Raises:
            ValueError: The data have another support.
        """
        if support not in self.supports:
            raise ValueError(
                f"{type(self).__name__} is a likelihood of {' or '.join(sorted(self.supports))} "
                f"data, but the data are {support}: {self.remedy}"
            )

    remedy: ClassVar[str] = "choose another likelihood"


class LikelihoodFactory(Protocol):
    """A class of likelihoods, or a partial of one: all is settled but the shape."""

    def __call__(self, *, shape: Sequence[int]) -> Likelihood: ...


class Bernoulli(Likelihood):
    """p(x | z) over binary data, one independent coin a pixel, from its logits.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, app. C.1.
        https://arxiv.org/abs/1312.6114
    """

    supports = frozenset({"binary"})
    remedy = "binarize them (--data.binarization), or use --model.likelihood Normal"

    @property
    def params(self) -> tuple[int, ...]:
        return self.shape

    def forward(self, params: Tensor) -> Distribution:
        coins = BernoulliDistribution(logits=at_least_single(params), validate_args=False)
        return IndependentBernoulli(coins, len(self.shape), validate_args=False)


class IndependentBernoulli(Independent):  # type: ignore[type-arg]
    """Independent coins, whose log-probability makes two passes fewer over the pixels."""

    def log_prob(self, value: Tensor) -> Tensor:
        logits = self.base_dist.logits
        if logits.shape != value.shape:
            logits, value = torch.broadcast_tensors(logits, value)  # type: ignore[no-untyped-call]
        losses = binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -losses.flatten(-self.reinterpreted_batch_ndims).sum(-1)


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
