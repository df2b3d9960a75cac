"""Annealed importance sampling: log p(x) of any decoder, and what the estimate may be off by."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool1d, interpolate

from vae_zoo.evaluation.hamiltonian import Joint, State, differentiable, hamiltonian_step
from vae_zoo.evaluation.kept import KeptExamples
from vae_zoo.evaluation.metrics import means
from vae_zoo.evaluation.noise import fix_noise, sample_prior
from vae_zoo.evaluation.score import Score
from vae_zoo.objectives import log_mean_exp
from vae_zoo.vae import VAE

PILOT, FORWARD, REVERSE = range(3)  # runs of the chains, each with noise of its own
EXAMPLES = 50  # whose chains run at once
DRAWN = 50  # temperatures for which noise is drawn at once
ACCEPTANCE = 0.65  # that step sizes are tuned to, the best as D grows (Neal 2011, sec. 5.4.4.3)
GAIN = 0.3  # by which the logarithm of a step size follows the acceptance
WINDOW = 11  # temperatures of the pilot run that a step size is averaged over
COARSE = 4  # temperatures for each of the pilot run


def sigmoid_schedule(temperatures: int) -> Tensor:
    """β₀ = 0, …, β_T = 1 along a sigmoid from -4 to 4: densest where the density changes most.

    References:
        Wu, Burda, Salakhutdinov and Grosse, On the Quantitative Analysis of Decoder-Based
        Generative Models, 2017. https://arxiv.org/abs/1611.04273
    """
    curve = torch.linspace(-4, 4, temperatures + 1, dtype=torch.double).sigmoid()
    return (curve - curve[0]) / (curve[-1] - curve[0])


class Annealing:
    def __init__(
        self,
        model: VAE,
        x: Tensor,
        c: Tensor,
        keys: Sequence[int],
        chains: int,
        temperatures: int,
        leapfrogs: int,
        seed: int,
    ) -> None:
        self.model, self.c, self.keys, self.seed = model, c, keys, seed
        self.chains, self.temperatures, self.leapfrogs = chains, temperatures, leapfrogs
        self.joint = Joint(model, x, c, chains)
        with differentiable(model):
            self.steps = self._tune()

    def forward(self) -> Tensor:
        z, noise = self._begin(FORWARD)
        betas = sigmoid_schedule(self.temperatures).tolist()
        return self._run(z, noise, betas, self.steps)[0]

    def reverse(self, z: Tensor) -> Tensor:
        _, noise = self._begin(REVERSE)
        betas = sigmoid_schedule(self.temperatures).flip(0).tolist()
        return -self._run(z.repeat(self.chains, 1), noise, betas, self.steps.flip(0))[0]

    @torch.no_grad()
    def _run(self, z, noise, betas, steps):
        state = self.joint(z)
        log_weights = torch.zeros_like(state.log_likelihood)
        acceptances = []
        with differentiable(self.model):
            for before, beta, step, one in zip(betas, betas[1:], [*steps, None], noise):
                log_weights += (beta - before) * state.log_likelihood
                if step is None: break
                state, accepted = hamiltonian_step(
                    self.joint, state, beta, step.repeat(self.chains)[:, None], one, self.leapfrogs
                )
                acceptances.append(accepted.mean())
        self.acceptance = torch.stack(acceptances)
        return log_weights.view(self.chains, -1), self.acceptance

    @torch.no_grad()
    def _tune(self) -> Tensor:
        z, noise = self._begin(PILOT)
        number = max(2, self.temperatures // COARSE)
        betas = sigmoid_schedule(number).tolist()
        state, log_step, found = self.joint(z), z.new_full((len(self.keys),), -2.0), []
        for beta, one in zip(betas[1:-1], noise):
            step = log_step.exp().repeat(self.chains)[:, None]
            state, accepted = hamiltonian_step(self.joint, state, beta, step, one, self.leapfrogs)
            log_step = log_step + GAIN * (accepted.view(self.chains, -1).mean(0) - ACCEPTANCE).to(z.dtype)
            found.append(log_step)
        curve = torch.stack(found, dim=1)[:, None]
        smooth = avg_pool1d(curve, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
        return interpolate(smooth, self.temperatures - 1, mode="linear", align_corners=True)[:, 0].exp().T

    def _begin(self, run: int) -> tuple[Tensor, Iterator[Tensor]]:
        shared = None if self.c.shape[1] else self.model.prior(self.c)
        codes, generators = [], []
        for key, c in zip(self.keys, self.c.split(1), strict=True):
            fix_noise(self.seed, key, run)
            p = self.model.prior(c) if shared is None else shared
            codes.append(p.expand((1,)).sample((self.chains,)))
            generators.append(Generator().manual_seed(int(torch.randint(2**32, ()))))
        z = torch.cat(codes, dim=1).flatten(0, 1)
        return z, self._normals(generators, z)

    def _normals(self, generators, like):
        shape = DRAWN, self.chains, like.shape[1] + 1
        while True:
            drawn = [torch.randn(shape, dtype=like.dtype, generator=one) for one in generators]
            yield from torch.stack(drawn, dim=2).flatten(1, 2).to(like.device)


class AnnealedImportanceSampling(KeptExamples):
    rows = ("x", "c", "number")

    def __init__(
        self,
        chains: int = 4,
        temperatures: int = 500,
        leapfrogs: int = 2,
        simulated: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.chains, self.temperatures, self.leapfrogs = chains, temperatures, leapfrogs
        self.simulated = simulated

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        return {"x": x, "c": c, "number": keys}

    def scores(self, x: Tensor, c: Tensor, number: Tensor) -> dict[str, Score]:
        model = self.model
        x, c = x.to(model.device), c.to(model.device)
        est=[]
        for i in range(0, len(x), EXAMPLES):
            p = slice(i, i + EXAMPLES)
            est.append(log_mean_exp(self._anneal(x[p], c[p], number[p].tolist()).forward()))
        found = means(("ais",), torch.cat(est)[:, None])
        if self.simulated:
            i = torch.arange(self.simulated) % len(x)
            z = sample_prior(model, c[i], self.seed)
            xs = model.decode(z, c[i]).sample()
            a = self._anneal(xs, c[i], [*range(self.simulated)])
            lower = log_mean_exp(a.forward())
            upper = -log_mean_exp(-a.reverse(z))
            found |= means(("bdmc_gap",), (upper - lower)[:, None])
        return found

    def _anneal(self, x, c, keys):
        return Annealing(self.model, x, c, keys, self.chains, self.temperatures, self.leapfrogs, self.seed)

    @property
    def setting(self) -> dict[str, Any]:
        names = "chains", "temperatures", "leapfrogs", "simulated"
        return {name: getattr(self, name) for name in names}
