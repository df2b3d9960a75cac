"""InfoVAE: the KL of each example against the divergence of the aggregate posterior."""

import math

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.compose import Wrapper
from vae_zoo.regularizers.families import require_density
from vae_zoo.regularizers.kl import kl_divergence
from vae_zoo.regularizers.mmd import MMD


class InfoVAE(Wrapper):
    """(1 - α) E_x KL(q(z | x) ‖ p) + (α + λ - 1) D(q(z), p), by any divergence D of the codes.

    α = 0 and λ = 1 is the ELBO, α = 1 a Wasserstein autoencoder: nothing pulls a single q(z | x)
    to the prior, and it may be Deterministic.

    Args:
        weight: Factor on the whole.
        alpha: Factor α on the mutual information of data and codes, which is rewarded.
        lambda_: Factor λ on the divergence of the aggregate posterior.
        inner: The divergence D, times its own weight; ``MMD()`` if None.

    Raises:
        ValueError: The weight is negative; α exceeds 1, so that a KL without bound is rewarded; or
            α + λ is less than 1, so that a mismatch with the prior is.

    References:
        Zhao, Song and Ermon, InfoVAE, 2019, eq. 6. https://arxiv.org/abs/1706.02262
    """

    def __init__(
        self,
        weight: float = 1.0,
        alpha: float = 0.0,
        lambda_: float = 10.0,
        inner: Regularizer | None = None,
    ) -> None:
        super().__init__(MMD() if inner is None else inner, weight)
        if not -math.inf < alpha <= 1:
            raise ValueError(
                f"alpha must be at most 1, got {alpha}: beyond, InfoVAE would reward a KL to the "
                "prior, which has no bound"
            )
        if not 1 <= alpha + lambda_ < math.inf:
            raise ValueError(
                f"alpha + lambda_ must be at least 1, got {alpha} + {lambda_}: below, InfoVAE "
                "would reward a mismatch of codes and prior"
            )
        self.alpha, self.lambda_ = alpha, lambda_
        if self.null_value is not None:
            self.null_value *= alpha + lambda_ - 1
        self.invariances = frozenset()
        self.matches = "posterior"

    @property
    def label(self) -> str:
        inner = type(self.inner).__name__
        return f"InfoVAE {inner} α={self.alpha:g} λ={self.weight * self.lambda_:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Weigh both divergences.

        Raises:
            ValueError: q has no density, and α is not 1.
        """
        factor = self.alpha + self.lambda_ - 1
        # Not computed where it counts for nothing: it may not be defined, and trains no prior.
        total = factor * self.inner(q, p, z) if factor else 0 * z.sum()
        if self.alpha == 1:
            return total
        require_density(q, f"InfoVAE with alpha={self.alpha:g}")
        kl = kl_divergence(q, p, z)
        assert kl is not None  # q has a density
        return total + (1 - self.alpha) * kl.mean()
