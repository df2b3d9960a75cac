"""Learned priors p(z | c)."""

from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.precision import at_least_single
from vae_zoo.priors.base import Prior, require_condition


class ConditionalNormal(Prior):
    """The learned prior p(z | c) = N(m(c), diag s(c)²), with m and ln s affine in the condition.

    Raises:
        ValueError: The model has no condition.

    References:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, 2015.
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
    """

    def __init__(self, latent_dim: int, condition_dim: int) -> None:
        super().__init__(latent_dim, condition_dim)
        require_condition("ConditionalNormal", condition_dim, "use LearnedNormal")
        self.affine = nn.Linear(condition_dim, 2 * latent_dim)
        nn.init.zeros_(self.affine.weight)  # starts at N(0, I), like LearnedNormal
        nn.init.zeros_(self.affine.bias)

    def forward(self, c: Tensor) -> Distribution:
        loc, log_scale = at_least_single(self.affine(c)).chunk(2, dim=-1)
        return Independent(
            Normal(loc, log_scale.exp(), validate_args=False), 1, validate_args=False
        )
