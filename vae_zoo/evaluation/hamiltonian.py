"""Hamiltonian Monte Carlo on p(z) p(x | z)^β, of many chains at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_zoo.precision import at_least_single
from vae_zoo.vae import VAE


class State(NamedTuple):
    """Codes of R chains, and what log p(z) p(x | z)^β and its gradient are made of."""

    z: Tensor  # (R, D)
    log_prior: Tensor  # (R,), in double precision
    log_likelihood: Tensor  # (R,), in double precision
    prior_slope: Tensor  # the gradient of log p(z), of shape (R, D)
    likelihood_slope: Tensor  # the gradient of log p(x | z), of shape (R, D)

    def log_density(self, beta: float) -> Tensor:
        """Return log p(z) + β log p(x | z), of shape ``(R,)``."""
        return self.log_prior + beta * self.log_likelihood

    def slope(self, beta: float) -> Tensor:
        """Return the gradient of the log-density, of shape ``(R, D)``."""
        return self.prior_slope + beta * self.likelihood_slope


class Joint:
    """Evaluates p(z) and p(x | z) at the codes of M chains of each of B examples.

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions.
        chains: Number M of chains; of R = MB rows, B are the first chains, B the second, and so on.
    """

    def __init__(self, model: VAE, x: Tensor, c: Tensor, chains: int) -> None:
        self.model = model
        self.x, self.c = (part.repeat(chains, *[1] * (part.dim() - 1)) for part in (x, c))
        with torch.no_grad():
            self.prior = model.prior(self.c).expand((len(self.c),))

    def __call__(self, z: Tensor) -> State:
        """Return what is known at codes ``(R, D)``."""
        with torch.enable_grad():
            z = at_least_single(z.detach()).requires_grad_()
            log_prior = self.prior.log_prob(z)
            log_likelihood = self.model.decode(z, self.c).log_prob(self.x)
            values = log_prior, log_likelihood
            slopes = [torch.autograd.grad(value.sum(), z)[0] for value in values]
        return State(z.detach(), *(value.detach().double() for value in values), *slopes)


@torch.no_grad()
def hamiltonian_step(
    joint: Joint, state: State, beta: float, step: Tensor, noise: Tensor, leapfrogs: int
) -> tuple[State, Tensor]:
    """Move by L leapfrog steps, and accept or refuse: p(z) p(x | z)^β is left invariant.

    Args:
        joint: What the density is made of.
        state: Where the chains are.
        beta: The inverse temperature β.
        step: Sizes of the leapfrog steps ``(R,)``, which these chains' noise must not have chosen.
        noise: Standard normals ``(R, D + 1)``: the momenta, and what decides on the acceptance.
        leapfrogs: Number L of steps.

    Returns:
        Where the chains are now, and their probabilities of acceptance, of shape ``(R,)``.

    References:
        Neal, MCMC Using Hamiltonian Dynamics, 2011, sec. 3.2. https://arxiv.org/abs/1206.1901
    """
    momentum, decision = noise[:, :-1], noise[:, -1]
    step = step.unsqueeze(1)
    new, p = state, momentum + step / 2 * state.slope(beta)
    for left in reversed(range(leapfrogs)):
        new = joint(new.z + step * p)
        p = p + (step if left else step / 2) * new.slope(beta)
    kinetic = 0.5 * (momentum.double().square() - p.double().square()).sum(1)
    log_ratio = new.log_density(beta) - state.log_density(beta) + kinetic
    log_ratio = log_ratio.nan_to_num(-torch.inf, neginf=-torch.inf)  # what diverges is refused
    accepted = torch.special.log_ndtr(decision) < log_ratio
    moved = (
        torch.where(accepted.view(-1, *[1] * (to.dim() - 1)), to, stay)
        for to, stay in zip(new, state, strict=True)
    )
    return State(*moved), log_ratio.clamp(max=0).exp()


@contextmanager
def differentiable(model: VAE) -> Iterator[None]:
    """Let a model in evaluation mode pass gradients, which cuDNN's recurrent networks do not."""
    recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
    if not (recurrent and model.device.type == "cuda"):
        yield
        return
    with torch.backends.cudnn.flags(enabled=False):
        yield
