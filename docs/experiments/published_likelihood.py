"""Log-likelihoods of static binary MNIST beside those that were published."""

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from report import estimates, run_section, show
from torch import Tensor

from vae_zoo import VAE, load
from vae_zoo.evaluation.bounds import Bounds, importance_sampling
from vae_zoo.processor import prepare_processor
from vae_zoo.runs import Run, find_runs

FEW, MANY, BATCH = 200, 5000, 100  # samples of each posterior; images at a time
EVERY = 40  # the step from one image that is given many to the next: the split is sorted by digit


class Published(NamedTuple):
    """What was printed of a model: by pythae, and by the paper it reproduces, -log p(x) in nats."""

    pythae: float
    paper: float
    samples: int
    epochs: int


NORMAL_PRIOR = Published(89.78, 89.9, FEW, 500)
CONFIGS = {  # by their epochs, which tell them apart
    500: ("vae", "VAE", NORMAL_PRIOR),
    250: ("vae_one_cycle", "VAE, one cycle to 2e-3", NORMAL_PRIOR),
    85: ("vae_two_layers", "VAE, one cycle, a second layer", NORMAL_PRIOR),
    60: ("vamp_prior", "VampPrior", Published(85.79, 85.57, MANY, 2000)),
    40: ("iwae", "IWAE, 50 samples", Published(86.82, 87.1, MANY, 3280)),
}


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
    prepare_processor()
    finished = [run for run in find_runs([Path("runs/published_likelihood")]) if run.finished]
    runs = {run.config["trainer"]["max_epochs"]: run for run in finished}
    if len(runs) < len(finished):
        raise ValueError(
            "runs/published_likelihood has two finished runs of as many epochs: move one away"
        )
    if lacking := [config for epochs, (config, *_) in CONFIGS.items() if epochs not in runs]:
        raise ValueError(f"runs/published_likelihood has no finished run of published/{lacking[0]}")
    show("published_likelihood", pd.DataFrame([row(runs[epochs], epochs) for epochs in CONFIGS]))


def row(run: Run, epochs: int) -> dict[str, str]:
    """What is found of a model, with as many samples as were published, beside that."""
    config, name, published = CONFIGS[epochs]
    print(f"log p(x) by {name} …", flush=True)
    model, data, _ = load(run.folder)
    x = data.splits.test.x.float()
    torch.manual_seed(0)
    few, some = bounds(model, x, FEW), x[::EVERY]
    groups = torch.stack([bounds(model, some, FEW).importance_sampling for _ in range(MANY // FEW)])
    gains = groups.logsumexp(0) - math.log(len(groups)) - groups.mean(0)
    by_few, gain = -few.importance_sampling.mean().item(), gains.mean().item()
    ours = by_few - gain if published.samples == MANY else by_few
    return {
        "model": name,
        "config": f"published/{config}",
        "its paper": f"{published.paper:g}",
        "pythae": f"{published.pythae:.2f}",
        "samples": f"{published.samples:,}",
        "ours": f"{ours:.2f}",
        "difference": f"{ours - published.pythae:+.2f}",
        f"by {FEW} samples": f"{by_few:.2f}",
        f"{MANY:,} gain": estimates([gains.tolist()])[0],
        "-ELBO": f"{-few.elbo.mean():.2f}",
        "epochs": f"{epochs} of {published.epochs:,}",
    }


if __name__ == "__main__":
    run_section(main)
