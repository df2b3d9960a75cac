"""How much information is in a code: bits back by a real coder, rate and distortion, surgery."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
from bits_back import length_on_chance, lengths, saved_by_least
from collapse import coin_log_likelihood
from matplotlib.axes import Axes
from report import estimates, run_section, save, show, summary
from torch import Tensor

import vae_zoo
from vae_zoo import VAE
from vae_zoo.data.splits import Split
from vae_zoo.evaluation import AggregatePosterior, Elbo
from vae_zoo.pictures.chart import GREY, PALETTE, new_figure

WIDTHS = (2.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)  # of the bins of a latent dimension
FINE = WIDTHS[-1]
STACKS = 5  # of bits of chance, over whose lengths those of a run are averaged

SURGERY = {
    "rate, train": "train/kl",
    "I(x; z), train": "train/mutual_information",
    "KL(q(z)‖p), train": "train/aggregate_kl",
    "rate, test": "test/kl",
    "I(x; z), test": "test/mutual_information",
    "KL(q(z)‖p), test": "test/aggregate_kl",
}
NAIVE = {"without": "naive"}
BITS = {
    "−ELBO / ln 2": "bits",
    "bits back, from chance": "chance",
    "saved by bins of 2⁻²⁴": "floor",
    "bits back, in a row": "back",
    **NAIVE,
    "−log₂ p(x), AIS of 50": "ais bits",
}


def exchange(rate: list[float], distortion: list[float]) -> list[float]:
    """Nats of distortion that a nat of rate saves, between a weight and the next one.

    At optima of distortion + β rate it lies between the two weights: each optimum is no worse by
    its own measure than the other is.
    """
    saved: list[float] = (-np.diff(distortion) / np.diff(rate)).tolist()
    return saved


def measured(folder: str, seed: int) -> dict[str, float]:
    """What a run's train and test splits say of its rate, and the lengths of codes."""
    model, data, _ = vae_zoo.load(folder)
    found: dict[str, float] = {}
    for name in ("train", "test"):
        split: Split = getattr(data.splits, name)
        elbo, surgery = Elbo(), AggregatePosterior()
        for metric in (elbo, surgery):
            metric.update(model, *split)
        scores = elbo.compute() | surgery.compute()
        found |= {f"{name}/{key}": score.value for key, score in scores.items()}
    back, naive = mean_lengths(model, data.splits.test.x, FINE, seed)
    chance = length_on_chance(model, data.splits.test.x, FINE, seed)
    floor = round(saved_by_least(model, data.splits.test.x, FINE, seed), 2)
    bits = -found["test/elbo"] / math.log(2)
    return found | {"bits": bits, "chance": chance, "floor": floor, "back": back, "naive": naive}


def main() -> None:
    """Print and write what section 13 shows, of the runs of sweeps/beta.yaml."""
    runs = vae_zoo.compare("runs/beta").sort_values(["seed", "weight"], ignore_index=True)
    found = [measured(*row) for row in zip(runs["folder"], runs["seed"], strict=True)]
    runs = pd.concat([runs, pd.DataFrame(found)], axis=1)
    runs["ais bits"] = -runs["score/ais"] / math.log(2)
    show("information surgery", summary(runs, "weight", SURGERY))
    show("information exchange", exchanges(runs))
    show("information bits", summary(runs, "weight", BITS))
    ones = runs[runs["weight"] == 1.0]
    splits = vae_zoo.load(ones["folder"].iloc[0]).data.splits
    rows = [by_width(*row) for row in zip(ones["folder"], ones["seed"], strict=True)]
    widths = pd.DataFrame([row for of_run in rows for row in of_run])
    show("information widths", summary(widths, "width", {"with bits back": "back", **NAIVE}))
    known = {
        "without a model: a bit a pixel": splits.test.x[0].numel(),
        "a coin a pixel": -coin_log_likelihood(splits.train.x, splits.test.x) / math.log(2),
    }
    texts = [f"{each:.2f}" for each in known.values()]
    show("information coins", pd.DataFrame({"code": [*known], "bits an image": texts}))
    figure = new_figure(11.0, 3.8)
    left, middle, right = figure.subplots(1, 3)
    draw_plane(left, runs)
    draw_surgery(middle, runs, math.log(len(splits.train)))
    draw_widths(right, widths, ones["bits"].mean())
    save("information", figure)


def exchanges(runs: pd.DataFrame) -> pd.DataFrame:
    """Table what a nat of rate saves, between neighbouring weights, on either split."""
    weights = sorted(runs["weight"].unique())
    table = {"between weights": [f"{one:g} and {other:g}" for one, other in pairwise(weights)]}
    for split in ("train", "test"):
        curves = [
            exchange(group[f"{split}/kl"].tolist(), group[f"{split}/reconstruction"].tolist())
            for _, group in runs.groupby("seed")
        ]
        table[split] = estimates([list(one) for one in zip(*curves, strict=True)])
    return pd.DataFrame(table)


def mean_lengths(model: VAE, images: Tensor, width: float, seed: int) -> tuple[float, float]:
    """Bits an image with bits back and without, the mean over stacks of the seed's own."""
    seeds = range(STACKS * seed, STACKS * (seed + 1))
    back, naive = np.mean([lengths(model, images, width, each) for each in seeds], axis=0)
    return float(back), float(naive)


def by_width(folder: str, seed: int) -> list[dict[str, float]]:
    """Lengths of a run's codes in bins of all widths."""
    model, data, _ = vae_zoo.load(folder)
    found = []
    for width in WIDTHS:
        back, naive = mean_lengths(model, data.splits.test.x, width, seed)
        found.append({"width": width, "back": back, "naive": naive})
    return found


def draw_plane(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw rate and distortion of both splits, and lines of one ELBO."""
    for split, color, marker in (("train", PALETTE[0], "s"), ("test", PALETTE[4], "o")):
        means = runs.groupby("weight")[[f"{split}/kl", f"{split}/reconstruction"]].mean()
        axes.plot(*means.to_numpy().T, color=color, marker=marker, markersize=4, label=split)
    for weight, (rate, distortion) in zip(means.index, means.to_numpy(), strict=True):
        axes.annotate(
            f"{weight:g}", (rate, distortion), (1, 5), textcoords="offset points", rotation=45
        )
    rates = np.array([0.0, 1.15 * means.to_numpy()[:, 0].max()])
    for total in range(15, 85, 5):
        axes.plot(rates, total - rates, color=GREY, linewidth=0.8, zorder=0)
    top = runs[["train/reconstruction", "test/reconstruction"]].to_numpy().max()
    axes.set(
        xlim=(-2, rates[1]), ylim=(0, 1.1 * top), xlabel="rate, nats", ylabel="distortion, nats"
    )
    axes.legend(frameon=False, title="grey: one ELBO")


def draw_surgery(axes: Axes, runs: pd.DataFrame, ceiling: float) -> None:
    """Draw the two parts of the rate of training examples."""
    means = runs.groupby("weight")[["train/mutual_information", "train/aggregate_kl"]].mean()
    labels = ["I(x; z)", "KL(q(z)‖p)"]
    axes.stackplot(means.index, *means.to_numpy().T, labels=labels, colors=PALETTE[1:4:2])
    axes.axhline(ceiling, color="black", linestyle=":", label="ln N, the most that I can be")
    axes.set(xscale="log", xlabel="weight of the KL", ylabel="rate of training digits, nats")
    axes.legend(frameon=False)


def draw_widths(axes: Axes, widths: pd.DataFrame, bits: float) -> None:
    """Draw the lengths of codes against the width of bins."""
    for name, label, color in (("back", "with bits back", 2), ("naive", "without", 4)):
        by = widths.groupby("width")[name]
        axes.errorbar(
            by.mean().index, by.mean(), by.sem(), color=PALETTE[color], marker="o", label=label
        )
    axes.axhline(bits, color="black", linestyle="--", label="-ELBO / ln 2")
    axes.set(xlabel="width of a bin of z", ylabel="bits an image", ylim=(0, None))
    axes.set_xscale("log", base=2)
    axes.legend(frameon=False)


if __name__ == "__main__":
    run_section(main)
