"""Quadrants of MNIST that a regression and a conditional VAE complete, beside Pyro's figures."""

from pathlib import Path

import pandas as pd
import torch
from report import show
from torch import Tensor

from vae_zoo import VAE, load
from vae_zoo.data import MNIST, Completion
from vae_zoo.evaluation.examples import examples
from vae_zoo.regularizers import kl_divergence
from vae_zoo.runs import find_runs

PUBLISHED = {1: (100.4, 71.8), 2: (61.9, 51.0), 3: (25.4, 24.2)}  # regression, conditional VAE
REGRESSION, CONDITIONAL = "regression", "conditional VAE"
SAMPLES, BATCH = 10, 500  # samples of each posterior, as Pyro takes; images at a time


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


def main() -> None:
    """Measure the runs as they were trained, and as Pyro measures its own, and show both."""
    torch.manual_seed(0)
    found: dict[tuple[int, str], tuple[float, float]] = {}
    for run in find_runs([Path("runs/published_completion")]):
        model, data, _ = load(run.folder)
        assert isinstance(data, Completion)
        coins, levels = data, Completion(MNIST(binarization="none"), data.quadrants)
        x, y = examples(model, coins, "test")
        assert y is not None
        grey, seen = levels.batch(levels.splits.test.x, None)
        assert seen is not None
        kind = CONDITIONAL if model.latent_dim else REGRESSION
        found[data.quadrants, kind] = loss(model, x, y), loss(model, grey, seen)
    rows = []
    for quadrants, published in PUBLISHED.items():
        for kind, theirs in zip((REGRESSION, CONDITIONAL), published, strict=True):
            of_coins, of_grey = found[quadrants, kind]
            row = {
                "quadrants seen": str(quadrants),
                "model": kind,
                "Pyro, grey levels": f"{theirs:.1f}",
                "ours, grey levels": f"{of_grey:.1f}",
                "difference": f"{of_grey - theirs:+.1f}",
                "ours, black and white": f"{of_coins:.1f}",
            }
            rows.append(row)
    show("published_completion", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
