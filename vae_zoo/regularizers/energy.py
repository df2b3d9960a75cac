"""Energy distance."""

import math
from functools import partial
from typing import Literal, get_args

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.confluent import confluent
from vae_zoo.regularizers.families import require_standard
from vae_zoo.regularizers.kernels import Values, distance
from vae_zoo.regularizers.pairs import mean_between, mean_within, require_pairs
from vae_zoo.sampling import draw, gather

Prior = Literal["sampled", "exact"]


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Estimate 2 E‖x - y‖ - E‖x - x'‖ - E‖y - y'‖ without bias; it may fall below zero.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: Samples of the second distribution, of shape ``(M, D)``.

    Returns:
        A scalar that can be differentiated once.

    Raises:
        ValueError: There are fewer than two samples of either.

    References:
        Székely and Rizzo, Energy Statistics: A Class of Statistics Based on Distances, 2013.
        https://doi.org/10.1016/j.jspi.2013.03.018
    """
    require_pairs("EnergyDistance", len(x), len(y))
    within = mean_within(x, distance) + mean_within(y, distance)
    return 2 * mean_between(x, y, distance) - within


def standard_energy_distance(x: Tensor) -> Tensor:
    """Estimate the energy distance to N(0, I) without bias, and without samples of N(0, I).

    E‖x - y‖ = √2 Γ((D+1)/2) / Γ(D/2) ₁F₁(-1/2; D/2; -‖x‖²/2) under y ~ N(0, I).

    Args:
        x: Samples of shape ``(N, D)``.

    Returns:
        A scalar that can be differentiated once.

    Raises:
        ValueError: There are fewer than two samples.

    References:
        Székely and Rizzo, A New Test for Multivariate Normality, 2005.
        https://doi.org/10.1016/j.jmva.2003.12.002
    """
    require_pairs("EnergyDistance", len(x))
    d = x.shape[1]
    norm = math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))  # E‖y‖
    by_prior = partial(_relative_distance, dim=d)
    between = norm * mean_between(x, x.new_zeros(1, d), by_prior)
    return 2 * between - mean_within(x, distance) - math.sqrt(2) * norm


def _relative_distance(squares: Tensor, dim: int) -> Values:
    """E‖x - y‖ / E‖y‖ as a function of ‖x‖²: ₁F₁(-1/2; D/2; -s) at s = ‖x‖²/2, and its slope.

    It is ₁F₁(1/2; D/2; -s) + (2s / D) ₁F₁(1/2; D/2 + 1; -s), and its slope by s is the latter / D.
    """
    s = squares / 2
    higher = confluent(s, dim + 2).values
    return Values(confluent(s, dim).values + 2 * s / dim * higher, higher / (2 * dim))


class EnergyDistance(Regularizer):
    """2 E‖z - y‖ - E‖z - z'‖ - E‖y - y'‖ for codes z, z' and samples y, y' of the prior.

    It is the MMD² of the kernel -‖x - y‖, which has no width to choose. Samples of a prior
    p(z | c) share the conditions of the codes, which makes it too low by O(1 / N).

    Args:
        weight: Factor λ on the divergence.
        prior: Samples of it, or its exact expectation, which only N(0, I) has.

    Raises:
        ValueError: The weight is negative, or the choice unknown.

    References:
        Székely and Rizzo, Energy Statistics: A Class of Statistics Based on Distances, 2013.
        https://doi.org/10.1016/j.jspi.2013.03.018
        Sejdinovic et al., Equivalence of Distance-based and RKHS-based Statistics in Hypothesis
        Testing, 2013. https://arxiv.org/abs/1207.6076
    """

    def __init__(self, weight: float = 1.0, prior: Prior = "sampled") -> None:
        super().__init__(weight)
        if prior not in get_args(Prior):
            raise ValueError(f"prior must be one of {', '.join(get_args(Prior))}, got {prior}")
        self.prior = prior

    @property
    def label(self) -> str:
        prior = "" if self.prior == "sampled" else f"{self.prior} "
        return f"EnergyDistance {prior}λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Compare the codes of all ranks with the prior.

        Raises:
            ValueError: The exact expectation is asked of another prior than N(0, I).
        """
        if self.prior == "sampled":
            return energy_distance(gather(z), gather(draw(p)))
        require_standard(p, f"EnergyDistance with prior {self.prior}")
        return standard_energy_distance(gather(z))
