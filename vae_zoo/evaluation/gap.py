"""The posterior gap: what the ELBO loses by the family of q(z | x), and what by the encoder."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.optim.lr_scheduler import CosineAnnealingLR

from vae_zoo.arguments import require_samples
from vae_zoo.evaluation.annealing import AnnealedImportanceSampling
from vae_zoo.evaluation.bounds import elbo_terms
from vae_zoo.evaluation.hamiltonian import differentiable
from vae_zoo.evaluation.noise import fix_noise, sample_posteriors
from vae_zoo.posteriors import Delta
from vae_zoo.vae import VAE

RATE = 0.1  # of Adam at first; it falls to 0 as a cosine
EVALUATED = 200  # samples of a posterior that its ELBO is the mean over


class PosteriorGap(AnnealedImportanceSampling):
    """log p(x) - ELBO[q] = KL(q(z | x) ‖ p(z | x)), in two parts that sum to it.

    ``approximation_gap`` is log p(x) - ELBO[q*], what the best member q* of the posterior's family
    loses, and ``amortisation_gap`` is ELBO[q*] - ELBO[q], what the encoder loses against it. To
    find q*, the parameters that the encoder returns are optimised for each example on its own; a
    FlowPosterior's own weights stay as they are. Both ELBOs are means over fresh samples of common
    noise.

    log p(x) is ``ais``, a lower bound in the mean. The larger of it and another lower bound, taken
    for each example, would be none: it prefers whatever noise is high. So the approximation gap may
    be too small by what ``bdmc_gap`` says, and too large by what the optimiser has missed; the
    amortisation gap may be too small by the latter.

    Args:
        chains, temperatures, leapfrogs, simulated: As of AnnealedImportanceSampling.
        steps: Number of steps of Adam.
        samples: Number K of samples of each posterior in a step.
        seed: Of all noise.

    Raises:
        ValueError: A number is too small; later, the posterior has no density.

    References:
        Cremer, Li and Duvenaud, Inference Suboptimality in Variational Autoencoders, 2018, eqs.
        5-7. https://arxiv.org/abs/1801.03558
    """

    def __init__(
        self,
        chains: int = 4,
        temperatures: int = 800,
        leapfrogs: int = 1,
        simulated: int = 20,
        steps: int = 200,
        samples: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(chains, temperatures, leapfrogs, simulated, seed)
        require_samples(samples)
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.steps, self.samples = steps, samples

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        if isinstance(model.encode(x, c), Delta):
            raise ValueError(
                "PosteriorGap needs the density of q(z | x), which a Deterministic posterior "
                "lacks: use AnnealedImportanceSampling, which needs none"
            )
        return super().measure(model, x, c, keys)

    def columns(self, x: Tensor, c: Tensor, number: Tensor) -> dict[str, Tensor]:
        found, keys = super().columns(x, c, number), number.tolist()
        model, params = self.model, self.model.encoder(x, c)
        fix_noise(self.seed, *keys)
        best = fit_posteriors(model, params, x, c, self.steps, self.samples)
        p = model.prior(c).expand((len(x),))
        of_q, of_best = (
            elbo(model, model.posterior(each), p, z, x, c).double()
            for each in (params, best)
            for z in [sample_posteriors(model, each, keys, self.seed, EVALUATED)]
        )
        return found | {
            "posterior_gap": found["ais"] - of_q,
            "approximation_gap": found["ais"] - of_best,
            "amortisation_gap": of_best - of_q,
        }

    @property
    def setting(self) -> dict[str, Any]:
        return super().setting | {"steps": self.steps, "samples": self.samples}


def fit_posteriors(
    model: VAE, params: Tensor, x: Tensor, c: Tensor, steps: int, samples: int
) -> Tensor:
    """Maximise the ELBO of each example over the parameters of its own posterior, by Adam.

    Args:
        model: The model, in evaluation mode.
        params: Where to begin, ``model.encoder(x, c)``, of shape ``(B, *params)``.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions.
        steps: Number of steps.
        samples: Number K of samples in a step.

    Returns:
        The best parameters, of shape ``(B, *params)``.
    """
    with torch.no_grad():
        p = model.prior(c).expand((len(x),))
    best = params.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([best], lr=RATE)
    decay = CosineAnnealingLR(optimizer, steps)
    with torch.enable_grad(), differentiable(model):
        for _ in range(steps):
            q = model.posterior(best)
            loss = -elbo(model, q, p, q.rsample((samples,)), x, c).sum()
            (best.grad,) = torch.autograd.grad(loss, best)
            optimizer.step()
            decay.step()
    return best.detach()


def elbo(model: VAE, q: Distribution, p: Distribution, z: Tensor, x: Tensor, c: Tensor) -> Tensor:
    """E_q log p(x | z) - KL(q ‖ p), of shape ``(B,)``, by K samples z of q, ``(K, B, D)``."""
    log_likelihood, kl = elbo_terms(model, q, p, z, x, c)
    assert kl is not None  # q has a density
    return log_likelihood - kl
