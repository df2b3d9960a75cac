"""Time the likelihood by 5,000 samples an image, beside the loop that evaluation scripts have.

    python benchmarks/nll.py

``ours`` is ``vae_zoo.evaluation.importance_sampling``. The loop is written out below: for every
image, it encodes and decodes batches of copies of it, and takes the cross entropy over all pixels:
of probabilities, as published scripts do, or of logits, which is faster. All take turns in one
process, so that whatever else the machine does hits all alike; a ratio is the median over rounds of
the ratio within a round. All must find the same likelihood: its error is over the rounds, of which
each draws other samples, and few rounds show too small a one, since few samples have most of the
weight. Two minutes on two cores.
"""

import argparse
import math
import os
from collections.abc import Callable
from functools import partial
from statistics import mean, median, stdev
from time import perf_counter
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    interpolate,
    softplus,
)

from vae_zoo.evaluation import importance_sampling
from vae_zoo.networks import MLP
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

LATENT, WIDTH, SAMPLES = 20, 400, 5000
IMAGES, STEPS = 5, 500
BATCH = 500  # of the loop: of 100, 250, 500, 1000 and 5000 none is faster
Estimate = Callable[[VAE, Tensor], Tensor]  # of log p(x), for each of some images


class Turn(NamedTuple):
    """What one turn of one contender took, and found."""

    milliseconds: float  # per image
    nll: float


def ours(vae: VAE, x: Tensor) -> Tensor:
    """Estimate log p(x) by the package."""
    c = x.new_empty(1, 0)
    bounds = [importance_sampling(vae, one, c, SAMPLES) for one in x.split(1)]  # type: ignore[no-untyped-call]
    return torch.cat([bound.importance_sampling for bound in bounds])


def loop(entropy: Callable[[Tensor, Tensor], Tensor], vae: VAE, x: Tensor) -> Tensor:
    """Estimate log p(x) by the loop, with networks alone."""
    encoder, decoder = vae.encoder.layers, vae.decoder.layers
    assert isinstance(encoder, torch.nn.Sequential)
    assert isinstance(decoder, torch.nn.Sequential)
    found = []
    for one in x:
        log_weights = []
        for _ in range(SAMPLES // BATCH):
            copies = one.repeat(BATCH, 1)
            loc, scale = encoder(copies).chunk(2, dim=1)
            scale = softplus(scale) + 1e-4
            noise = torch.randn_like(scale)
            z = loc + scale * noise
            log_ratio = 0.5 * (noise.square() - z.square()).sum(1) + scale.log().sum(1)
            log_weights.append(log_ratio - entropy(decoder(z), copies).sum(1))
        found.append(torch.cat(log_weights).logsumexp(0) - math.log(SAMPLES))
    return torch.stack(found)


def of_logits(logits: Tensor, x: Tensor) -> Tensor:
    """Cross entropy, pixel by pixel."""
    return binary_cross_entropy_with_logits(logits, x, reduction="none")


def of_probabilities(logits: Tensor, x: Tensor) -> Tensor:
    """The same, of a decoder that ends in a sigmoid."""
    return binary_cross_entropy(logits.sigmoid(), x, reduction="none")


CONTENDERS: dict[str, Estimate] = {
    "ours": ours,
    "logits": partial(loop, of_logits),
    "probabilities": partial(loop, of_probabilities),
}


def trained() -> tuple[VAE, Tensor]:
    """Train 784-400-20 for a moment on scikit-learn's digits, enlarged, and keep some of them."""
    digits = torch.from_numpy(load_digits().images > 8).float().unsqueeze(1)
    x = interpolate(digits, (28, 28)).flatten(1)
    network = partial(MLP, hidden=(WIDTH,))
    vae = VAE((784,), LATENT, KL(), encoder=network, decoder=network)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        vae(x[torch.randint(IMAGES, len(x), (128,))]).loss.backward()
        optimizer.step()
    return vae.eval(), x[:IMAGES]


@torch.no_grad()
def interleave(vae: VAE, x: Tensor, rounds: int) -> dict[str, list[Turn]]:
    """Give each contender a turn in every round."""
    turns: dict[str, list[Turn]] = {name: [] for name in CONTENDERS}
    for turn in range(rounds + 1):
        for name, estimate in CONTENDERS.items():
            start = perf_counter()
            nll = -estimate(vae, x).mean()
            milliseconds = 1e3 * (perf_counter() - start) / len(x)
            if turn:  # the first warms up
                turns[name].append(Turn(milliseconds, nll.item()))
    return turns


def cells(turns: dict[str, list[Turn]], name: str) -> list[str]:
    """A contender's time, that of it over ours, and the likelihood that it found."""
    times = [turn.milliseconds for turn in turns[name]]
    ratios = [time / own.milliseconds for time, own in zip(times, turns["ours"], strict=True)]
    nlls = [turn.nll for turn in turns[name]]
    error = stdev(nlls) / math.sqrt(len(nlls))
    return [f"{median(times):.1f}", f"{median(ratios):.2f}", f"{mean(nlls):.3f} ± {error:.3f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time the likelihood beside the obvious loop.")
    parser.add_argument("--rounds", type=int, default=21, help="turns of each (default: 21)")
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    vae, x = trained()
    table = Table("threads", "", "ms per image", "over ours", "-log p(x), nats")
    for threads in sorted({1, min(2, os.cpu_count() or 1)}):
        torch.set_num_threads(threads)
        turns = interleave(vae, x, rounds)
        for name in CONTENDERS:
            table.add_row(str(threads), name, *cells(turns, name))
    console = Console()
    console.print(table)
    console.print(f"torch {torch.__version__}, {rounds} rounds, {SAMPLES:,} samples an image")


if __name__ == "__main__":
    main()
