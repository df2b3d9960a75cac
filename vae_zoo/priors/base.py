"""The interface of every prior.

A torch distribution does not follow ``.to(device)``, nor show in ``.parameters()``. A prior keeps
the parameters, and builds the distribution whenever it is called.
"""

from abc import ABC, abstractmethod
from typing import Protocol

from torch import Tensor, nn
from torch.distributions import Distribution


class Prior(nn.Module, ABC):
    """p(z), or p(z | c).

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Number C of features of the condition, 0 where there is none.
    """

    def __init__(self, latent_dim: int, condition_dim: int = 0) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.condition_dim = condition_dim

    @abstractmethod
    def forward(self, c: Tensor) -> Distribution:
        """Build the prior.

        Args:
            c: Condition of shape ``(B, C)``, which an unconditional prior ignores.

        Returns:
            A distribution of event shape ``(D,)``; its batch shape is ``(B,)`` if the prior is
            conditional, and ``()`` otherwise.
        """


class PriorFactory(Protocol):
    """A class of priors, or a partial of one: all is settled but the sizes."""

    def __call__(self, *, latent_dim: int, condition_dim: int) -> Prior: ...
