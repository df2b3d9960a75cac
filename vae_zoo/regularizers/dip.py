"""Disentangled inferred prior: the DIP-VAE."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.priors.normal import Standard
from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import family, mean_and_scale, require_examples
from vae_zoo.sampling import gather

Kind = Literal["I", "II"]


def covariance_penalty(covariance: Tensor, diagonal: float) -> Tensor:
    """Σ_{i≠j} C_ij² + ``diagonal`` · Σ_i (C_ii - 1)², of a covariance C of shape ``(D, D)``."""
    variances = covariance.diagonal()
    off_diagonal = covariance - torch.diag(variances)
    return off_diagonal.square().sum() + diagonal * (variances - 1).square().sum()


class DIP(Regularizer):
    """Σ_{i≠j} C_ij² + r Σ_i (C_ii - 1)², with C the covariance of the codes over the data.

    C is Cov[m] for kind I and Cov[m] + E diag s² for kind II, where q(z | x) = N(m, diag s²); it
    is estimated on the batch, pooled over ranks. It sees no means, and kind I no scales. The
    DIP-VAE adds it to the KL: ``Sum([KL(), DIP(weight=10)])``.

    Args:
        weight: Factor λ_od on the penalty of the correlations.
        kind: ``I`` decorrelates the means, which suits a Deterministic posterior too, ``II`` the
            samples.
        diagonal: Ratio r = λ_d / λ_od; the literature's 10 for kind I and 1 for kind II if None.

    Raises:
        ValueError: The weight or the diagonal is negative, or the kind unknown.

    References:
        Kumar, Sattigeri and Balakrishnan, Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations, 2018, eq. 5 to 7. https://arxiv.org/abs/1711.00848
    """

    biased = True
    invariances = frozenset({"shift"})
    matches: Literal["posterior", "means"] = "means"

    def __init__(
        self, weight: float = 1.0, kind: Kind = "I", diagonal: float | None = None
    ) -> None:
        super().__init__(weight)
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind}")
        if diagonal is None:
            diagonal = 10.0 if kind == "I" else 1.0
        if not 0 <= diagonal < math.inf:
            raise ValueError(f"diagonal must be non-negative, got {diagonal}")
        self.kind: Kind = kind
        self.diagonal = diagonal
        if kind == "II":
            self.matches = "posterior"

    @property
    def label(self) -> str:
        return f"DIP {self.kind} λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Penalise the covariance of the pooled batch.

        Raises:
            ValueError: p is not N(0, I), the posterior has no scales for kind II, or there are
                fewer than two examples.
        """
        if not isinstance(p, Standard):
            raise ValueError(
                f"DIP compares the covariance of the codes with that of N(0, I), got a {family(p)}"
                " prior, which it would not train: use --model.prior StandardNormal"
            )
        means = gather(q.mean)
        require_examples(len(means), 2, "DIP")
        centred = means - means.mean(0)
        covariance = centred.T @ centred / (len(means) - 1)
        if self.kind == "II":
            _, scale = mean_and_scale(q, "posterior", "DIP II")
            covariance = covariance + torch.diag(gather(scale.square()).mean(0))
        return covariance_penalty(covariance, self.diagonal)
