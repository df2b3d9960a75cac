"""The interface of every posterior: what turns an encoder's output into a distribution."""

from abc import ABC, abstractmethod
from typing import Protocol

from torch import Tensor, nn
from torch.distributions import Distribution


class Posterior(nn.Module, ABC):
    """A family of q(z | x).

    Args:
        latent_dim: Number D of latent dimensions.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    @property
    @abstractmethod
    def params(self) -> tuple[int, ...]:
        """Shape of the parameters that one example needs."""

    @abstractmethod
    def forward(self, params: Tensor) -> Distribution:
        """Map ``(B, *params)`` to a distribution of batch shape ``(B,)``, event shape ``(D,)``.

        A VampPrior asks for one of batch shape ``(B, K)``, of ``(B, K, *params)``.
        """

    def point(self, q: Distribution) -> Tensor:
        """Return the code that stands for q(z | x), ``(B, D)``: its mean, if it has one."""
        return q.mean


class PosteriorFactory(Protocol):
    """A class of posteriors, or a partial of one: all is settled but the size."""

    def __call__(self, *, latent_dim: int) -> Posterior: ...
