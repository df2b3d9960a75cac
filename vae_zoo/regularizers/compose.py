"""Regularizers made of others."""

from abc import ABC
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer


class Wrapper(Regularizer, ABC):
    """A regularizer that modifies another.

    Args:
        inner: The regularizer, with a weight of its own.
        weight: Factor on the whole.
    """

    def __init__(self, inner: Regularizer, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.inner = inner
        if inner.null_value is None:
            self.null_value = None
        else:
            self.null_value = inner.weight * inner.null_value
        self.biased, self.invariances, self.matches = inner.biased, inner.invariances, inner.matches

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return self.inner(q, p, z)  # type: ignore[no-any-return]

    def critic_loss(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor | None:
        return self.inner.critic_loss(q, p, z)

    @property
    def label(self) -> str:
        return f"{type(self).__name__}({self.inner.label})"


class Sum(Regularizer):
    """The sum of several regularizers, each with a weight of its own.

    Args:
        parts: The regularizers.
        weight: Factor on the sum.

    Raises:
        ValueError: There is no part.

    References:
        Zhao, Song and Ermon, InfoVAE: Balancing Learning and Inference in Variational Autoencoders,
        2019, eq. 6, adds two. https://arxiv.org/abs/1706.02262
    """

    def __init__(self, parts: Sequence[Regularizer], weight: float = 1.0) -> None:
        super().__init__(weight)
        if not parts:
            raise ValueError("parts must be one regularizer or more, got none")
        self.parts = nn.ModuleList(parts)
        nulls = [part.weight * part.null_value for part in parts if part.null_value is not None]
        self.null_value = sum(nulls) if len(nulls) == len(parts) else None
        self.biased = any(part.biased for part in parts)
        self.invariances = frozenset.intersection(*(part.invariances for part in parts))

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return torch.stack([part(q, p, z) for part in self.parts]).sum()

    def critic_loss(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor | None:
        losses = [part.critic_loss(q, p, z) for part in self._members()]
        found = [loss for loss in losses if loss is not None]
        return torch.stack(found).sum() if found else None

    def _members(self) -> list[Regularizer]:
        return [part for part in self.parts if isinstance(part, Regularizer)]

    @property
    def label(self) -> str:
        inner = " + ".join(part.label for part in self._members())
        return inner if self.weight == 1 else f"{self.weight:g} ({inner})"
