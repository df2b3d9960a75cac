"""The interface of every likelihood: what turns a decoder's output into a distribution."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from torch import Tensor, nn
from torch.distributions import Distribution


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
