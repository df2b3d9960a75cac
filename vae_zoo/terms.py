"""The terms of a batch, and their means over many."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Terms(NamedTuple):
    """The terms of one batch, in nats.

    Models are trained by their ``loss`` and compared by their ``elbo``, which bounds log p(x)
    from below whatever the regularizer. Only ``KL(weight=1)`` makes the one minus the other.
    """

    loss: Tensor  # what is minimised, a scalar
    reconstruction: Tensor  # -log p(x | z), of shape (B,)
    kl: Tensor | None  # KL(q(z | x) ‖ p(z)), of shape (B,); None for a deterministic posterior
    penalty: Tensor  # the weighted regularizer, a scalar
    critic: Tensor | None = None  # an adversary's own loss, a scalar: not a part of the model's

    @property
    def elbo(self) -> Tensor | None:  # of shape (B,)
        return None if self.kl is None else -(self.reconstruction + self.kl)

    def detach(self) -> "Terms":
        """Cut the terms off from their gradients."""
        return Terms(
            self.loss.detach(),
            self.reconstruction.detach(),
            None if self.kl is None else self.kl.detach(),
            self.penalty.detach(),
            None if self.critic is None else self.critic.detach(),
        )

    def means(self) -> dict[str, Tensor]:
        """Average each term over the batch, in the order in which they are logged."""
        terms = {
            "loss": self.loss,
            "elbo": self.elbo,
            "reconstruction": self.reconstruction,
            "kl": self.kl,
            "penalty": self.penalty,
            "critic": self.critic,
        }
        return {name: term.mean() for name, term in terms.items() if term is not None}


class MeanTerms:
    """The mean of every term over all examples since the last time, of all ranks.

    A step only keeps its terms, on the device: to reduce or log each would cost more than that.

    Attributes:
        finite_only: Whether batches whose terms are not finite are left out.
    """

    def __init__(self) -> None:
        self.kept: list[Terms] = []
        self.finite_only = False

    def add(self, terms: Terms) -> None:
        """Keep the terms of a batch."""
        self.kept.append(terms.detach())

    def take(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Return the means, and begin anew; they are NaN where there is no example.

        Args:
            reduce: Sums a tensor over ranks.
        """
        first, kept, self.kept = self.kept[0], self.kept, []
        if self.finite_only:
            kept = [terms for terms in kept if _finite(terms)]
        sizes = first.loss.new_tensor([len(terms.reconstruction) for terms in kept])
        names = [name for name, term in first._asdict().items() if term is not None]
        totals = [_total([getattr(terms, name) for terms in kept], sizes) for name in names]
        *totals, examples = reduce(torch.stack([*totals, sizes.sum()]))
        means = {name: total / examples for name, total in zip(names, totals, strict=True)}
        return Terms(**{"kl": None, **means}).means()


def _finite(terms: Terms) -> bool:
    return bool(torch.stack([*terms.means().values()]).isfinite().all())


def _total(batches: list[Tensor], sizes: Tensor) -> Tensor:
    """Sum a term over all examples.

    Args:
        batches: Of each batch the term of its examples, ``(B,)``, or their mean, a scalar.
        sizes: Number B of each.
    """
    if not batches:
        return sizes.new_zeros(())
    if batches[0].dim():
        return torch.cat(batches).sum()
    return (torch.stack(batches) * sizes).sum()
