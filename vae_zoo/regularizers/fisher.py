"""Fisher divergence: between the scores of two densities."""

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.families import normals
from vae_zoo.regularizers.per_dimension import PerDimension


def fisher_divergence(m: Tensor, s: Tensor, m0: Tensor, s0: Tensor) -> Tensor:
    """s² (1 / s₀² - 1 / s²)² + (m - m₀)² / s₀⁴, of N(m, s²) from N(m₀, s₀²) by element.

    Returns:
        Squared differences of scores, of the shape of the arguments.

    References:
        Hyvärinen, Estimation of Non-Normalized Statistical Models by Score Matching, 2005, eq. 2
        (which has half of it). https://jmlr.org/papers/v6/hyvarinen05a.html
    """
    return (s / s0.square() - 1 / s).square() + ((m - m0) / s0.square()).square()


class Fisher(PerDimension):
    """E_x E_q ‖∇ln q(z | x) - ∇ln p(z)‖² between normals; infinite at s = 0.

    References:
        Hyvärinen, Estimation of Non-Normalized Statistical Models by Score Matching, 2005, eq. 2.
        https://jmlr.org/papers/v6/hyvarinen05a.html
        Elkhalil et al., Fisher Auto-Encoders, 2021.
        https://proceedings.mlr.press/v130/elkhalil21a.html
    """

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return fisher_divergence(*normals(q, p, "Fisher"))
