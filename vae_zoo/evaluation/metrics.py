"""Bounds of the likelihood as metrics: means over examples, however these are put into batches."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from vae_zoo.arguments import require_samples
from vae_zoo.evaluation.bounds import importance_sampling, prior_sampling
from vae_zoo.evaluation.noise import evaluating, fix_noise
from vae_zoo.vae import VAE


class Mean(NamedTuple):
    """Mean ± standard error over examples, in nats; one example has no error."""

    mean: float
    standard_error: float | None

    @classmethod
    def of(cls, count: int, total: float, squares: float) -> "Mean":
        """Take the sums of n numbers and of their squares."""
        mean = total / count
        if count == 1:
            return cls(mean, None)
        variance = max(squares - count * mean**2, 0.0) / (count - 1)
        return cls(mean, math.sqrt(variance / count))

    def __str__(self) -> str:
        mean = f"{round(self.mean, 2) + 0.0:.2f}"
        return mean if self.standard_error is None else f"{mean} ± {self.standard_error:.2f}"


class SampledMean(Metric, ABC):
    """Means over examples of what K samples say of each.

    The noise of an example follows the seed and how many were seen before it: that they are put
    into other batches changes nothing.

    Args:
        samples: Number K of samples of each example.
        seed: Of their noise.

    Raises:
        ValueError: There is no sample, or the seed is negative.
    """

    full_state_update = False
    names: ClassVar[tuple[str, ...]]
    count: Tensor
    totals: Tensor
    squares: Tensor

    def __init__(self, samples: int = 100, seed: int = 0) -> None:
        super().__init__()
        if seed < 0:
            raise ValueError(f"seed must be non-negative, got {seed}")
        require_samples(samples)
        self.samples, self.seed = samples, seed
        zeros = torch.zeros(len(self.names), dtype=torch.double)
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("totals", zeros, dist_reduce_fx="sum")
        self.add_state("squares", zeros.clone(), dist_reduce_fx="sum")

    @abstractmethod
    def values(self, model: VAE, x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        """Compute a number of shape ``(B,)`` for each of ``names``."""

    def update(self, model: VAE, x: Tensor, y: Tensor | None = None) -> None:
        """Count a batch of data ``(B, *X)`` and labels ``(B,)``, or conditions ``(B, *Y)``."""
        x, y = x.to(model.device), None if y is None else y.to(model.device)
        first = int(self.count)
        with evaluating(model):
            c = model.condition(y).to(model.dtype).expand(len(x), -1)
            rows = []
            for i in range(len(x)):
                fix_noise(self.seed, first + i)
                rows.append(torch.cat(self.values(model, x[i : i + 1], c[i : i + 1])))
        table = torch.stack(rows).to(self.device).double()  # (B, names)
        self.count += len(x)
        self.totals += table.sum(0)
        self.squares += table.square().sum(0)

    def compute(self) -> dict[str, Mean]:
        """Return the mean over all examples, by name."""
        count = int(self.count)
        sums = zip(self.totals.tolist(), self.squares.tolist(), strict=True)
        means = [Mean.of(count, total, squares) for total, squares in sums]
        return dict(zip(self.names, means, strict=True))


class ImportanceSampling(SampledMean):
    """ELBO, importance-weighted bound and effective samples of K samples of each q(z | x).

    Refuses a posterior without a density. See :func:`vae_zoo.evaluation.importance_sampling`.
    """

    names = ("elbo", "importance_sampling", "effective_samples")

    def values(self, model: VAE, x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        return importance_sampling(model, x, c, self.samples)


class PriorSampling(SampledMean):
    """The likelihood by K samples of the prior. See :func:`vae_zoo.evaluation.prior_sampling`."""

    names = ("prior_samples",)

    def values(self, model: VAE, x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        return (prior_sampling(model, x, c, self.samples),)
