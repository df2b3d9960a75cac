"""The interface of every likelihood: what turns a decoder's output into a distribution."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from torch import Tensor, nn
from torch.distributions import Distribution

GREY = frozenset({"unit interval", "256 levels"})  # what can be binarized
DISCRETE = frozenset({"binary", "256 levels", "tokens"})

FITTING = {  # of each support, what a user would try first
    "binary": "Bernoulli",
    "unit interval": "ContinuousBernoulli or Normal",
    "256 levels": "DiscretizedLogistic",
    "real": "Normal",
    "tokens": "Tokens",
}


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

    def point(self, p: Distribution) -> Tensor:
        """Return what stands for p(x | z) in a picture, ``(B, *X)``: its mean, if it has one."""
        return p.mean

    def example(self, p: Distribution) -> Tensor:
        """Return what a sample of the model shows, ``(B, *X)``: the point, if that is like data."""
        return self.point(p)

    def bits_per_dimension(self, elbo: Tensor) -> Tensor | None:
        """Turn an ELBO into a code length, -elbo / (n ln 2): of n pixels, or of n tokens.

        A density has none: its logarithm depends on the unit of the data.

        Args:
            elbo: In nats per example.
        """
        if not self.supports <= DISCRETE:
            return None
        counted = self.shape[:-1] if "tokens" in self.supports else self.shape
        return -elbo / (math.prod(counted) * math.log(2))

    def check_support(self, support: str) -> None:
        """Refuse data of which this is no likelihood.

        Raises:
            ValueError: The data have another support.
        """
        if support not in self.supports:
            binarize = "binary" in self.supports and support in GREY
            first = "binarize them (--data.binarization), or " if binarize else ""
            raise ValueError(
                f"{type(self).__name__} is a likelihood of {' or '.join(sorted(self.supports))} "
                f"data, but the data are {support}: {first}use "
                f"--model.likelihood {FITTING.get(support, 'of your own')}"
            )


class LikelihoodFactory(Protocol):
    """A class of likelihoods, or a partial of one: all is settled but the shape."""

    def __call__(self, *, shape: Sequence[int]) -> Likelihood: ...
