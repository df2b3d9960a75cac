"""Quadrants of MNIST that a regression and a conditional VAE complete, beside Pyro's figures.

It trains Pyro's regression on grey levels besides, once for each number of quadrants: some minutes.
"""

import math
from pathlib import Path

import pandas as pd
import torch
from report import run_section, show
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_zoo import VAE, load
from vae_zoo.data import MNIST, Completion
from vae_zoo.data.completion import HIDDEN, Quadrants
from vae_zoo.evaluation.examples import examples
from vae_zoo.regularizers import kl_divergence
from vae_zoo.runs import find_runs

PUBLISHED: dict[Quadrants, tuple[float, float]] = {  # regression, conditional VAE
    1: (100.4, 71.8),
    2: (61.9, 51.0),
    3: (25.4, 24.2),
}
REGRESSION, CONDITIONAL = "regression", "conditional VAE"
PLAIN = "regression on grey levels, a plain loop"
SAMPLES, BATCH = 10, 500  # samples of each posterior, as Pyro takes; images at a time
EPOCHS, PATIENCE = 101, 3  # of Pyro's training


@torch.no_grad()
def loss(model: VAE, x: Tensor, y: Tensor) -> float:
    """-ELBO of hidden pixels x given seen ones y, nats; of grey levels by their cross entropy."""
    total = 0.0
    for some, seen in zip(x.float().split(BATCH), y.float().split(BATCH), strict=True):  # type: ignore[no-untyped-call]
        c = model.condition(seen)
        q = model.encode(some, c)
        z = q.rsample(torch.Size([SAMPLES]))
        kl = kl_divergence(q, model.prior(c).expand(q.batch_shape), z)
        assert kl is not None  # q has a density
        total += (kl - model.log_likelihood(some, z, c).mean(0)).sum().item()
    return total / len(x)


def plain_regression(levels: Completion) -> float:
    """Train Pyro's regression on grey levels, in a plain loop; return its test cross entropy."""
    seen, splits = levels.seen.flatten(), levels.of.splits
    train, val, test = (
        levels.of.batch(part.x, None)[0].flatten(1)
        for part in (splits.train, splits.val, splits.test)
    )
    layers = (nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 500), nn.ReLU(), nn.Linear(500, 784))
    network = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def entropy(x: Tensor) -> Tensor:
        logits = network(x.masked_fill(~seen, HIDDEN))[:, ~seen]
        return binary_cross_entropy_with_logits(logits, x[:, ~seen], reduction="sum") / len(x)

    losses, best = [], math.nan
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train)).split(128):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            entropy(train[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            losses.append(entropy(val).item())
            if losses[-1] == min(losses):
                best = entropy(test).item()
        if min(losses[-PATIENCE:]) > min(losses):
            break
    return best


def main() -> None:
    """Measure the runs as they were trained, and as Pyro measures its own, and show both."""
    torch.manual_seed(0)
    found: dict[tuple[int, str], tuple[float, float]] = {}
    for run in find_runs([Path("runs/published_completion")]):
        model, coins, _ = load(run.folder)
        assert isinstance(coins, Completion)
        x, y = examples(model, coins, "test")
        levels = grey(coins.quadrants)
        x_grey, y_grey = levels.batch(levels.splits.test.x, None)
        assert y is not None
        assert y_grey is not None
        kind = CONDITIONAL if model.latent_dim else REGRESSION
        found[coins.quadrants, kind] = loss(model, x_grey, y_grey), loss(model, x, y)
    rows = []
    for quadrants, (regression, conditional) in PUBLISHED.items():
        plain = plain_regression(grey(quadrants))
        rows += [
            row(quadrants, REGRESSION, regression, *found[quadrants, REGRESSION]),
            row(quadrants, PLAIN, regression, plain),
            row(quadrants, CONDITIONAL, conditional, *found[quadrants, CONDITIONAL]),
        ]
    show("published_completion", pd.DataFrame(rows))


def grey(quadrants: Quadrants) -> Completion:
    """The data with the grey levels of their pixels."""
    return Completion(MNIST(binarization="none"), quadrants)


def row(
    quadrants: int, model: str, theirs: float, of_grey: float, of_coins: float | None = None
) -> dict[str, str]:
    """What Pyro has of a model, and what we have."""
    return {
        "quadrants seen": str(quadrants),
        "model": model,
        "Pyro, grey levels": f"{theirs:.1f}",
        "ours, grey levels": f"{of_grey:.1f}",
        "difference": f"{of_grey - theirs:+.1f}",
        "ours, black and white": "–" if of_coins is None else f"{of_coins:.1f}",
    }


if __name__ == "__main__":
    run_section(main)
