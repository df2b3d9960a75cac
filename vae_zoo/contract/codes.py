"""The regularizer that is checked, and the codes that it is checked on."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.priors import Prior, StandardNormal
from vae_zoo.regularizers import Regularizer

Factory = Callable[..., Regularizer]
Codes = tuple[Distribution, Distribution, Tensor]  # q(z | x), p(z) and z ~ q

SEED = 0
LATENT_DIM = 2
STEP = 999_999  # late in training, where schedules have reached their end


def make(factory: Factory, n: int, latent_dim: int = LATENT_DIM, seed: int = SEED) -> Regularizer:
    """Make a regularizer and its parts as the VAE does, with parameters of a fixed seed."""
    torch.manual_seed(seed)
    regularizer = deepcopy(factory())
    for part in parts(regularizer):
        part.build(latent_dim)
    prepare(regularizer, n)
    return regularizer


def prepare(regularizer: Regularizer, n: int, step: int = STEP) -> None:
    """Tell a regularizer the numbers of examples and of steps, as the VAE does."""
    for part in parts(regularizer):
        part.dataset_size, part.step = n, step


def parts(regularizer: Regularizer) -> list[Regularizer]:
    """The regularizer and those that it wraps."""
    return [part for part in regularizer.modules() if isinstance(part, Regularizer)]


def codes(loc: Tensor, scale: Tensor, prior: Prior | None = None) -> Codes:
    """Take q(z | x) = N(m, diag s²), p(z) and z ~ q as the VAE passes them.

    Args:
        loc: Means m, of shape ``(n, D)``.
        scale: Standard deviations s, of shape ``(n, D)``.
        prior: p(z), N(0, I) unless given.
    """
    q = Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)
    prior = prior or StandardNormal(loc.shape[1]).to(loc.device, loc.dtype)
    return q, prior(loc.new_empty(1, 0)).expand(q.batch_shape), q.rsample()


def codes_like_prior(n: int, matches: str, shift: float = 0.0, scale: float = 1.0) -> Codes:
    """Take codes that are distributed as the prior, but for a shift and a scaling of each.

    Args:
        n: Number of examples.
        matches: ``posterior``: every q(z | x) is the prior. ``means``: their means are samples of
            it, and q(z | x) is narrow.
        shift: Added to each dimension of the codes.
        scale: Factor on the codes.
    """
    if matches == "means":
        loc = shift + scale * torch.randn(n, LATENT_DIM)
        return codes(loc, torch.full_like(loc, 1e-3))
    loc = torch.full((n, LATENT_DIM), shift)
    return codes(loc, torch.full_like(loc, scale))


def parameters_of_codes(
    n: int, latent_dim: int = LATENT_DIM, distance: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Draw means and standard deviations that differ from example to example, as leaves.

    Args:
        n: Number of examples.
        latent_dim: Number D of dimensions.
        distance: How far the means are from the prior's, in each dimension.
    """
    loc = distance * (1 + 0.5 * torch.randn(n, latent_dim))
    scale = 0.7 + 0.3 * torch.rand(n, latent_dim)
    return loc.requires_grad_(), scale.requires_grad_()
