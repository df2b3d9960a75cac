"""Bounds of the likelihood as metrics: means over examples, however these are put into batches."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.arguments import require_samples
from vae_zoo.evaluation.bounds import DRAWN, average, elbo_terms, priors, weigh
from vae_zoo.evaluation.kept import KeptExamples, mean_score
from vae_zoo.evaluation.noise import fix_noise, sample_posteriors
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

    def scores(self, table: Tensor) -> dict[str, Score]:  # type: ignore[override]
        return {name: mean_score(column) for name, column in zip(self.names, table.T, strict=False)}

    @property
    def setting(self) -> dict[str, Any]:
        return {"samples": self.samples}


class Elbo(SampledMean):
    """E_q log p(x | z) - KL(q(z | x) ‖ p(z)) and its parts, at weight 1 whatever was trained.

    ``reconstruction`` is the distortion -E_q log p(x | z), ``kl`` the rate, in closed form where
    one is known, and ``bits_per_dimension`` the code length that their sum is, of discrete data.
    Of a posterior without a density there is the reconstruction alone, and of a regression, which
    has no codes, no rate.

    Args:
        samples: Number K of samples of each q(z | x).
        seed: Of their noise.

    Raises:
        ValueError: There is no sample, or the seed is negative.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, eq. 3.
        https://arxiv.org/abs/1312.6114
    """

    names = ("reconstruction", "kl")

    def __init__(self, samples: int = 10, seed: int = 0) -> None:
        super().__init__(samples, seed)

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        size = max(1, DRAWN // self.samples)
        parts = [torch.split(part, size) for part in (model.encoder(x, c), x, c, keys)]
        rows = zip(*parts, priors(model, c, size), strict=True)
        return {"table": torch.cat([self._terms(model, *row) for row in rows])}

    def _terms(
        self, model: VAE, params: Tensor, x: Tensor, c: Tensor, keys: Tensor, p: Distribution
    ) -> Tensor:
        """Return the reconstruction, and the KL if there is one: ``(B, 1)`` or ``(B, 2)``."""
        q = model.posterior(params)
        z = sample_posteriors(model, params, keys.tolist(), self.seed, self.samples)
        log_likelihood, kl = elbo_terms(model, q, p.expand(q.batch_shape), z, x, c)
        return torch.stack([-log_likelihood, *([] if kl is None else [kl])], dim=1).double()

    def scores(self, table: Tensor) -> dict[str, Score]:  # type: ignore[override]
        found = super().scores(table)
        if table.shape[1] == 1:
            return found
        elbo = -table.sum(dim=1)
        columns = {
            "elbo": elbo,
            "bits_per_dimension": self.model.likelihood.bits_per_dimension(elbo),
        }
        for name, column in columns.items():
            if column is not None:
                found[name] = mean_score(column)
        if not self.model.latent_dim:
            del found["kl"]
        return found


class ImportanceSampling(SampledMean):
    """Importance-weighted bound and effective samples of K samples of each q(z | x).

    Refuses a posterior without a density. See :func:`vae_zoo.evaluation.importance_sampling`.
    """

    names = ("importance_sampling", "effective_samples")

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        rows, parameters = [], torch.split(model.encoder(x, c), 1)
        examples = _one_by_one(model, x, c, keys, self.seed)
        for params, (one, given, p) in zip(parameters, examples, strict=True):
            bounds = weigh(model, model.posterior(params), p, one, given, self.samples)
            rows.append(torch.cat([bounds.importance_sampling, bounds.effective_samples]))
        columns = 2 if model.latent_dim else 1  # without codes, none is effective
        return {"table": torch.stack(rows)[:, :columns].double()}


class PriorSampling(SampledMean):
    """The likelihood by K samples of the prior. See :func:`vae_zoo.evaluation.prior_sampling`."""

    names = ("prior_samples",)

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        examples = _one_by_one(model, x, c, keys, self.seed)
        rows = [average(model, p, one, given, self.samples) for one, given, p in examples]
        return {"table": torch.stack(rows).double()}


def _one_by_one(
    model: VAE, x: Tensor, c: Tensor, keys: Tensor, seed: int
) -> Iterator[tuple[Tensor, Tensor, Distribution]]:
    """Go through the examples, with their conditions and priors, fixing the noise of each."""
    parts = keys.tolist(), torch.split(x, 1), torch.split(c, 1), priors(model, c, 1)
    for key, one, given, p in zip(*parts, strict=True):
        fix_noise(seed, key)
        yield one, given, p
