"""Mixtures of normals."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.precision import at_least_single
from vae_zoo.priors.base import Prior, require_condition
from vae_zoo.priors.normal_mixture import mixture


class MixtureOfNormals(Prior):
    """A learned mixture of K diagonal normals in D dimensions, Σₖ πₖ N(mₖ, diag sₖ²).

    The means start apart, at samples of N(0, I). Gradients through its samples reach weights, means
    and scales (see :class:`~vae_zoo.priors.normal_mixture.NormalMixture`). Where components lie far
    apart the weights hardly learn by them: a regularizer that uses the density, such as KL, does
    better there.

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Number C of features of the condition.
        components: Number K of normals.
        conditional: Whether ln π, m and ln s are affine in the condition, p(z | c); they start
            without it.

    Raises:
        ValueError: There is no component, or no condition where one is needed.

    References:
        Tomczak and Welling, VAE with a VampPrior, 2018, sec. 4. https://arxiv.org/abs/1705.07120
    """

    def __init__(
        self,
        latent_dim: int,
        condition_dim: int = 0,
        components: int = 10,
        conditional: bool = False,
    ) -> None:
        super().__init__(latent_dim, condition_dim)
        if components < 1:
            raise ValueError(f"components must be at least 1, got {components}")
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(components, latent_dim))
        self.slope: nn.Linear | None = None
        if conditional:
            require_condition("conditional", condition_dim, "leave out conditional")
            numbers = components * (1 + 2 * latent_dim)
            self.slope = nn.Linear(condition_dim, numbers, bias=False)
            nn.init.zeros_(self.slope.weight)

    def forward(self, c: Tensor) -> Distribution:
        logits, loc = at_least_single(self.logits), at_least_single(self.loc)
        log_scale = at_least_single(self.log_scale)
        if self.slope is not None:
            k, d = loc.shape
            shift = at_least_single(self.slope(c)).view(-1, k, 1 + 2 * d)
            logits = logits + shift[..., 0]
            loc, log_scale = loc + shift[..., 1 : 1 + d], log_scale + shift[..., 1 + d :]
        normals = Normal(loc, log_scale.exp(), validate_args=False)
        return mixture(logits, Independent(normals, 1, validate_args=False))
