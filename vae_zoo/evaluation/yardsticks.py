"""Divergences of the aggregate posterior from the prior, the same for every run."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import grad

from vae_zoo.evaluation.codes import KeptPosteriors
from vae_zoo.evaluation.kept import groups
from vae_zoo.evaluation.noise import fix_noise, sample_prior
from vae_zoo.evaluation.score import Score
from vae_zoo.regularizers import mmd, sliced_wasserstein, stein_discrepancy
from vae_zoo.regularizers.kernels import radial
from vae_zoo.regularizers.pairs import mean_between
from vae_zoo.sampling import directions
from vae_zoo.vae import VAE

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of Tolstikhin et al., in units of 2D
ROWS = 500  # codes whose score is computed at once: the prior may be a large mixture


class Yardsticks(KeptPosteriors):
    """Divergences of q(z) from the run's own prior, unweighted, by M codes and as many samples.

    - ``mmd``: MMD² without bias, with the inverse multiquadratic kernel C / (C + r²) averaged over
      seven widths C, from 0.1 to 10 times 2D. It may fall below zero.
    - ``sliced_wasserstein``: the squared 2-Wasserstein distance, averaged over projections on
      random lines. Of M samples it stays above zero; compare it at the same M.
    - ``stein_discrepancy``: KSD² without bias, with the kernel (1 + r² / 2D)^(-1/2); absent where
      the prior has no density.

    A run that was trained on one of them is favoured by it: look at another. Samples of a prior
    p(z | c), and its scores ∇ log p(z | c), are those under the conditions of the codes' own
    examples. A deterministic posterior's codes are its points.

    The standard errors are by a jackknife over ten groups of codes and samples. Close to q(z) = p
    they are too large, by up to a half: the terms of first order, which it is right for, vanish.

    Args:
        codes: Number M of codes; with fewer examples, one of each.
        projections: Number of lines.
        seed: Of codes, samples of the prior, and lines.

    Raises:
        ValueError: There are fewer than three codes, no line, or the seed is negative; later, there
            are fewer than three examples, or the model has no codes.

    References:
        Tolstikhin et al., Wasserstein Auto-Encoders, 2018, sec. 4.
        https://arxiv.org/abs/1711.01558
        Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015, sec. 3.
        https://doi.org/10.1007/s10851-014-0506-3
        Liu, Lee and Jordan, A Kernelized Stein Discrepancy for Goodness-of-fit Tests, 2016.
        https://arxiv.org/abs/1602.03253
    """

    least = 3  # a jackknife leaves some out, and a mean over pairs needs two

    def __init__(self, codes: int = 2000, projections: int = 200, seed: int = 0) -> None:
        super().__init__(codes, seed)
        if projections < 1:
            raise ValueError(f"projections must be at least 1, got {projections}")
        self.projections = projections
        self._drawn = codes

    def scores(  # type: ignore[override]
        self, params: Tensor, conditions: Tensor
    ) -> dict[str, Score]:
        model, m = self.model, min(self.codes, len(params))
        self._drawn = m
        c = conditions[:m].to(model.device)
        [z] = self.draw(params[:m].to(model.device))
        y = sample_prior(model, c, self.seed)
        fix_noise(self.seed, 1)
        along = directions(self.projections, like=z)
        return jackknifed(z.double(), y.double(), along.double(), prior_scores(model, z, c))

    @property
    def setting(self) -> dict[str, Any]:
        """Number M of codes, as there were when the scores were computed, and the kernels."""
        return {
            "codes": self._drawn,
            "projections": self.projections,
            "kernel": "imq",
            "mmd_widths": f"2D × {', '.join(f'{scale:g}' for scale in SCALES)}",
            "stein_width": "2D",
        }


def jackknifed(z: Tensor, y: Tensor, along: Tensor, score: Tensor | None) -> dict[str, Score]:
    """Measure codes against as many samples of the prior, with errors.

    Args:
        z: Codes ``(M, D)``.
        y: Samples of the prior ``(M, D)``.
        along: Unit vectors ``(P, D)`` of the lines.
        score: ∇ log p at the codes, ``(M, D)``; None where there is no density.
    """
    unit = 2.0 * z.shape[1]
    widths = [unit * scale for scale in SCALES]

    def measure(kept: Tensor) -> dict[str, float]:
        found = {
            "mmd": paired_mmd(z[kept], y[kept], widths),
            "sliced_wasserstein": sliced_wasserstein(z[kept], y[kept], along),
        }
        if score is not None:
            found["stein_discrepancy"] = stein_discrepancy(z[kept], score[kept], unit)
        return {name: value.item() for name, value in found.items()}

    parts = [measure(kept) for kept in groups(len(z))]
    whole = measure(torch.arange(len(z)))
    return {
        name: Score.jackknifed(value, [part[name] for part in parts])
        for name, value in whole.items()
    }


def paired_mmd(x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
    """Estimate MMD² without bias even if pairs (xᵢ, yᵢ) share something, such as a condition.

    It is the mean over i ≠ j of k(xᵢ, xⱼ) + k(yᵢ, yⱼ) - 2 k(xᵢ, yⱼ), with k = C / (C + r²).

    Args:
        x: Samples of the first distribution, ``(N, D)``.
        y: Samples of the second, ``(N, D)``.
        widths: Widths C to average over.

    References:
        Gretton et al., A Kernel Two-Sample Test, 2012, eq. 4.
        https://jmlr.org/papers/v13/gretton12a.html
    """
    n, kernel = len(x), radial("imq", widths)
    of_pairs = kernel((x - y).square().sum(1)).values.mean()
    value = mmd(x, y, "imq", torch.tensor(widths, dtype=torch.double))
    return value + 2 * (of_pairs - mean_between(x, y, kernel)) / (n - 1)


def prior_scores(model: VAE, z: Tensor, c: Tensor) -> Tensor | None:
    """Return ∇ log p(z), or ∇ log p(z | c), ``(M, D)`` in double; None without a density."""
    found = []
    for part, conditions in zip(z.split(ROWS), c.split(ROWS), strict=True):  # type: ignore[no-untyped-call]
        p = model.prior(conditions).expand((len(part),))
        try:
            found.append(grad(lambda z, p=p: p.log_prob(z).sum())(part).double())
        except NotImplementedError:
            return None
    return torch.cat(found)
