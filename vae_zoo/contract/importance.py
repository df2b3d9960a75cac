"""The total of a density in more dimensions than a grid reaches: E_r[p / r] is 1."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent

from vae_zoo.contract.verdict import Verdict

DRAWN, CHUNK = 10_000, 1_000
ANCHORS, NEAREST = 500, 10
FLOOR = 0.01  # of the mass, on levels alike
ERRORS, VAGUE = 6, 0.1


class Kernels(NamedTuple):
    """A mixture of Cauchy distributions, around centres ``(M, D)`` with widths ``(M, D)``."""

    centres: Tensor
    widths: Tensor

    def sample(self, shape: tuple[int]) -> Tensor:
        """Draw samples ``(*shape, D)``."""
        which = torch.randint(len(self.centres), shape)
        noise = self.centres.new_empty(*shape, self.centres.shape[1]).cauchy_()
        return self.centres[which] + self.widths[which] * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density of ``(N, D)``."""
        inverse = z.new_ones(len(z), len(self.centres))
        for x, centre, width in zip(z.T, self.centres.T, self.widths.T, strict=True):
            inverse *= math.pi * width * (1 + ((x[:, None] - centre) / width).square())
        return inverse.reciprocal().mean(1).log()


def kernels(samples: Tensor) -> Kernels:
    """A heavy-tailed r around samples ``(N, D)``, wide where these are rare."""
    low, high = samples.quantile(samples.new_tensor([0.25, 0.75]), dim=0)
    spread = (high - low).clamp(min=1e-12)
    centres = samples[:ANCHORS]
    distances = torch.cdist(centres / spread, centres / spread)
    width = distances.kthvalue(NEAREST + 1, dim=1).values / (2 * samples.shape[1] ** 0.5)
    return Kernels(centres, width.clamp(min=1e-6).unsqueeze(1) * spread)


def marginals(numbers: Tensor, levels: int) -> Distribution:
    """Independent numbers of levels, each as often as in samples ``(N, D)``."""
    counts = [column.long().bincount(minlength=levels) for column in numbers.unbind(dim=1)]
    weights = torch.stack(counts).double() + FLOOR * len(numbers) / levels
    return Independent(Categorical(weights), 1)


@torch.no_grad()
def total(
    log_prob: Callable[[Tensor], Tensor], samples: Tensor, r: Distribution | Kernels
) -> Verdict:
    """Sum a density p at samples of r.

    Where r misses what p has, its own samples do not tell: p / r is large at those of p. Since
    E_r[(p / r)²] = E_p[p / r], they give the standard error.

    Args:
        log_prob: Computes log p of ``(N, D)``.
        samples: Samples of p, ``(N, D)``, other ones than those that r is made from.
        r: The proposal.
    """

    def ratio(z: Tensor) -> Tensor:
        parts = [log_prob(part).double() - r.log_prob(part) for part in z.split(CHUNK)]  # type: ignore[no-untyped-call]
        return torch.cat(parts).nan_to_num(nan=-torch.inf).exp()

    drawn = torch.cat([ratio(r.sample((CHUNK,))) for _ in range(DRAWN // CHUNK)])
    mean = drawn.mean().item()
    square = max(drawn.var().item(), ratio(samples).mean().item() * max(mean, 1.0))
    error = (square / DRAWN) ** 0.5
    dims = samples.shape[1]
    expected = f"1 to {ERRORS} standard errors, in {dims} dimensions"
    figure = f"{mean:.3f} ± {error:.2g}"
    if not abs(mean - 1) <= ERRORS * error:
        return Verdict(False, figure, expected)
    if error > VAGUE:
        return Verdict(None, f"cannot be told: {figure}", expected)
    return Verdict(True, figure, expected)
