"""The network of an adversary."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from vae_zoo.arguments import require_widths
from vae_zoo.precision import at_least_single


class Critic(nn.Module):
    """A perceptron with leaky ReLU that gives each code one number.

    Args:
        latent_dim: Number D of latent dimensions.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, latent_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [latent_dim, *hidden]
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            layers += [nn.Linear(n, m), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, z: Tensor) -> Tensor:
        """Judge codes ``(N, D)`` by numbers ``(N,)``."""
        dtype = next(self.parameters()).dtype
        return at_least_single(self.layers(z.to(dtype)).squeeze(-1))

    def frozen(self, z: Tensor, bound: float = math.inf) -> Tensor:
        """Judge codes so that gradients reach them alone, by parameters within ``±bound``."""
        fixed = {name: p.detach().clamp(-bound, bound) for name, p in self.named_parameters()}
        return functional_call(self, fixed, (z,))  # type: ignore[no-any-return]

    @torch.no_grad()
    def clip(self, bound: float) -> None:
        """Move each parameter to the nearest value within ``±bound``."""
        for parameter in self.parameters():
            parameter.clamp_(-bound, bound)


def classification_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-E log D(real) - E log(1 - D(fake)), of the logits of D; 2 ln 2 of one that cannot tell."""
    return softplus(-real).mean() + softplus(fake).mean()


def critic_options(
    hidden: Sequence[int], lr: float, betas: tuple[float, float]
) -> tuple[list[int], dict[str, Any]]:
    """Check the options of a critic.

    Returns:
        The widths of its hidden layers, and the options of its optimizer.

    Raises:
        ValueError: A width or the learning rate is not positive, or a beta not in [0, 1).
    """
    require_widths("hidden", hidden)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be positive, got {lr}")
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas}")
    return list(hidden), {"lr": lr, "betas": tuple(betas)}
