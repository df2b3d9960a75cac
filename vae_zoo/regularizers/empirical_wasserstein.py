"""Wasserstein distance of samples, by their optimal assignment."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import require_examples
from vae_zoo.regularizers.wasserstein import order_label, require_as_many, require_order
from vae_zoo.sampling import draw, gather


def empirical_wasserstein(x: Tensor, y: Tensor, order: float = 2.0) -> Tensor:
    """W_pᵖ = min_σ mean_i ‖x_i - y_σ(i)‖ᵖ over permutations σ, found on the CPU in O(N³).

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: As many samples of the second, of shape ``(N, D)``.
        order: Power p of the distance.

    Returns:
        A scalar; between samples of the same distribution it falls to zero from above as N grows,
        but in high dimension as slowly as N to the power -p / D.

    Raises:
        ValueError: There are not as many samples of both.

    References:
        Peyré and Cuturi, Computational Optimal Transport, 2019, sec. 2.2.
        https://arxiv.org/abs/1803.00567
    """
    require_as_many(x, y)
    distances = torch.cdist(x.detach(), y.detach()).pow(order)
    _, partners = linear_sum_assignment(distances.cpu().numpy())
    gaps = x - y[torch.from_numpy(partners).to(y.device)]
    if order == 2:
        return gaps.square().sum(1).mean()
    lengths: Tensor = torch.linalg.vector_norm(gaps, dim=1)  # whose gradient at 0 is 0
    return lengths.pow(order).mean()


class EmpiricalWasserstein(Regularizer):
    """W_pᵖ between the codes of a batch, pooled over ranks, and as many samples of the prior.

    The assignment is exact. The value is mostly bias where there are more than a few dimensions,
    since samples of one distribution are then far apart.

    Args:
        weight: Factor λ on the divergence.
        order: Power p of the distance; 2 is the squared 2-Wasserstein distance.

    Raises:
        ValueError: The weight is negative, or the order below 1.

    References:
        Fournier and Guillin, On the Rate of Convergence in Wasserstein Distance of the Empirical
        Measure, 2015, th. 1. https://arxiv.org/abs/1312.2128
    """

    biased = True

    def __init__(self, weight: float = 1.0, order: float = 2.0) -> None:
        super().__init__(weight)
        require_order(order)
        self.order = order

    @property
    def label(self) -> str:
        return f"EmpiricalWasserstein{order_label(self.order)} λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        codes = gather(z)
        require_examples(len(codes), 2, "EmpiricalWasserstein")
        # All ranks hold the same samples, and so find the same assignment.
        return empirical_wasserstein(codes, gather(draw(p)), self.order)
