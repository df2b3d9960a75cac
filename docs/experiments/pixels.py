"""Squared error or cross entropy of pixels: what each leads to, by numbers that both have."""

import math

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show
from torch import Tensor
from torch.nn.functional import pad

from vae_zoo import VAE, compare, load
from vae_zoo.evaluation.examples import examples
from vae_zoo.likelihoods import Normal
from vae_zoo.pictures.chart import new_figure

SUMMED, AVERAGED = 0.5, 32.0  # variances at which -log p is the squared error, and its mean over 64
NAMES = {SUMMED: "squared error, summed", AVERAGED: "squared error, averaged"}
SHOWN = 6  # images, reconstructed and drawn


def squared_error(x: Tensor, mean: Tensor) -> Tensor:
    """‖x - m‖² of each example, ``(B,)``: -log N(x; m, ½) but for D/2 ln π."""
    return (x - mean).flatten(1).square().sum(1)


def directions(x: Tensor, variance: float) -> int:
    """Number of eigenvalues of the covariance of examples that are above a variance."""
    return int((torch.linalg.eigvalsh(torch.cov(x.flatten(1).double().T)) > variance).sum())


def main() -> None:
    """Read, print and write what section 14 shows of pixels."""
    torch.manual_seed(0)
    rows = [row for kind in ("binary", "grey") for row in outcomes(kind)]
    show("sequences pixels", pd.DataFrame(rows))
    figure = new_figure(7.6, 2.9)
    draw_images(figure.subplots())
    save("pixels", figure)


def runs(kind: str) -> pd.DataFrame:
    """The runs of a sweep, in the same order for all kinds."""
    return compare(f"runs/likelihoods_{kind}").sort_values(["group", "seed"])


def outcomes(kind: str) -> list[dict[str, str]]:
    """What each likelihood of digits leads to: numbers that do not depend on it, over its seeds."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _, run in runs(kind).iterrows():
        model, data, _ = load(run["folder"])
        x, _ = examples(model, data, "test")
        train = data.splits.train.x
        mean = squared_error(x, train.mean(0)).mean().item()
        name, variance = likelihood_of(model)
        scores = {
            "σ²": variance,
            "eigenvalues above σ²": math.nan
            if math.isnan(variance)
            else directions(train, variance),
            "squared error": squared_error(x, model.reconstruct(x)).mean().item(),
            "rate, nats": round(run["kl"], 2),
            "FID of samples": run["score/fid/samples"],
            "linear probe, %": 100 * run["score/linear_probe"],
        }
        found.setdefault((kind, name), []).append(scores)
    found[kind, "training images themselves"] = [{"FID of samples": run["score/fid/train"]}]
    found[kind, "the mean of all, no code"] = [{"squared error": mean}]
    headings = list(scores)
    columns = {h: estimates([_values(rows, h) for rows in found.values()]) for h in headings}
    return [
        {"digits": kind, "likelihood": name} | {h: columns[h][i] for h in headings}
        for i, (kind, name) in enumerate(found)
    ]


def _values(rows: list[dict[str, float]], heading: str) -> list[float]:
    """Those of a heading; where no seed changes them, they have no error."""
    values = [row[heading] for row in rows if not math.isnan(row.get(heading, math.nan))]
    return values[:1] if len(set(values)) == 1 else values


def likelihood_of(model: VAE) -> tuple[str, float]:
    """Its name, and its variance, if it has one."""
    likelihood = model.likelihood
    if not isinstance(likelihood, Normal):
        return f"cross entropy ({type(likelihood).__name__})", math.nan
    variance = (2 * likelihood.log_scale).exp().item()
    fixed = likelihood.learned == "fixed"
    return NAMES[round(variance, 3)] if fixed else "Normal, σ² learned", variance


def draw_images(axes: Axes) -> None:
    """Draw grey test images, what becomes of them, and samples, for each likelihood."""
    bands: list[Tensor] = []
    labels = ["data"]
    table = runs("grey")
    for folder in table[table["seed"] == 0]["folder"]:
        model, data, _ = load(folder)
        x, _ = examples(model, data, "test", 2 * SHOWN)
        bands = bands or [x]
        bands.append(torch.cat([model.reconstruct(x[:SHOWN]), model.sample(SHOWN)]))
        labels.append(likelihood_of(model)[0].replace(" (", "\n("))
    tiles = torch.stack([pad(band[:, 0], (1, 1, 1, 1), value=1.0) for band in bands])
    size = tiles.shape[-1]
    axes.imshow(tiles.movedim(1, 2).flatten(2).flatten(0, 1), cmap="gray", vmin=0, vmax=1)
    axes.set_yticks([size * (i + 0.5) - 0.5 for i in range(len(labels))], labels)
    axes.set_xticks([size * SHOWN / 2, size * SHOWN * 1.5], ["reconstructions", "samples"])
    axes.axvline(size * SHOWN - 0.5, color="white", linewidth=4)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    run_section(main)
