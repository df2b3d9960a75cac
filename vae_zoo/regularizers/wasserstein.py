"""Sliced Wasserstein distances: the SWAE."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import require_examples, require_standard
from vae_zoo.sampling import directions, draw, gather

PriorQuantiles = Literal["sampled", "exact"]


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor, order: float = 2.0) -> Tensor:
    """Average W_pᵖ, by default the squared 2-Wasserstein distance, over projections on a line.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: As many samples of the second, of shape ``(N, D)``.
        directions: Unit vectors to project on, of shape ``(P, D)``.
        order: Power p of the distance.

    Returns:
        A scalar; between samples of the same distribution it falls to zero from above as N grows.

    Raises:
        ValueError: There are not as many samples of both.

    References:
        Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015, sec. 3.
        https://doi.org/10.1007/s10851-014-0506-3
    """
    require_as_many(x, y)
    quantiles_y = (y @ directions.T).sort(dim=0).values  # (N, P)
    return _from_quantiles(x, quantiles_y, directions, order)


def sliced_wasserstein_to_standard(x: Tensor, directions: Tensor, order: float = 2.0) -> Tensor:
    """Average W_pᵖ between samples and N(0, I) itself, whose projections are all N(0, 1).

    Its quantiles are taken at (i - ½) / N: half the bias of sampling them, and half the noise.

    Args:
        x: Samples, of shape ``(N, D)``.
        directions: Unit vectors to project on, of shape ``(P, D)``.
        order: Power p of the distance.

    Returns:
        A scalar; for samples of N(0, I) it falls to zero from above as N grows.
    """
    levels = (torch.arange(len(x), dtype=x.dtype, device=x.device) + 0.5) / len(x)
    return _from_quantiles(x, torch.special.ndtri(levels).unsqueeze(1), directions, order)


def _from_quantiles(x: Tensor, quantiles: Tensor, directions: Tensor, order: float) -> Tensor:
    gaps = (x @ directions.T).sort(dim=0).values - quantiles  # (N, P)
    return gaps.abs().pow(order).mean()  # the sign goes first: odd powers are no distances


def require_as_many(x: Tensor, y: Tensor) -> None:
    """Refuse samples that cannot be paired.

    Raises:
        ValueError: There are not as many of both.
    """
    if len(x) != len(y):
        raise ValueError(f"x and y must have as many samples, got {len(x)} and {len(y)}")


def require_order(order: float) -> None:
    """Refuse a power at which no distance is left.

    Raises:
        ValueError: The order is below 1 or not finite.
    """
    if not 1 <= order < math.inf:
        raise ValueError(f"order must be at least 1 and finite, got {order}")


def order_label(order: float) -> str:
    """Name an order other than 2."""
    return "" if order == 2 else f" p={order:g}"


class SlicedWasserstein(Regularizer):
    """SW_pᵖ between the aggregate posterior q(z) and the prior, over random projections.

    Args:
        weight: Factor λ on the divergence.
        projections: Number P of directions, drawn anew for each batch.
        order: Power p of the distance; 2 is the squared 2-Wasserstein distance.
        prior: ``sampled``, as many samples as codes, or ``exact``, the quantiles of N(0, I): half
            the bias and the noise, and one sort less.

    Raises:
        ValueError: The weight is negative, there is no projection, the order is below 1, or the
            prior unknown.

    References:
        Kolouri et al., Sliced-Wasserstein Autoencoder, 2019. https://arxiv.org/abs/1804.01947
    """

    biased = True

    def __init__(
        self,
        weight: float = 1.0,
        projections: int = 50,
        order: float = 2.0,
        prior: PriorQuantiles = "sampled",
    ) -> None:
        super().__init__(weight)
        if projections < 1:
            raise ValueError(f"projections must be at least 1, got {projections}")
        require_order(order)
        if prior not in get_args(PriorQuantiles):
            known = ", ".join(get_args(PriorQuantiles))
            raise ValueError(f"prior must be one of {known}, got {prior}")
        self.projections, self.order = projections, order
        self.prior: PriorQuantiles = prior

    @property
    def label(self) -> str:
        exact = " exact" if self.prior == "exact" else ""
        return f"SlicedWasserstein{exact}{order_label(self.order)} λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Compare the pooled codes with the prior.

        Raises:
            ValueError: The prior cannot be sampled, or is not N(0, I) where ``prior`` is exact; or
                there are fewer than two examples.
        """
        along = directions(self.projections, like=z)
        codes = gather(z)
        require_examples(len(codes), 2, "SlicedWasserstein")
        if self.prior == "exact":
            require_standard(p, "SlicedWasserstein")
            return sliced_wasserstein_to_standard(codes, along, self.order)
        return sliced_wasserstein(codes, gather(draw(p)), along, self.order)
