"""Scores of codes whose examples were made of known factors."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from vae_zoo.evaluation.codes import KeptCodes
from vae_zoo.evaluation.disentanglement import (
    BINS,
    SHARING,
    TREES,
    VOTES,
    dci,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)
from vae_zoo.evaluation.kept import GROUPS, groups
from vae_zoo.evaluation.noise import example_keys, fix_noise
from vae_zoo.evaluation.score import Score
from vae_zoo.vae import VAE


class FactorScores(KeptCodes):
    """MIG, DCI, SAP and FactorVAE score of the means of q(z | x), for factors that are known.

    A code of one dimension has no ``mig``, no ``sap`` and no ``dci_completeness``, which compare
    dimensions; a single factor has no ``dci_disentanglement`` and no ``factor_vae_score``, which
    compare factors. Factors with one value in all examples are left out. Standard errors of ``mig``
    and ``sap`` are a jackknife's over the examples, those of ``dci_disentanglement`` and
    ``dci_completeness`` a bootstrap's, of ``dci_informativeness`` those over held-out examples, and
    of ``factor_vae_score`` those over held-out votes.

    Args:
        factor_sizes: How many values each factor has, by its name, in the order of columns.
        categorical: Names of the factors whose values have no order.
        seed: Of forests and votes, and of the half of the examples that is held out.

    Raises:
        ValueError: There are no factors, one has fewer than two values, a categorical one is none
            of them, or the seed is negative.
    """

    rows = ("codes", "factors")
    least = 2 * GROUPS

    def __init__(
        self, factor_sizes: Mapping[str, int], categorical: Collection[str] = (), seed: int = 0
    ) -> None:
        super().__init__(seed)
        if not factor_sizes or min(factor_sizes.values()) < 2:
            raise ValueError(
                f"factor_sizes must name factors of two values or more, got {dict(factor_sizes)}"
            )
        if unknown := [name for name in categorical if name not in factor_sizes]:
            raise ValueError(
                f"categorical must be among {', '.join(factor_sizes)}, got {', '.join(unknown)}"
            )
        self.factor_sizes, self.categorical = dict(factor_sizes), tuple(categorical)

    def update(
        self, model: VAE, x: Tensor, y: Tensor | None = None, factors: Tensor | None = None
    ) -> None:
        """Count a batch of data ``(B, *X)``, labels ``(B,)`` or conditions, and factors ``(B, F)``.

        Raises:
            ValueError: There are no factors, or they are not as ``factor_sizes`` says.
        """
        factors = self._require(factors, len(x))
        self.keep(model, x, y, factors=factors)
        # Examples may look alike that differ in a factor: their order must not be that of batches.
        self.keys[-1] = example_keys(self.keys[-1], factors)

    def scores(self, codes: Tensor, factors: Tensor) -> dict[str, Score]:  # type: ignore[override]
        low, high = factors.aminmax(dim=0)
        varying = (low < high).nonzero()[:, 0].tolist()
        if not varying:
            raise ValueError("FactorScores needs a factor that varies, and none does")
        names = [*self.factor_sizes]
        categorical = [i for i, k in enumerate(varying) if names[k] in self.categorical]
        fix_noise(self.seed)
        order = torch.randperm(len(codes)).to(codes.device)
        found = self._scores(codes[order].double(), factors[order][:, varying], categorical)
        return {name: score for name, score in found.items() if score is not None}

    def _scores(self, z: Tensor, v: Tensor, categorical: list[int]) -> dict[str, Score | None]:
        several = z.shape[1] > 1
        sap = partial(separated_attribute_predictability, categorical=categorical)
        forests = dci(z, v, self.seed)
        return {
            "mig": _jackknifed(mutual_information_gap, z, v) if several else None,
            "dci_disentanglement": forests.disentanglement,
            "dci_completeness": forests.completeness,
            "dci_informativeness": forests.informativeness,
            "sap": _jackknifed(sap, z, v) if several else None,
            "factor_vae_score": factor_vae_score(z, v, self.seed) if v.shape[1] > 1 else None,
        }

    @property
    def setting(self) -> dict[str, Any]:
        return {"bins": BINS, "trees": TREES, "examples_per_vote": SHARING, "votes": VOTES}

    def _require(self, factors: Tensor | None, n: int) -> Tensor:
        sizes = [*self.factor_sizes.values()]
        if factors is None:
            raise ValueError("FactorScores needs the factors of the examples: update it with them")
        if factors.shape != (n, len(sizes)) or factors.dtype.is_floating_point:
            raise ValueError(
                f"factors must be whole numbers of shape {(n, len(sizes))}, got {factors.dtype} "
                f"of shape {tuple(factors.shape)}"
            )
        for (name, size), column in zip(self.factor_sizes.items(), factors.T, strict=True):
            if column.min() < 0 or column.max() >= size:
                found = f"{column.min()} to {column.max()}"
                raise ValueError(f"the factor {name} must lie in 0 to {size - 1}, got {found}")
        return factors.long()


def _jackknifed(score: Callable[[Tensor, Tensor], float], z: Tensor, v: Tensor) -> Score:
    value = score(z, v)
    without = [score(z[kept], v[kept]) for kept in groups(len(z))]
    # Without a group a rare factor may have one value left, which nothing is told of.
    return Score.jackknifed(value, without) if all(map(isfinite, without)) else Score(value)
