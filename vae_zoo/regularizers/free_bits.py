"""Free bits: a divergence that costs no more below a floor."""

import math

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.compose import Wrapper
from vae_zoo.regularizers.per_dimension import PerDimension
from vae_zoo.sampling import gather


class FreeBits(Wrapper):
    """Σ_g max(nats, E_x D_g), with D_g the divergence of a group of dimensions.

    Below the floor a group is not pulled to the prior, so none need collapse. The expectation is
    the mean over the batch, pooled over ranks; the weight is that of the wrapped regularizer.

    Args:
        inner: Regularizer that is a sum over dimensions, such as KL.
        nats: Floor of each group, in the unit of ``inner``.
        groups: Number of groups of consecutive dimensions, as many in each; unless given, each
            dimension is a group.

    Raises:
        ValueError: The wrapped regularizer is no sum over dimensions, the floor is negative, or
            there is no group.

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016.
        https://arxiv.org/abs/1606.04934
    """

    inner: PerDimension

    def __init__(self, inner: Regularizer, nats: float = 0.5, groups: int | None = None) -> None:
        if not isinstance(inner, PerDimension):
            raise ValueError(
                "inner must be a sum over dimensions, such as KL or Renyi, so that parts of it can "
                f"have floors of their own, got {type(inner).__name__}"
            )
        if not 0 <= nats < math.inf:
            raise ValueError(f"nats must be non-negative and finite, got {nats}")
        if groups is not None and groups < 1:
            raise ValueError(f"groups must be at least 1, got {groups}")
        super().__init__(inner)
        self.nats, self.groups = nats, groups
        self.null_value = None  # until the number of groups is known
        self.biased = True  # the maximum is not linear in the mean over the batch

    @property
    def label(self) -> str:
        return f"FreeBits {self.nats:g} {self.inner.label}"

    def build(self, latent_dim: int) -> None:
        self.null_value = self.inner.weight * self.nats * self._count(latent_dim)

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Sum the floored means of the groups, under the weight of the inner regularizer.

        Raises:
            ValueError: The latent dimensions cannot be split into as many groups.
        """
        means = gather(self.inner.per_dimension(q, p, z)).mean(dim=0)  # (D,)
        groups = means.view(self._count(len(means)), -1).sum(dim=1)
        return self.inner.weight * groups.clamp(min=self.nats).sum()

    def _count(self, latent_dim: int) -> int:
        groups = latent_dim if self.groups is None else self.groups
        if latent_dim % groups:
            raise ValueError(
                f"groups must divide the number of latent dimensions, {latent_dim}, got {groups}"
            )
        return groups
