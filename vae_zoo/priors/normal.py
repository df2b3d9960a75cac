"""Normal priors: fixed and learned."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.priors.base import Prior


class StandardNormal(Prior):
    """The fixed prior N(0, I).

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, sec. 3.
        https://arxiv.org/abs/1312.6114
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, condition_dim: int = 0) -> None:
        super().__init__(latent_dim, condition_dim)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self, c: Tensor) -> Distribution:
        normal = Normal(self.loc, self.scale, validate_args=False)
        return Standard(normal, 1, validate_args=False)


class Standard(Independent):  # type: ignore[type-arg]
    """N(0, I), known by its type: expectations under it may have a closed form."""


class LearnedNormal(Prior):
    """The learned prior N(m, diag s²), which starts at N(0, I).

    It cannot raise the best ELBO where the layers beside z are affine, since they absorb it.

    References:
        Hoffman and Johnson, ELBO Surgery, 2016.
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """

    def __init__(self, latent_dim: int, condition_dim: int = 0) -> None:
        super().__init__(latent_dim, condition_dim)
        self.loc = nn.Parameter(torch.zeros(latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(latent_dim))

    def forward(self, c: Tensor) -> Distribution:
        normal = Normal(self.loc, self.log_scale.exp(), validate_args=False)
        return Independent(normal, 1, validate_args=False)
