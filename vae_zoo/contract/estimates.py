"""Means of a divergence over repeated draws, where an adversary is trained first."""

import math
from typing import NamedTuple

import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import LinearLR

from vae_zoo.contract.codes import Factory, codes_like_prior, make, prepare
from vae_zoo.regularizers import Regularizer

REPEATS = {64: 64, 256: 16, 1024: 16}  # draws of each number n of examples
ERRORS = 6  # standard errors within which means are equal
ROUNDING = 1e-5
TRAINING_STEPS, TRAINING_EXAMPLES = 100, 256  # of an adversary's critic
LEARNING_RATE = 0.01  # at least


class Estimate(NamedTuple):
    """The mean of a divergence of n examples, and its standard deviation from draw to draw."""

    n: int
    mean: float
    deviation: float

    @property
    def noise(self) -> float:
        """What the mean may be off by chance."""
        if not math.isfinite(self.mean):
            return 0.0
        rounding = ROUNDING * max(1, abs(self.mean))
        return ERRORS * self.deviation / math.sqrt(REPEATS[self.n]) + rounding

    def exceeds(self, other: "Estimate", margin: int = 1) -> bool:
        """Whether it is above another one by more than ``margin`` times what may be chance."""
        return self.mean > other.mean + margin * math.hypot(self.noise, other.noise)

    def __str__(self) -> str:
        return f"n={self.n}: {self.mean:.4g} ± {self.deviation:.2g}"


class Estimates:
    """Estimates of one regularizer, each made once.

    Args:
        factory: Makes the regularizer.
    """

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.regularizers: dict[tuple[float, float], Regularizer] = {}
        self.estimates: dict[tuple[int, float, float], Estimate] = {}

    def __call__(self, n: int, shift: float = 0.0, scale: float = 1.0) -> Estimate:
        """Estimate the divergence of n codes like the prior, but for a shift and a scaling."""
        if (shift, scale) not in self.regularizers:
            regularizer = make(self.factory, TRAINING_EXAMPLES)
            train_critic(regularizer, shift, scale)
            self.regularizers[shift, scale] = regularizer
        if (n, shift, scale) not in self.estimates:
            found = _estimate(self.regularizers[shift, scale], n, shift, scale)
            self.estimates[n, shift, scale] = found
        return self.estimates[n, shift, scale]


def _estimate(regularizer: Regularizer, n: int, shift: float, scale: float) -> Estimate:
    prepare(regularizer, n)
    torch.manual_seed(n)
    with torch.no_grad():
        draws = [codes_like_prior(n, regularizer.matches, shift, scale) for _ in range(REPEATS[n])]
        values = torch.stack([regularizer.divergence(*draw) for draw in draws]).double()
    mean = values.mean().item()
    deviation = values.std().item() if math.isfinite(mean) else 0.0
    return Estimate(n, mean, deviation)


def train_critic(regularizer: Regularizer, shift: float, scale: float) -> None:
    """Train the critic of an adversary on codes that stay as they are; others have none."""
    if not has_critic(regularizer):
        return
    options = dict(regularizer.optimizer_options)
    options["lr"] = max(options.get("lr", 0.0), LEARNING_RATE)  # it has few steps
    optimizer = Adam(regularizer.parameters(), **options)
    decay = LinearLR(optimizer, 1.0, 0.0, TRAINING_STEPS)  # ends at rest, not in a random place
    for _ in range(TRAINING_STEPS):
        draw = codes_like_prior(TRAINING_EXAMPLES, regularizer.matches, shift, scale)
        loss = regularizer.critic_loss(*draw)
        assert loss is not None  # it has a critic
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        decay.step()


def has_critic(regularizer: Regularizer) -> bool:
    """Whether the regularizer has a second player, with a loss of its own."""
    return regularizer.critic_loss(*codes_like_prior(8, regularizer.matches)) is not None
