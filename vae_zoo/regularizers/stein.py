"""Kernel Stein discrepancy."""

import math

from torch import Tensor
from torch.distributions import Distribution
from torch.func import grad

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.pairs import mean_off_diagonal, require_pairs
from vae_zoo.sampling import gather


def stein_discrepancy(x: Tensor, score: Tensor, width: float) -> Tensor:
    """Estimate the squared kernel Stein discrepancy without bias; it may fall below zero.

    It is the mean over i ≠ j of s·s' k + s·∇'k + s'·∇k + tr ∇∇'k, for the inverse multiquadratic
    k = (1 + ‖x - x'‖² / C)^(-1/2).

    Args:
        x: Samples of shape ``(N, D)``.
        score: The gradient s = ∇ log p(x) of the density that they are compared with.
        width: Kernel width C.

    Returns:
        A scalar.

    Raises:
        ValueError: There are fewer than two samples.

    References:
        Liu, Lee and Jordan, A Kernelized Stein Discrepancy for Goodness-of-fit Tests, 2016.
        https://arxiv.org/abs/1602.03253
        Gorham and Mackey, Measuring Sample Quality with Kernels, 2017, thm. 8, for the kernel.
        https://arxiv.org/abs/1703.01717
    """
    require_pairs("SteinDiscrepancy", len(x))
    n, d = x.shape
    x = x - x.mean(0).detach()  # only differences matter, and far from the origin they are rounded
    squares, own = x.square().sum(1), (score * x).sum(1)

    def block(rows: slice) -> Tensor:
        r2 = (squares[rows, None] + squares - 2 * x[rows] @ x.T).clamp(min=0)
        k = (1 + r2 / width).rsqrt()
        slope = -(k**3) / (2 * width)  # dk/dr²
        curvature = 0.75 * k**5 / width**2
        # ∇k = 2 k' (x - x') = -∇'k, so that the middle terms are -2 k' (s - s')·(x - x').
        along = own[rows, None] + own - score[rows] @ x.T - x[rows] @ score.T
        trace = -2 * d * slope - 4 * r2 * curvature
        return score[rows] @ score.T * k - 2 * slope * along + trace

    return mean_off_diagonal(block, x, numbers=n)


class SteinDiscrepancy(Regularizer):
    """KSD², the kernel Stein discrepancy of the codes from any prior that has a density.

    It takes no samples of the prior, only the gradient of its log-density. Where the prior's modes
    are far apart, that hardly depends on their weights, and neither does the discrepancy.

    Args:
        weight: Factor λ on the divergence.
        scale: Kernel width C in units of 2D, the mean r² of two samples of N(0, I).

    Raises:
        ValueError: The weight is negative, or the scale not positive.

    References:
        Liu, Lee and Jordan, A Kernelized Stein Discrepancy for Goodness-of-fit Tests, 2016.
        https://arxiv.org/abs/1602.03253
    """

    def __init__(self, weight: float = 1.0, scale: float = 1.0) -> None:
        super().__init__(weight)
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be positive and finite, got {scale}")
        self.scale = scale

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        score = grad(lambda x: p.log_prob(x).sum())(z)  # works where autograd is switched off
        return stein_discrepancy(gather(z), gather(score), 2 * z.shape[1] * self.scale)
