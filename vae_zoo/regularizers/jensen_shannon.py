"""Jensen-Shannon divergences: between densities, and by way of the geometric mean of normals."""

import math

from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import logsigmoid

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import normals, require_density
from vae_zoo.regularizers.kl import normal_kl
from vae_zoo.regularizers.per_dimension import PerDimension
from vae_zoo.sampling import draw


def entropy_deficit(log_ratio: Tensor) -> Tensor:
    """Log 2 - H(r), with H the entropy in nats of a coin that shows heads with r = q / (q + p).

    Averaged over z ~ (q + p) / 2 it is the Jensen-Shannon divergence of q and p: what z tells
    of which of the two it came from.

    Args:
        log_ratio: ln q(z) - ln p(z).

    Returns:
        Nats between 0 and ln 2, of the shape of the argument.

    References:
        Lin, Divergence Measures Based on the Shannon Entropy, 1991.
        https://doi.org/10.1109/18.61115
    """
    negative_entropy = log_ratio.sigmoid() * logsigmoid(log_ratio)
    negative_entropy = negative_entropy + (-log_ratio).sigmoid() * logsigmoid(-log_ratio)
    return math.log(2) + negative_entropy


class JensenShannon(Regularizer):
    """E_x [½ KL(q ‖ M) + ½ KL(p ‖ M)], M = (q + p) / 2: at most ln 2, by one sample of each.

    The estimate is unbiased and lies between 0 and ln 2. It saturates: the gradient vanishes where
    q is far from p, as it is in many dimensions; GeometricJensenShannon has no such bound.

    References:
        Lin, Divergence Measures Based on the Shannon Entropy, 1991.
        https://doi.org/10.1109/18.61115
    """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Average the estimate over the batch.

        Raises:
            ValueError: q has no density, or p passes no gradients through its samples.
        """
        require_density(q, "JensenShannon")
        y = draw(p)
        of_q = entropy_deficit(q.log_prob(z) - p.log_prob(z))
        of_p = entropy_deficit(q.log_prob(y) - p.log_prob(y))
        return (of_q + of_p).mean() / 2


class GeometricJensenShannon(PerDimension):
    """E_x [(1-a) KL(q ‖ G) + a KL(p ‖ G)], G ∝ qᵃ p¹⁻ᵃ the geometric mean of the two normals.

    It runs from KL(q ‖ p) at a = 0 to KL(p ‖ q) at a = 1, the dual the other way.

    Args:
        weight: Factor λ on the divergence.
        skew: Share a of q in the geometric mean.
        dual: Take the divergences from G, (1-a) KL(G ‖ q) + a KL(G ‖ p), instead of those to G.

    Raises:
        ValueError: The weight is negative, or the skew not between 0 and 1.

    References:
        Deasy, Simidjievski and Liò, Constraining Variational Inference with Geometric
        Jensen-Shannon Divergence, 2020. https://arxiv.org/abs/2006.10599
        Nielsen, On the Jensen-Shannon Symmetrization of Distances Relying on Abstract Means, 2019.
        https://arxiv.org/abs/1904.04017
    """

    def __init__(self, weight: float = 1.0, skew: float = 0.5, dual: bool = False) -> None:
        super().__init__(weight)
        if not 0 <= skew <= 1:
            raise ValueError(f"skew must be between 0 and 1, got {skew}")
        self.skew, self.dual = skew, dual

    @property
    def label(self) -> str:
        dual = " dual" if self.dual else ""
        return f"GeometricJensenShannon a={self.skew:g}{dual} λ={self.weight:g}"

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        m, s, m0, s0 = normals(q, p, "GeometricJensenShannon")
        mean, scale = geometric_mean(m, s, m0, s0, self.skew)
        if self.dual:
            of_q, of_p = normal_kl(mean, scale, m, s), normal_kl(mean, scale, m0, s0)
        else:
            of_q, of_p = normal_kl(m, s, mean, scale), normal_kl(m0, s0, mean, scale)
        return (1 - self.skew) * of_q + self.skew * of_p


def geometric_mean(
    m: Tensor, s: Tensor, m0: Tensor, s0: Tensor, skew: float
) -> tuple[Tensor, Tensor]:
    """Find the normal ∝ N(m, s²)ᵃ N(m₀, s₀²)¹⁻ᵃ, a the skew: its precision is their mean.

    Returns:
        Its mean and standard deviation, of the shape of the arguments.
    """
    precision, precision0 = skew / s.square(), (1 - skew) / s0.square()
    total = precision + precision0
    return (precision * m + precision0 * m0) / total, total.rsqrt()
