"""A posterior without a density."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.posteriors.base import Posterior
from vae_zoo.precision import at_least_single


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
