"""Two values of x for each y: what models lose to the truth, which is known."""

import math
from typing import Any

import pandas as pd
import torch
from matplotlib.axes import Axes
from one_to_many import MOST, draw, runs, scores
from report import estimates, run_section, save, show

from vae_zoo import load
from vae_zoo.data import TwoModes
from vae_zoo.evaluation.examples import examples
from vae_zoo.pictures.chart import GREY, PALETTE, new_figure
from vae_zoo.runs import Run

REGRESSION, NORMAL, WEIGHTED, MIXTURE = NAMES = (
    "regression",
    "VAE, p(z) = N(0, 1)",
    "VAE, p(z) = N(0, 1), by the IWAE",
    "VAE, p(z) a mixture",
)


def closed_loss(distance: float, noise: float) -> float:
    """½ ln(1 + a²/σ²) - ln 2: what the best regression loses on two modes that lie apart, nats."""
    return 0.5 * math.log1p((distance / noise) ** 2) - math.log(2)


def main() -> None:
    """Read, print and write what section 12 shows of two modes."""
    torch.manual_seed(0)
    found: dict[str, list[Run]] = {name: [] for name in NAMES}
    for run in runs("two_modes"):
        found[name_of(run)].append(run)
    show("one_to_many modes", losses(found))
    figure = new_figure(6.4, 4.0)
    draw_modes(figure.subplots(), found[REGRESSION][0], found[MIXTURE][0])
    save("two_modes", figure)


def name_of(run: Run) -> str:
    """Which of the sweep's models it is."""
    model = run.config["model"]
    if not model["latent_dim"]:
        return REGRESSION
    if "MixtureOfNormals" in str(model["prior"]):
        return MIXTURE
    return WEIGHTED if "ImportanceWeighted" in str(model["objective"]) else NORMAL


def losses(found: dict[str, list[Run]]) -> pd.DataFrame:
    """What models lose to the truth on the same examples; the closed form is the regression's."""
    model, data, _ = load(found[REGRESSION][0].folder)
    assert isinstance(data, TwoModes)
    x, y = examples(model, data, "test", MOST)
    assert y is not None
    truth = data.log_likelihood(x, y).mean().item()
    best = closed_loss(data.distance, data.noise)
    cards = [[scores(run) for run in group] for group in found.values()]
    elbos, likelihoods = (
        [[card[name] for card in group] for group in cards]
        for name in ("elbo", "importance_sampling")
    )
    below = [[truth - value for value in group] for group in likelihoods]
    columns = {
        "ELBO": estimates([[], [], *elbos]),
        "log p(x | y)": estimates([[truth], [truth - best], *likelihoods]),
        "below the truth": estimates([[0.0], [best], *below]),
    }
    names = ["the truth", "the best regression, in closed form", *NAMES]
    return pd.DataFrame({"model": names, **columns})


def draw_modes(axes: Axes, regression: Run, vae: Run) -> None:
    """Draw two modes, the normal that a regression lays over both, and draws of a VAE."""
    blur, data, _ = load(regression.folder)
    model = load(vae.folder).model
    x, y = examples(model, data, "test", MOST)
    assert y is not None
    axes.plot(y, x, ".", color=GREY, markersize=5, label="data")
    axes.plot(y, draw(model, y), ".", color=PALETTE[4], markersize=2, label="draws of the VAE")
    grid = torch.linspace(-1, 1, 101)[:, None]
    with torch.no_grad():
        normal: Any = blur.decode(grid[:, :0], blur.condition(grid))
    mean, deviation = normal.mean[:, 0], normal.stddev[:, 0]
    axes.plot(grid[:, 0], mean, color=PALETTE[0], label="regression, mean ± σ")
    axes.fill_between(grid[:, 0], mean - deviation, mean + deviation, color=PALETTE[1], alpha=0.4)
    axes.set(xlabel="y", ylabel="x", ylim=(-2.4, 3.6))
    axes.legend(frameon=False, ncols=1, loc="upper left")


if __name__ == "__main__":
    run_section(main)
