"""Whether a VAE has two knobs, the variance of its likelihood and the weight of its KL, or one."""

import math
from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from report import run_section, save, show

import vae_zoo
from vae_zoo.comparison.style import minus
from vae_zoo.data import LinearGaussian
from vae_zoo.pictures.chart import new_figure

PIXELS = 64


def square_error(reconstruction: float, variance: float, pixels: int) -> float:
    """E_q ‖x - m‖², which a normal likelihood of variance σ² hides in -E_q log p(x | z)."""
    return variance * (2 * reconstruction - pixels * math.log(2 * math.pi * variance))


def calibrated_elbo(error: float, rate: float, pixels: int) -> float:
    """The best ELBO over σ², of a model whose rate and error stay: at σ² = error / pixels."""
    return -0.5 * pixels * (math.log(2 * math.pi * error / pixels) + 1) - rate


def knobs(folder: str, variance: str, pixels: int) -> pd.DataFrame:
    """Read a sweep of fixed variances and weights, with their product θ and the square error."""
    runs = vae_zoo.compare(folder)
    runs["variance"] = runs[variance].astype(float)
    runs["theta"] = (runs["variance"] * runs["weight"]).round(6)
    rows = zip(runs["reconstruction"], runs["variance"], strict=True)
    runs["error"] = [square_error(*row, pixels) for row in rows]
    rows = zip(runs["error"], runs["kl"], strict=True)
    runs["calibrated"] = [calibrated_elbo(*row, pixels) for row in rows]
    return runs.sort_values(["variance", "weight"], ignore_index=True)


def span(values: Iterable[float], digits: int) -> str:
    """Write the least and the largest, once where they look alike."""
    found = sorted(values)
    ends = dict.fromkeys(minus(f"{each:.{digits}f}") for each in (found[0], found[-1]))
    return " to ".join(ends)


def products(runs: pd.DataFrame) -> pd.DataFrame:
    """Table what runs of one product have in common, and what not."""
    groups = runs.groupby("theta")
    return pd.DataFrame(
        {
            "variance · weight": [f"{theta:g}" for theta in groups.groups],
            "runs": [str(len(group)) for _, group in groups],
            "rate": [span(group["kl"], 2) for _, group in groups],
            "error of a pixel": [span(group["error"] / PIXELS, 4) for _, group in groups],
            "ELBO": [span(group["elbo"], 1) for _, group in groups],
            "ELBO, variance set to the error": [span(g["calibrated"], 1) for _, g in groups],
        }
    )


def plane(runs: pd.DataFrame, name: str, digits: int) -> pd.DataFrame:
    """Table a number by variance, down, and weight, across."""
    table = runs.pivot(index="variance", columns="weight", values=name)
    texts = table.map(lambda value: minus(f"{value:.{digits}f}"))
    texts.columns = [f"weight {weight:g}" for weight in texts.columns]
    texts.insert(0, "variance", [f"{variance:g}" for variance in texts.index])
    return texts


def water(runs: pd.DataFrame) -> pd.DataFrame:
    """Table what linear VAEs reached, beside reverse water-filling."""
    data, rows = LinearGaussian(), []
    for theta, group in runs.groupby("theta"):
        exact = data.water_filling(3, float(theta), 1.0)
        rows.append(
            {
                "variance · weight": f"{theta:g}",
                "runs": str(len(group)),
                "rate": span(group["kl"], 3),
                "rate, exact": f"{exact.kl:.3f}",
                "square error": span(group["error"], 2),
                "square error, exact": f"{exact.square_error:.2f}",
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Print and write what section 6 shows, of the runs of sweeps/variance.yaml and linear.yaml."""
    runs = knobs("runs/variance", "model.likelihood.variance", PIXELS)
    show("two_knobs products", products(runs))
    show("two_knobs plane", plane(runs, "elbo", 1))
    linear = knobs("runs/linear", "model.likelihood.variance", 8)
    show("two_knobs linear", water(linear))
    figure = new_figure(11.0, 3.6)
    panels = figure.subplots(1, 3, sharey=True)
    titles = {"kl": "rate, nats", "pixel": "square error of a pixel", "elbo": "ELBO, nats"}
    runs["pixel"] = runs["error"] / PIXELS
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        contours(axes, runs.pivot(index="weight", columns="variance", values=name), title)
    panels[0].set_ylabel("weight of the KL")
    save("two_knobs", figure)


def contours(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw lines of one value, over the runs that they are drawn through, and of one product."""
    weights, variances = (part.to_numpy(dtype=float) for part in (table.index, table.columns))
    drawn = axes.contour(variances, weights, table.to_numpy(), levels=8, cmap="viridis")
    axes.clabel(drawn, fontsize=7, inline_spacing=2)
    for theta in sorted({round(v * w, 6) for v in variances for w in weights}):
        axes.plot(variances, theta / variances, color="black", linestyle=":", linewidth=0.7)
    for weight in weights:
        axes.plot(variances, [weight] * len(variances), ".", color="black", markersize=4)
    low, high = weights[0] / 1.1, weights[-1] * 1.1
    axes.set(xscale="log", yscale="log", xlabel="variance", title=title, ylim=(low, high))
    for axis, ticks in ((axes.xaxis, variances), (axes.yaxis, weights)):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)


if __name__ == "__main__":
    run_section(main)
