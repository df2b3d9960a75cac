"""Log-likelihoods of static binary MNIST beside those that were published."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from report import estimates, show
from torch import Tensor

from vae_zoo import VAE, load
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.evaluation.bounds import Bounds, importance_sampling
from vae_zoo.runs import find_runs

FEW, MANY, BATCH = 200, 5000, 100  # samples of each posterior; images at a time
IMAGES = 500  # that are given many


class Published(NamedTuple):
    """A negative log-likelihood, in nats, as printed: by pythae, and by the paper it reproduces."""

    config: str
    pythae: float
    paper: float
    samples: int


PUBLISHED = {
    "VAE": Published("vae", 89.78, 89.9, FEW),
    "VampPrior": Published("vamp_prior", 85.79, 85.57, MANY),
    "IWAE, 50 samples": Published("iwae", 86.82, 87.1, MANY),
}


def name_of(model: VAE) -> str:
    """Which of the published models it is."""
    kind = type(model.prior).__name__
    weighted = type(model.objective).__name__ == "ImportanceWeighted"
    return "IWAE, 50 samples" if weighted else "VampPrior" if kind == "VampPrior" else "VAE"


@torch.no_grad()
def bounds(model: VAE, x: Tensor, samples: int) -> Bounds:
    """Bound log p(x) of many examples, some after the others."""
    found = [
        importance_sampling(model, part, part.new_empty(len(part), 0), samples)
        for part in x.split(BATCH)  # type: ignore[no-untyped-call]
    ]
    return Bounds(*map(torch.cat, zip(*found, strict=True)))


def main() -> None:
    """Measure the runs, and show them beside what was published."""
    torch.manual_seed(0)
    rows = {}
    for run in find_runs([Path("runs/published_likelihood")]):
        model, data, _ = load(run.folder)
        x = data.splits.test.x.float()
        few, many = bounds(model, x, FEW), bounds(model, x[:IMAGES], MANY)
        gained = many.importance_sampling - few.importance_sampling[:IMAGES]
        name, gain = name_of(model), Estimate.of(gained.tolist())
        of_few = -few.importance_sampling.mean().item()
        published = PUBLISHED[name]
        ours = of_few - gain.mean if published.samples == MANY else of_few
        rows[name] = {
            "model": name,
            "config": f"published/{published.config}",
            "pythae": f"{published.pythae:.2f}",
            "its paper": f"{published.paper:g}",
            "samples": f"{published.samples:,}",
            "ours": f"{ours:.2f}",
            "less pythae's": f"{ours - published.pythae:+.2f}",
            f"by {FEW} samples": f"{of_few:.2f}",
            f"{MANY:,} gain": estimates([gained.tolist()])[0],
            "-ELBO": f"{-few.elbo.mean():.2f}",
            "epochs": f"{run.config['trainer']['max_epochs']}",
        }
    show("published_likelihood", pd.DataFrame([rows[name] for name in PUBLISHED]))


if __name__ == "__main__":
    main()
