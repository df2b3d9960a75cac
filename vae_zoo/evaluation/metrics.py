"""Bounds of the likelihood as metrics: means over examples, however these are put into batches."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from vae_zoo.arguments import require_samples
from vae_zoo.evaluation.bounds import importance_sampling, prior_sampling
from vae_zoo.evaluation.kept import KeptExamples
from vae_zoo.evaluation.noise import fix_noise
from vae_zoo.evaluation.score import Score
from vae_zoo.vae import VAE


class SampledMean(KeptExamples):
    """Means over examples of what K samples say of each.

    Args:
        samples: Number K of samples of each example.
        seed: Of their noise.

    Raises:
        ValueError: There is no sample, or the seed is negative.
    """

    rows = ("table",)
    names: ClassVar[tuple[str, ...]]

    def __init__(self, samples: int = 100, seed: int = 0) -> None:
        super().__init__(seed)
        require_samples(samples)
        self.samples = samples

    @abstractmethod
    def values(self, model: VAE, x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        """Compute a number of shape ``(B,)`` for each of ``names``."""

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        rows = []
        for i, key in enumerate(keys.tolist()):
            fix_noise(self.seed, key)
            rows.append(torch.cat(self.values(model, x[i : i + 1], c[i : i + 1])))
        return {"table": torch.stack(rows).double()}  # (B, names)

    def scores(self, table: Tensor) -> dict[str, Score]:  # type: ignore[override]
        return means(self.names, table)

    @property
    def setting(self) -> dict[str, Any]:
        return {"samples": self.samples}


def means(names: tuple[str, ...], values: Tensor) -> dict[str, Score]:
    """Average columns ``(N, names)`` over examples."""
    totals, squares = values.double().sum(0), values.double().square().sum(0)
    sums = zip(names, totals.tolist(), squares.tolist(), strict=True)
    return {name: Score.of_sums(len(values), total, square) for name, total, square in sums}


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
