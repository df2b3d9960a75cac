"""Log-likelihoods of static binary MNIST beside those that were published."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from report import estimates, show
from torch import Tensor

from vae_zoo import VAE, load
from vae_zoo.evaluation.bounds import Bounds, importance_sampling
from vae_zoo.objectives import ImportanceWeighted
from vae_zoo.priors import VampPrior
from vae_zoo.runs import find_runs

FEW, MANY, BATCH = 200, 5000, 100  # samples of each posterior; images at a time
EVERY = 40  # image is given many: the test split is sorted by digit


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
    if isinstance(model.objective, ImportanceWeighted):
        return "IWAE, 50 samples"
    return "VampPrior" if isinstance(model.prior, VampPrior) else "VAE"


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
        rows[name_of(model)] = row(model, data.splits.test.x.float(), run.config["trainer"])
    show("published_likelihood", pd.DataFrame([rows[name] for name in PUBLISHED]))


def row(model: VAE, x: Tensor, trainer: dict[str, int]) -> dict[str, str]:
    """What is found of a model, with as many samples as were published, beside that."""
    few, many = bounds(model, x, FEW), bounds(model, x[::EVERY], MANY)
    gains = many.importance_sampling - few.importance_sampling[::EVERY]
    by_few, gain = -few.importance_sampling.mean().item(), gains.mean().item()
    published = PUBLISHED[name_of(model)]
    ours = by_few - gain if published.samples == MANY else by_few
    return {
        "model": name_of(model),
        "config": f"published/{published.config}",
        "its paper": f"{published.paper:g}",
        "pythae": f"{published.pythae:.2f}",
        "samples": f"{published.samples:,}",
        "ours": f"{ours:.2f}",
        "difference": f"{ours - published.pythae:+.2f}",
        f"by {FEW} samples": f"{by_few:.2f}",
        f"{MANY:,} gain": estimates([gains.tolist()])[0],
        "-ELBO": f"{-few.elbo.mean():.2f}",
        "epochs": f"{trainer['max_epochs']}",
    }


if __name__ == "__main__":
    main()
