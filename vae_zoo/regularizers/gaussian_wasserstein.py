"""Squared 2-Wasserstein distance of each posterior from the prior."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers.families import mean_and_scale
from vae_zoo.regularizers.per_dimension import PerDimension


class GaussianWasserstein(PerDimension):
    """E_x W₂²(q(z | x), p(z)) = E_x ‖m - m₀‖² + ‖s - s₀‖² between normals; finite at s = 0.

    A point is a normal with s = 0, so a Deterministic posterior goes with it. It measures each
    q(z | x), not the aggregate posterior, and so is no Wasserstein autoencoder.

    References:
        Givens and Shortt, A Class of Wasserstein Metrics for Probability Distributions, 1984,
        prop. 7. https://doi.org/10.1307/mmj/1029003026
    """

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        m, s = _mean_and_scale(q, "posterior")
        m0, s0 = _mean_and_scale(p, "prior")
        return (m - m0).square() + (s - s0).square()


def _mean_and_scale(d: Distribution, role: str) -> tuple[Tensor, Tensor]:
    if isinstance(d, Delta):
        return d.loc, torch.zeros_like(d.loc)
    return mean_and_scale(d, role, "GaussianWasserstein")
