"""Normal posteriors with covariance."""

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    kl_divergence,
    register_kl,
)
from torch.nn.functional import softplus

from vae_zoo.posteriors.base import Posterior
from vae_zoo.precision import at_least_single


class FullNormal(Posterior):
    """q(z | x) = N(m, L Lᵀ), with m and the lower triangle L from the encoder.

    The encoder returns m, then the diagonal of L, as DiagonalNormal would, then what is below it,
    row by row: D(D + 3) / 2 numbers, and a posterior that starts nearly diagonal.

    Raises:
        ValueError: There is no dimension.

    References:
        Kingma and Welling, An Introduction to Variational Autoencoders, 2019, sec. 2.5.1.
        https://arxiv.org/abs/1906.02691
    """

    places: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        if latent_dim < 1:
            raise ValueError(
                f"FullNormal needs a latent dimension, got {latent_dim}: use DiagonalNormal"
            )
        diagonal = torch.arange(latent_dim) * (latent_dim + 1)
        rows, columns = torch.tril_indices(latent_dim, latent_dim, offset=-1)
        places = torch.cat([diagonal, rows * latent_dim + columns])  # in the matrix, row by row
        self.register_buffer("places", places, persistent=False)

    @property
    def params(self) -> tuple[int, ...]:
        return (self.latent_dim + len(self.places),)

    def forward(self, params: Tensor) -> Distribution:
        d = self.latent_dim
        loc, scale, below = torch.split(
            at_least_single(params), [d, d, len(self.places) - d], dim=-1
        )
        scale = softplus(scale.contiguous()) + 1e-4  # the floor keeps log s finite
        triangle = torch.cat([scale, below], dim=-1)
        square = triangle.new_zeros(*triangle.shape[:-1], d * d)
        square = square.index_copy(-1, self.places, triangle).view(*square.shape[:-1], d, d)
        return CorrelatedNormal(loc, scale_tril=square, validate_args=False)


class CorrelatedNormal(MultivariateNormal):
    """A normal with covariance, sampled in single precision at least."""

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        with torch.autocast(self.loc.device.type, enabled=False):
            return super().rsample(torch.Size(sample_shape))


@register_kl(MultivariateNormal, Independent)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_from_a_diagonal_normal(q: MultivariateNormal, p: Distribution) -> Tensor:
    """½ [tr S + ‖m‖² - D - ln det S] of the codes in units of p, of shape ``(B,)``."""
    normal = _diagonal(p)
    squares = q.scale_tril.square().sum(-1) + (q.loc - normal.loc).square()
    log_scales = q.scale_tril.diagonal(dim1=-2, dim2=-1).log() - normal.scale.log()
    return (0.5 * (squares / normal.scale.square() - 1) - log_scales).sum(-1)


@register_kl(Independent, MultivariateNormal)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_from_a_full_normal(p: Distribution, q: MultivariateNormal) -> Tensor:
    """The same the other way round: KL(p ‖ q) of a diagonal normal p."""
    normal = _diagonal(p)
    full = MultivariateNormal(normal.loc, scale_tril=normal.scale.diag_embed(), validate_args=False)
    with torch.autocast(q.loc.device.type, enabled=False):
        return kl_divergence(full, q)


def _diagonal(p: Distribution) -> Normal:
    if isinstance(p, Independent) and isinstance(p.base_dist, Normal):
        return p.base_dist
    raise NotImplementedError  # as of any pair that torch does not know
