"""Divergences that are a sum over the latent dimensions."""

from abc import ABC, abstractmethod

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer


class PerDimension(Regularizer, ABC):
    """A divergence of each q(z | x) from p(z) that is a sum over the latent dimensions.

    That is so where both are products over dimensions, as diagonal normals are, and the divergence
    of products is the sum of the divergences of their factors.
    """

    @abstractmethod
    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Measure each dimension of each example, unweighted.

        Args:
            q: Posterior q(z | x), of batch shape ``(B,)`` and event shape ``(D,)``.
            p: Prior p(z), of the same shapes.
            z: Codes z ~ q(z | x), of shape ``(B, D)``.

        Returns:
            The divergences, of shape ``(B, D)``.
        """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return self.per_dimension(q, p, z).sum(dim=1).mean()
