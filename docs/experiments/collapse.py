"""What happens as the KL goes to 0: its weight, or the divergence itself."""

import math
from statistics import fmean

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report import run_section, save, show, summary
from torch import Tensor
from torch.nn.functional import pad

import vae_zoo
from vae_zoo.comparison.style import minus
from vae_zoo.evaluation import features, frechet_distance
from vae_zoo.evaluation.examples import examples
from vae_zoo.pictures.chart import PALETTE, new_figure

COLUMNS = {
    "rate": "score/kl",
    "I(x; z)": "score/mutual_information",
    "active units": "score/active_units",
    "sliced W₂²": "score/sliced_wasserstein",
    "FID, samples": "score/fid/samples",
    "FID, draws": "draws",
    "FID, reconstructions": "score/fid/reconstructions",
    "ELBO": "elbo",
    "log p(x), AIS": "score/ais",
}
DRAWS = 5  # times that as many examples are drawn as there are to test on
SIDE = 4  # of a square of samples


def coin_log_likelihood(train: Tensor, test: Tensor) -> float:
    """Mean log p(x) of independent coins: the best ELBO of a decoder that ignores its code.

    Args:
        train: Binary examples ``(N, *X)`` whose frequencies the coins have, by Laplace's rule.
        test: Examples ``(M, *X)``.

    Returns:
        Nats.
    """
    ones = (train.sum(0).double() + 0.5) / (len(train) + 1)
    chances = torch.where(test > 0.5, ones, 1 - ones)
    found: float = chances.log().flatten(1).sum(1).mean().item()
    return found


def threshold(x: Tensor) -> float:
    """The weight above which collapse is a local optimum: the first eigenvalue of correlations.

    Of a code z = m(x) + s ε, small in m and in the slopes w of the logits, the ELBO gains
    E m(x) w·(x - p) - ½ w·Fw - ½ β E m(x)² to second order, with F = diag p(1 - p), what the coins
    of p vary by. The best m is w·(x - p)/β, and leaves ½ w·(C/β - F)w of the covariance C of
    pixels: a gain for some w if and only if F^-½ C F^-½, their correlations, have an eigenvalue
    above β.

    Args:
        x: Binary examples ``(N, *X)``; pixels that are always the same count for nothing.
    """
    pixels = x.flatten(1).double()
    pixels = pixels[:, pixels.var(dim=0) > 0]
    largest: float = torch.linalg.eigvalsh(torch.corrcoef(pixels.T))[-1].item()
    return largest


@torch.no_grad()
def fid_of_draws(folder: str) -> float:
    """FID of x ~ p(x | z), z of the prior, black or white, where the score card's is of means.

    It is the mean over DRAWS of as many draws as there are test examples: each is noise alone.
    """
    model, data, _ = vae_zoo.load(folder)
    test, _ = examples(model, data, "test")
    made = features(data)
    torch.manual_seed(0)
    codes = torch.randn(DRAWS, len(test), model.latent_dim)
    drawn = [made(model.decode(z, z.new_empty(len(z), 0)).sample()) for z in codes]
    return fmean(frechet_distance(made(test), each).value for each in drawn)


def main() -> None:
    """Print and write what section 4 shows, of the runs of sweeps/beta.yaml."""
    runs = vae_zoo.compare("runs/beta")
    runs["draws"] = [fid_of_draws(folder) for folder in runs["folder"]]
    show("collapse", summary(runs, "weight", COLUMNS))
    splits = vae_zoo.load(runs["folder"][0]).data.splits
    train, test = splits.train.x, splits.test.x
    known = {
        "weight above which collapse is a local optimum": f"{threshold(train):.2f}",
        "ELBO of a collapsed model: a coin a pixel": f"{coin_log_likelihood(train, test):.2f}",
        "ceiling of I(x; z): ln N of N test examples": f"{math.log(len(test)):.2f}",
        "FID of training examples": f"{runs['score/fid/train'].mean():.2f}",
    }
    show("collapse known", pd.DataFrame({"what": [*known], "value": map(minus, known.values())}))
    save("collapse", picture(runs, threshold(train)))


def picture(runs: pd.DataFrame, collapse: float) -> Figure:
    """Draw what the weight changes, and what the prior's samples are like."""
    figure = new_figure(10.5, 5.8)
    halves = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.4, 1.0))
    above, below = halves.flat
    left, middle, right = above.subplots(1, 3)
    lines(left, runs, ["rate", "I(x; z)"], "nats")
    lines(middle, runs, ["ELBO", "log p(x), AIS"], "nats")
    lines(right, runs, ["FID, samples", "FID, reconstructions", "FID, draws"], "FID")
    left.set_yscale("log")
    right.set_yscale("log")
    for axes in (left, middle, right):
        axes.axvline(collapse, color="black", linewidth=1, linestyle=":", label="collapse, exact")
        axes.legend(frameon=False, fontsize=8)
    seeds = runs[runs["seed"] == runs["seed"].min()].sort_values("weight")
    panels = below.subplots(1, len(seeds))
    for axes, folder, weight in zip(panels, seeds["folder"], seeds["weight"], strict=True):
        axes.imshow(squares(folder), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"samples, {weight:g}", fontsize=9)
    return figure


def lines(axes: Axes, runs: pd.DataFrame, names: list[str], unit: str) -> None:
    """Draw means and standard errors over seeds against the weight."""
    for name, color in zip(names, PALETTE[::2], strict=False):
        groups = runs.groupby("weight")[COLUMNS[name]]
        mean, error = groups.mean(), groups.sem()
        axes.errorbar(mean.index, mean, error, color=color, marker="o", markersize=4, label=name)
    axes.set(xscale="log", xlabel="weight of the KL", ylabel=unit)


def squares(folder: str) -> np.ndarray:
    """Decode samples of a run's prior, in a square."""
    model = vae_zoo.load(folder).model
    torch.manual_seed(0)
    images = pad(model.sample(SIDE**2)[:, 0], (1, 1, 1, 1))
    _, height, width = images.shape
    rows = images.view(SIDE, SIDE, height, width).transpose(1, 2)
    found: np.ndarray = rows.reshape(SIDE * height, SIDE * width).numpy()
    return found


if __name__ == "__main__":
    run_section(main)
