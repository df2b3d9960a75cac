"""Chains from the prior to the posterior of an example and back, and their weights."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool1d, interpolate

from vae_zoo.evaluation.bounds import priors
from vae_zoo.evaluation.hamiltonian import Joint, differentiable, hamiltonian_step
from vae_zoo.evaluation.noise import fix_noise
from vae_zoo.objectives import log_mean_exp
from vae_zoo.precision import at_least_single
from vae_zoo.vae import VAE

PILOT, FORWARD, REVERSE = range(3)  # runs, whose noise differs
STARTS, MOVES = range(2)  # what a run's noise is for
DRAWN = 50  # temperatures whose noise is drawn at once
ACCEPTANCE = 0.65  # the best in many dimensions: Neal, MCMC Using Hamiltonian Dynamics, sec. 4.4
GAIN = 0.8  # by which the logarithm of a step size follows the acceptance
COARSE, LEAST = 8, 50  # the pilot has an eighth of the temperatures, but fifty of them if it can
FLATTEST = 1e-6  # mean square slope of a prior, lest the first step be infinite
WINDOW = 11  # temperatures of the pilot that a step size is averaged over


class Weights(NamedTuple):
    """What M chains say of log p(x), of B examples."""

    log_weights: Tensor  # (M, B), in double precision
    acceptance: Tensor  # mean over the chains, at T - 1 temperatures: (T - 1, B)

    @property
    def lower(self) -> Tensor:
        """Log (1/M) Σₘ wₘ of forward chains, of shape ``(B,)``.

        E w = p(x), so that by Jensen its mean is at most log p(x).
        """
        return log_mean_exp(self.log_weights)

    @property
    def upper(self) -> Tensor:
        """Minus log (1/M) Σₘ 1 / wₘ of reverse chains, of shape ``(B,)``.

        E 1/w = 1 / p(x) for each, even if they all start at the same sample of the posterior, so
        that by Jensen its mean is at least log p(x).
        """
        return -log_mean_exp(-self.log_weights)


class AnnealedChains:
    """M chains for each of B examples along p(z) p(x | z)^β, by Hamiltonian Monte Carlo.

    A pilot run, with noise of its own, finds the sizes of the leapfrog steps for each example and
    temperature. The chains that are weighed do not change them: each leaves its target invariant,
    and the weights are exact.

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions.
        keys: The B numbers that the examples' noise follows.
        chains: Number M of chains.
        temperatures: Number T of steps from the prior to the posterior.
        leapfrogs: Number L of leapfrog steps at each temperature between.
        seed: Of all noise.

    References:
        Neal, Annealed Importance Sampling, 2001. https://arxiv.org/abs/physics/9803008
        Wu, Burda, Salakhutdinov and Grosse, On the Quantitative Analysis of Decoder-Based
        Generative Models, 2017. https://arxiv.org/abs/1611.04273
        Grosse, Ghahramani and Adams, Sandwiching the Marginal Likelihood Using Bidirectional Monte
        Carlo, 2015. https://arxiv.org/abs/1511.02543
    """

    def __init__(
        self,
        model: VAE,
        x: Tensor,
        c: Tensor,
        keys: Sequence[int],
        *,
        chains: int,
        temperatures: int,
        leapfrogs: int,
        seed: int,
    ) -> None:
        self.model, self.c, self.keys, self.seed = model, c, keys, seed
        self.chains, self.temperatures, self.leapfrogs = chains, temperatures, leapfrogs
        self.joint = Joint(model, x, c, chains)
        self.steps = self._tune()  # (T - 1, B)

    def forward(self) -> Weights:
        """Go from samples of the prior to the posterior."""
        betas = sigmoid_schedule(self.temperatures).tolist()
        return self._run(self._starts(FORWARD), betas, self.steps, FORWARD)

    def reverse(self, z: Tensor) -> Weights:
        """Go from exact samples of the posteriors to the prior.

        Args:
            z: Codes ``(B, D)`` that the examples were drawn from.
        """
        betas = sigmoid_schedule(self.temperatures).tolist()[::-1]
        found = self._run(z.repeat(self.chains, 1), betas, self.steps.flip(0), REVERSE)
        return found._replace(log_weights=-found.log_weights)

    @torch.no_grad()
    def _run(self, z: Tensor, betas: Sequence[float], steps: Tensor, run: int) -> Weights:
        """Return Σ (βₜ - βₜ₋₁) log p(x | zₜ₋₁), and the acceptance."""
        state, found = self.joint(z), []
        log_weights = (betas[1] - betas[0]) * state.log_likelihood
        moves = zip(betas[1:-1], betas[2:], steps, self._moves(run, state.z), strict=False)
        with differentiable(self.model):
            for beta, after, step, noise in moves:
                rows = step.repeat(self.chains)
                state, accepted = hamiltonian_step(
                    self.joint, state, beta, rows, noise, self.leapfrogs
                )
                log_weights = log_weights + (after - beta) * state.log_likelihood
                found.append(accepted.view(self.chains, -1).mean(0))
        return Weights(log_weights.view(self.chains, -1), torch.stack(found))

    @torch.no_grad()
    def _tune(self) -> Tensor:
        """Find step sizes for each temperature between, of shape ``(T - 1, B)``."""
        number = max(self.temperatures // COARSE, min(self.temperatures, LEAST))
        betas = sigmoid_schedule(number).tolist()[1:-1]
        state, found = self.joint(self._starts(PILOT)), []
        slopes = state.prior_slope.square().view(self.chains, len(self.keys), -1)
        log_step = -0.5 * slopes.mean((0, 2)).clamp(min=FLATTEST).log()  # the prior's width
        with differentiable(self.model):
            for beta, noise in zip(betas, self._moves(PILOT, state.z), strict=False):
                rows = log_step.exp().repeat(self.chains)
                state, accepted = hamiltonian_step(
                    self.joint, state, beta, rows, noise, self.leapfrogs
                )
                excess = accepted.view(self.chains, -1).mean(0) - ACCEPTANCE
                log_step = log_step + (GAIN * excess).to(log_step.dtype)
                found.append(log_step)
        curve = torch.stack(found, dim=1).unsqueeze(1)  # (B, 1, temperatures of the pilot)
        smooth = avg_pool1d(curve, WINDOW, 1, WINDOW // 2, count_include_pad=False)
        fine = interpolate(smooth, self.temperatures - 1, mode="linear", align_corners=True)
        return fine.squeeze(1).exp().T

    def _starts(self, run: int) -> Tensor:
        """Sample the prior for each chain, of shape ``(MB, D)``."""
        codes = []
        for key, p in zip(self.keys, priors(self.model, self.c, 1), strict=True):
            fix_noise(self.seed, key, run, STARTS)
            codes.append(p.expand((1,)).sample((self.chains,)))
        return at_least_single(torch.cat(codes, dim=1).flatten(0, 1))

    def _moves(self, run: int, like: Tensor) -> Iterator[Tensor]:
        """Draw normals ``(MB, D + 1)`` for one temperature after the other, without end."""
        generators = []
        for key in self.keys:
            fix_noise(self.seed, key, run, MOVES)
            generators.append(Generator().manual_seed(torch.initial_seed()))
        shape = DRAWN, self.chains, like.shape[1] + 1
        while True:
            drawn = [torch.randn(shape, generator=one, dtype=like.dtype) for one in generators]
            yield from torch.stack(drawn, dim=2).flatten(1, 2).to(like.device)


def sigmoid_schedule(temperatures: int) -> Tensor:
    """0 = β₀ < … < β_T = 1 along a sigmoid from -4 to 4: densest at both ends.

    Returns:
        Inverse temperatures, of shape ``(T + 1,)``, in double precision.
    """
    curve = torch.linspace(-4, 4, temperatures + 1, dtype=torch.double).sigmoid()
    return (curve - curve[0]) / (curve[-1] - curve[0])
