"""Rényi divergences, and what is made of them: chi-squared, Bhattacharyya, Hellinger."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import normals
from vae_zoo.regularizers.per_dimension import PerDimension


def renyi_divergence(m: Tensor, s: Tensor, m0: Tensor, s0: Tensor, alpha: float) -> Tensor:
    """D_α(N(m, s²) ‖ N(m₀, s₀²)) = α (m - m₀)² / 2v - ln(v / s^{2(1-α)} s₀^{2α}) / 2(α - 1).

    Here v = α s₀² + (1 - α) s². It is computed by element.

    Args:
        m: Means of the first distribution.
        s: Its standard deviations.
        m0: Means of the second distribution.
        s0: Its standard deviations.
        alpha: Order of the divergence, positive; 1 is KL.

    Returns:
        Nats, of the shape of the arguments; infinite where v ≤ 0, which takes α > 1 and s > s₀.

    References:
        Gil, Alajaji and Linder, Rényi Divergence Measures for Commonly Used Univariate Continuous
        Distributions, 2013. https://doi.org/10.1016/j.ins.2013.06.018
    """
    rest = 1 - alpha
    log_ratio = 2 * (s / s0).log()
    excess = torch.expm1(log_ratio)  # s² / s₀² - 1
    finite = 1 + rest * excess > 0  # v / s₀²
    excess = excess.where(finite, 0.0)  # where infinite, to spare the gradient a NaN
    # log1p keeps its digits for α near 1, where the quotient tends to s² / s₀² - 1, as in KL.
    log_v = torch.log1p(rest * excess) / rest if rest else excess
    shift = alpha * ((m - m0) / s0).square() / (1 + rest * excess)
    return (0.5 * (shift + log_v - log_ratio)).where(finite, math.inf)


def _exp_minus_one(x: Tensor) -> Tensor:
    """Compute eˣ - 1, whose gradient is 0 rather than NaN where it overflows to infinity."""
    finite = x < math.log(torch.finfo(x.dtype).max)
    return torch.expm1(x.where(finite, 0.0)).where(finite, math.inf)


class Renyi(PerDimension):
    """E_x D_α(q(z | x) ‖ p(z)), the Rényi divergence between normals; α = 1 is KL.

    It grows with α. Where α > 1 it is infinite, with gradient 0, as soon as s² ≥ s₀² α / (α - 1) in
    any dimension.

    Args:
        weight: Factor λ on the divergence.
        alpha: Order α of the divergence.

    Raises:
        ValueError: The weight is negative, or the order not positive and finite.

    References:
        Gil, Alajaji and Linder, Rényi Divergence Measures for Commonly Used Univariate Continuous
        Distributions, 2013. https://doi.org/10.1016/j.ins.2013.06.018
        van Erven and Harremoës, Rényi Divergence and Kullback-Leibler Divergence, 2014.
        https://arxiv.org/abs/1206.2459
    """

    def __init__(self, weight: float = 1.0, alpha: float = 0.5) -> None:
        super().__init__(weight)
        if not 0 < alpha < math.inf:
            raise ValueError(
                "alpha must be positive and finite, since the divergence of order 0 is 0 between "
                f"normals and one of negative order is below 0, got {alpha}"
            )
        self.alpha = alpha

    @property
    def label(self) -> str:
        return f"Renyi α={self.alpha:g} λ={self.weight:g}"

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return renyi_divergence(*normals(q, p, "Renyi"), self.alpha)


class ChiSquared(Regularizer):
    """E_x χ²(q(z | x) ‖ p(z)) = E_x [exp(D₂) - 1], D₂ the Rényi divergence between normals.

    It is infinite, with gradient 0, as soon as s² ≥ 2s₀² in any dimension, or where the exponential
    overflows. Few examples bear most of the mean, so small weights are in order.

    References:
        van Erven and Harremoës, Rényi Divergence and Kullback-Leibler Divergence, 2014, sec. I.
        https://arxiv.org/abs/1206.2459
    """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        joint = renyi_divergence(*normals(q, p, "ChiSquared"), alpha=2.0).sum(dim=1)
        return _exp_minus_one(joint).mean()


class Bhattacharyya(PerDimension):
    """E_x -ln ∫ √(q(z | x) p(z)) dz between normals: half the Rényi divergence of order ½.

    For normals it is Σ_j (m - m₀)² / 4(s² + s₀²) + ½ ln[(s² + s₀²) / 2ss₀].

    References:
        Kailath, The Divergence and Bhattacharyya Distance Measures in Signal Selection, 1967.
        https://doi.org/10.1109/TCOM.1967.1089532
    """

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return renyi_divergence(*normals(q, p, "Bhattacharyya"), alpha=0.5) / 2


class Hellinger(Regularizer):
    """E_x [1 - ∫ √(q(z | x) p(z)) dz], the squared Hellinger distance between normals, below 1.

    It saturates: its gradient vanishes where q is far from p, where Bhattacharyya's does not.

    References:
        van Erven and Harremoës, Rényi Divergence and Kullback-Leibler Divergence, 2014, sec. I.
        https://arxiv.org/abs/1206.2459
    """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        joint = renyi_divergence(*normals(q, p, "Hellinger"), alpha=0.5).sum(dim=1)
        return -torch.expm1(-joint / 2).mean()
