"""Schedules: regularizers whose weight, or whose target, is a function of the training step.

A validation always takes the final value, so that its losses are comparable between epochs.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal, get_args

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.compose import Wrapper
from vae_zoo.sampling import gather

Shape = Literal["linear", "cosine"]


def ramp(progress: float, shape: Shape) -> float:
    """Rise from 0 to 1 as ``progress`` does, and stay there."""
    progress = min(progress, 1.0)
    return progress if shape == "linear" else (1 - math.cos(math.pi * progress)) / 2


class Schedule(Wrapper, ABC):
    """A wrapper that changes over the first steps of a training.

    Args:
        inner: The regularizer.
        steps: Number of optimizer steps until the schedule has ended.
        shape: How a ramp rises.
        weight: Factor on what the schedule yields.

    Raises:
        ValueError: There is no step, or the shape is unknown.
    """

    def __init__(self, inner: Regularizer, steps: int, shape: Shape, weight: float = 1.0) -> None:
        super().__init__(inner, weight)
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        if shape not in get_args(Shape):
            raise ValueError(f"shape must be one of {', '.join(get_args(Shape))}, got {shape}")
        self.steps = steps
        self.shape: Shape = shape

    @abstractmethod
    def risen(self, step: int) -> float:
        """Return how far the schedule has risen at a step, between 0 and 1."""

    @property
    def level(self) -> float:
        """How far the schedule has risen: as far as it ever will, unless this is training."""
        return self.risen(self.step) if self.training else 1.0

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return self.level * super().divergence(q, p, z)

    def check_schedule(self, steps: float) -> None:
        """Warn where the training would end at another weight than the one validated with."""
        if steps < self.steps:
            rank_zero_warn(
                f"{type(self).__name__} rises for {self.steps} steps, but the training ends after "
                f"{steps:g}, at {self.risen(int(steps)):.2f} of its final value, which validation "
                "takes: lower steps, or train longer"
            )


class Annealed(Schedule):
    """The regularizer inside, under a weight that rises once, from its start to 1.

    Args:
        inner: The regularizer.
        steps: Number of optimizer steps of the rise.
        shape: ``linear``, or ``cosine``, which begins and ends gently.
        start: Factor on the weight at the first step.

    Raises:
        ValueError: There is no step, the shape is unknown, or the start not between 0 and 1.

    References:
        Bowman et al., Generating Sentences from a Continuous Space, 2016, sec. 3.1.
        https://arxiv.org/abs/1511.06349
    """

    def __init__(
        self, inner: Regularizer, steps: int, shape: Shape = "linear", start: float = 0.0
    ) -> None:
        super().__init__(inner, steps, shape)
        if not 0 <= start <= 1:
            raise ValueError(f"start must be between 0 and 1, got {start}")
        self.start = start

    def risen(self, step: int) -> float:
        return self.start + (1 - self.start) * ramp(step / self.steps, self.shape)


class Cyclical(Schedule):
    """The regularizer inside, under a weight that rises from 0 to 1 again and again.

    Args:
        inner: The regularizer.
        steps: Number of optimizer steps of all cycles together.
        cycles: Number of cycles.
        proportion: The part of a cycle in which the weight rises; then it stays at 1.
        shape: ``linear``, or ``cosine``, which begins and ends gently.

    Raises:
        ValueError: There is no step or cycle, the shape is unknown, or the proportion not above 0
            and at most 1.

    References:
        Fu et al., Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing, 2019,
        eq. 6 to 8. https://arxiv.org/abs/1903.10145
    """

    def __init__(
        self,
        inner: Regularizer,
        steps: int,
        cycles: int = 4,
        proportion: float = 0.5,
        shape: Shape = "linear",
    ) -> None:
        super().__init__(inner, steps, shape)
        if not 1 <= cycles <= steps:
            raise ValueError(f"cycles must be between 1 and steps, {steps}, got {cycles}")
        if not 0 < proportion <= 1:
            raise ValueError(f"proportion must be above 0 and at most 1, got {proportion}")
        self.cycles, self.proportion = cycles, proportion

    def risen(self, step: int) -> float:
        if step >= self.steps:
            return 1.0
        return ramp(step * self.cycles / self.steps % 1 / self.proportion, self.shape)


class Capacity(Schedule):
    """γ |C - E D|: the regularizer inside is held at a capacity C, which rises from 0.

    Args:
        inner: The regularizer; with KL of weight 1, C is the rate.
        nats: The final capacity C.
        steps: Number of optimizer steps of the rise.
        weight: Factor γ.
        shape: ``linear``, or ``cosine``, which begins and ends gently.

    Raises:
        ValueError: The capacity is negative, there is no step, or the shape is unknown.

    References:
        Burgess et al., Understanding disentangling in β-VAE, 2018, eq. 8.
        https://arxiv.org/abs/1804.03599
    """

    def __init__(
        self,
        inner: Regularizer,
        nats: float,
        steps: int,
        weight: float = 1.0,
        shape: Shape = "linear",
    ) -> None:
        super().__init__(inner, steps, shape, weight)
        if not 0 <= nats < math.inf:
            raise ValueError(f"nats must be a capacity of 0 or more, got {nats}")
        self.nats = nats
        self.biased = True  # the distance is not linear in the mean over the batch
        if self.null_value is not None:
            self.null_value = abs(nats - self.null_value)

    def risen(self, step: int) -> float:
        return ramp(step / self.steps, self.shape)

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Measure how far the divergence of the whole batch, of all ranks, is from its capacity."""
        mean = gather(self.inner(q, p, z).reshape(1)).mean()
        return (self.level * self.nats - mean).abs()
