"""The interface of every prior.

A torch distribution does not follow ``.to(device)``, nor show in ``.parameters()``. A prior keeps
the parameters, and builds the distribution whenever it is called.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn
from torch.distributions import Distribution


class Encode(Protocol):
    """Encodes inputs that are no part of a batch, and leaves the encoder as it was."""

    def __call__(self, x: Tensor, c: Tensor, index: Tensor | None = None) -> Distribution:
        """Map ``(N, *X)`` and conditions ``(N, C)`` to q(z | x), of batch shape ``(N,)``.

        With an index, of any shape, its batch are the inputs of these numbers: what is encoded once
        may occur many times.
        """


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

    def build(self, shape: Sequence[int], encode: Encode) -> None:
        """Make what depends on the data's shape, or keep the encoder; by default nothing.

        The VAE calls it once, when its encoder is there.

        Args:
            shape: Shape ``*X`` of an example.
            encode: The encoder of the model that the prior is a part of.
        """

    def begin(self, x: Tensor, y: Tensor | None) -> None:
        """Start from training examples ``(examples, *X)``; by default not.

        The VAE calls it before a training, with as many examples as ``examples`` says.
        """

    examples: int = 0  # number of training examples that ``begin`` wants

    @abstractmethod
    def forward(self, c: Tensor) -> Distribution:
        """Build the prior.

        Args:
            c: Condition of shape ``(B, C)``, which an unconditional prior ignores.

        Returns:
            A distribution of event shape ``(D,)``; its batch shape is ``(B,)`` if the prior is
            conditional, and ``()`` otherwise.
        """


def require_condition(name: str, condition_dim: int, instead: str) -> None:
    """Refuse a prior p(z | c) where there is no c.

    Raises:
        ValueError: The model has no condition.
    """
    if condition_dim < 1:
        raise ValueError(
            f"{name} makes a prior p(z | c), and the model has no condition c: give it one, such "
            f"as --model.condition OneHot, or {instead}"
        )


class PriorFactory(Protocol):
    """A class of priors, or a partial of one: all is settled but the sizes."""

    def __call__(self, *, latent_dim: int, condition_dim: int) -> Prior: ...
