"""Mixtures of normals."""

import torch
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
)

from vae_zoo.priors.base import Prior


class MixtureOfNormals(Prior):
    """A learned mixture of K diagonal normals in D dimensions, Σₖ πₖ N(mₖ, diag sₖ²).

    The means start apart, at samples of N(0, I). Its samples pass no gradients, so that it goes
    with regularizers that use its density, such as KL.

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Not used.
        components: Number K of normals.

    Raises:
        ValueError: There is no component.

    References:
        Tomczak and Welling, VAE with a VampPrior, 2018, sec. 4. https://arxiv.org/abs/1705.07120
    """

    def __init__(self, latent_dim: int, condition_dim: int = 0, components: int = 10) -> None:
        super().__init__(latent_dim, condition_dim)
        if components < 1:
            raise ValueError(f"components must be at least 1, got {components}")
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(components, latent_dim))

    def forward(self, c: Tensor) -> Distribution:
        normals = Normal(self.loc, self.log_scale.exp(), validate_args=False)
        return MixtureSameFamily(
            Categorical(logits=self.logits, validate_args=False),
            Independent(normals, 1, validate_args=False),
            validate_args=False,
        )
