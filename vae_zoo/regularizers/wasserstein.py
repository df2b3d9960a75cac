"""Sliced Wasserstein distance: the SWAE."""

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.sampling import directions, draw, gather


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Average the squared 2-Wasserstein distance over one-dimensional projections.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: As many samples of the second, of shape ``(N, D)``.
        directions: Unit vectors to project on, of shape ``(P, D)``.

    Returns:
        A scalar; between samples of the same distribution it falls to zero from above as N grows.

    Raises:
        ValueError: There are not as many samples of both.

    References:
        Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015, sec. 3.
        https://doi.org/10.1007/s10851-014-0506-3
    """
    if len(x) != len(y):
        raise ValueError(f"x and y must have as many samples, got {len(x)} and {len(y)}")
    quantiles_x = (x @ directions.T).sort(dim=0).values  # (N, P)
    quantiles_y = (y @ directions.T).sort(dim=0).values
    return (quantiles_x - quantiles_y).square().mean()


class SlicedWasserstein(Regularizer):
    """SW₂² between the aggregate posterior q(z) and the prior, over random projections.

    Args:
        weight: Factor λ on the divergence.
        projections: Number P of directions, drawn anew for each batch.

    Raises:
        ValueError: The weight is negative, or there is no projection.

    References:
        Kolouri et al., Sliced-Wasserstein Autoencoder, 2019. https://arxiv.org/abs/1804.01947
    """

    def __init__(self, weight: float = 1.0, projections: int = 50) -> None:
        super().__init__(weight)
        if projections < 1:
            raise ValueError(f"projections must be at least 1, got {projections}")
        self.projections = projections

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        along = directions(self.projections, like=z)
        return sliced_wasserstein(gather(z), gather(draw(p)), along)
