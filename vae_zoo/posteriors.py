"""Families of q(z | x): modules that turn the output of the encoder into a distribution."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import softplus

from vae_zoo.precision import at_least_single


class Posterior(nn.Module, ABC):
    """A family of q(z | x).

    Args:
        latent_dim: Number D of latent dimensions.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    @property
    @abstractmethod
    def params(self) -> tuple[int, ...]:
        """Shape of the parameters that one example needs."""

    @abstractmethod
    def forward(self, params: Tensor) -> Distribution:
        """Map ``(B, *params)`` to a distribution of batch shape ``(B,)``, event shape ``(D,)``."""


class PosteriorFactory(Protocol):
    """A class of posteriors, or a partial of one: all is settled but the size."""

    def __call__(self, *, latent_dim: int) -> Posterior: ...


class DiagonalNormal(Posterior):
    """q(z | x) = N(m, diag s²), with m and s from the encoder.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, sec. 3.
        https://arxiv.org/abs/1312.6114
    """

    @property
    def params(self) -> tuple[int, ...]:
        return (2 * self.latent_dim,)

    def forward(self, params: Tensor) -> Distribution:
        loc, scale = at_least_single(params).chunk(2, dim=-1)
        # Contiguous, since softplus is five times slower on a slice; the floor keeps log s finite.
        scale = softplus(scale.contiguous()) + 1e-4
        normal = Normal(loc, scale, validate_args=False)
        return Independent(normal, 1, validate_args=False)


class Deterministic(Posterior):
    """q(z | x) is a point: the code of an autoencoder, without a density.

    Such a run has no KL and no ELBO. They are absent from its logs.

    References:
        Tolstikhin et al., Wasserstein Auto-Encoders, 2018, sec. 2.
        https://arxiv.org/abs/1711.01558
    """

    @property
    def params(self) -> tuple[int, ...]:
        return (self.latent_dim,)

    def forward(self, params: Tensor) -> Distribution:
        return Delta(at_least_single(params))


class Delta(Distribution):
    """All mass at one point, of shape ``(B, D)``: it has samples and a mean, but no density."""

    arg_constraints = {}  # noqa: RUF012 (declared so by torch)
    has_rsample = True

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        return self.loc.expand(*sample_shape, *self.loc.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Refuse, since a point mass has no density.

        Raises:
            ValueError: Always.
        """
        raise ValueError("a Deterministic posterior has no density: use DiagonalNormal")


def detach(q: Distribution) -> Distribution:
    """Cut a posterior off from its parameters: its density then passes gradients to z alone.

    Raises:
        ValueError: The family of q is not known.
    """
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        loc, scale = q.base_dist.loc.detach(), q.base_dist.scale.detach()
        return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)
    if isinstance(q, Delta):
        return Delta(q.loc.detach())
    raise ValueError(f"the parameters of a {type(q).__name__} cannot be told from its codes")
