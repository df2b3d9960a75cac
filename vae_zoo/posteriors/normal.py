"""Normal posteriors."""

from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import softplus

from vae_zoo.posteriors.base import Posterior
from vae_zoo.precision import at_least_single


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
