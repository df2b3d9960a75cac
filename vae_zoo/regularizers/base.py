"""The interface of every regularizer."""

import math
from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution


class Regularizer(nn.Module, ABC):
    """A penalty that pulls the codes of the encoder towards the prior.

    A new regularizer implements :meth:`divergence`, in a file of its own:

    >>> class Moments(Regularizer):
    ...     def divergence(self, q, p, z):
    ...         return (gather(z).mean(0) - gather(draw(p)).mean(0)).square().sum()

    It is then at once available to Python, as ``VAE(..., regularizer=Moments(weight=10.0))``, and
    to the command line, as ``--model.regularizer mine.Moments``.

    A class declares where its divergence is not what one expects of it; ``vae-zoo check`` holds it
    to that.

    Attributes:
        null_value: The divergence where q(z | x) = p for all x, or None where it has no bound.
        biased: Whether the expectation of the divergence depends on the number of examples.
        invariances: Changes of the codes by which it does not grow: "shift", "scale".
        comparable: Whether its values in two epochs can be compared, so that the best epoch is that
            of the lowest loss; they cannot be where a critic learns on, and the last epoch counts.
        matches: Which codes equal the prior at the null value: all of q(z | x), or its means alone.
        optimizer_options: Of the regularizer's own parameters, if it has any.
        step: Number of optimizer steps taken; the VAE sets it before each.
        dataset_size: Number N of training examples; the VAE sets it from the data module.

    Args:
        weight: Factor λ on the divergence.

    Raises:
        ValueError: The weight is negative or not finite.
    """

    null_value: float | None = 0.0
    biased: bool = False
    comparable: bool = True
    invariances: frozenset[str] = frozenset()
    matches: Literal["posterior", "means"] = "posterior"
    optimizer_options: dict[str, Any]

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= weight < math.inf:
            raise ValueError(f"weight must be non-negative, got {weight}")
        self.weight = weight
        self.optimizer_options = {}
        self.step = 0
        self.dataset_size: int | None = None

    @abstractmethod
    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Measure how far the codes are from the prior, unweighted.

        The arguments hold this rank's examples. That is enough for a mean over examples, since
        gradients are averaged over ranks; a divergence that compares examples with one another
        must :func:`~vae_zoo.sampling.gather` them first. One that samples the prior should
        :func:`~vae_zoo.sampling.draw` the samples, or the prior cannot be learned.

        Args:
            q: Posterior q(z | x), of batch shape ``(B,)`` and event shape ``(D,)``.
            p: Prior p(z), of the same shapes.
            z: Codes z ~ q(z | x), of shape ``(B, D)``.

        Returns:
            A scalar.
        """

    def forward(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Return the weighted divergence, in single precision whatever that of the trainer."""
        if not torch.is_autocast_enabled(z.device.type):
            return self.weight * self.divergence(q, p, z)
        with torch.autocast(z.device.type, enabled=False):
            return self.weight * self.divergence(q, p, z)

    def critic_loss(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor | None:
        """Return the loss of an adversary's own parameters; none unless overridden.

        It is minimised in the same backward pass as the model's loss, so each must be cut off from
        the other player's parameters: detach ``z`` here, and the critic in :meth:`divergence`.
        """
        return None

    def build(self, latent_dim: int) -> None:
        """Make the parts that need the size of the codes; the VAE's constructor calls it."""

    def check_schedule(self, steps: float) -> None:
        """Warn of a schedule that so many training steps would cut short; most have none."""

    @property
    def label(self) -> str:
        """A short name for tables and legends, as "KL β=4"."""
        return f"{type(self).__name__} λ={self.weight:g}"

    def extra_repr(self) -> str:
        return f"weight={self.weight:g}"
