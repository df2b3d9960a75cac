"""What the KL divergence is: the ratio of what two models say of a sequence, a symbol."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from report import estimates, run_section, save, show
from scipy.stats import norm

from vae_zoo.comparison.style import minus
from vae_zoo.pictures.chart import PALETTE, new_figure

ONE, OTHER = np.array([0.8, 0.1, 0.1]), np.array([0.3, 0.3, 0.4])
LENGTHS = (1, 10, 100, 1000, 10_000, 100_000)
DRAWS = 200  # sequences of each length
Q, P = norm(0.0, 1.0), norm(1.0, 1.5)
WIDTHS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
REACH = 40.0  # beyond it lies less than a float can say
SAMPLES = (10, 100, 1000, 10_000, 100_000)


def discrete_kl(q: np.ndarray, p: np.ndarray) -> float:
    """KL(q ‖ p) = Σ q ln(q/p), in nats; symbols that q never shows count as 0."""
    seen = q > 0
    return float((q[seen] * np.log(q[seen] / p[seen])).sum())


def log_ratios(
    source: np.ndarray, length: int, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """(1/n) ln P(X | D₁)/P(X | D₂) of sequences X of n symbols that a model draws, ``(draws,)``."""
    counts = generator.multinomial(length, source, size=draws)  # their order does not matter
    ratios: np.ndarray = counts @ np.log(ONE / OTHER) / length
    return ratios


def binned_kl(width: float) -> float:
    """KL of two normals of which one is told the bin alone: it grows as the bins get narrower."""
    edges = np.arange(-REACH, REACH + width, width)
    return discrete_kl(*(np.array([mass(d, *each) for each in pairwise(edges)]) for d in (Q, P)))


def mass(d: Any, low: float, high: float) -> float:
    """P(low < z < high), from above in the upper half: one minus a number near one is all noise."""
    if high <= d.mean():
        return float(d.cdf(high) - d.cdf(low))
    return float(d.sf(low) - d.sf(high))


def exact_kl() -> float:
    """KL of the two normals: ½[s²/s₀² + (m-m₀)²/s₀² - 1 - ln(s²/s₀²)]."""
    ratio = (Q.std() / P.std()) ** 2
    distance = ((Q.mean() - P.mean()) / P.std()) ** 2
    return float(0.5 * (ratio + distance - 1.0 - math.log(ratio)))


def sampled_kl(samples: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Mean ln q(z)/p(z) over n samples of q, ``(draws,)``: its error falls as 1/√n."""
    z = Q.rvs((draws, samples), random_state=generator)
    means: np.ndarray = (Q.logpdf(z) - P.logpdf(z)).mean(axis=1)
    return means


def deviations(values: list[np.ndarray]) -> list[str]:
    """Standard deviations over draws, with three digits."""
    return [f"{each.std(ddof=1):.3g}" for each in values]


def main() -> None:
    """Draw, print and write what section 1 shows."""
    generator = np.random.default_rng(0)
    drawn = [[log_ratios(model, n, DRAWS, generator) for n in LENGTHS] for model in (ONE, OTHER)]
    limits = discrete_kl(ONE, OTHER), -discrete_kl(OTHER, ONE)
    table = {"n": [f"{n:,}" for n in LENGTHS] + ["limit"]}
    for model, values, limit in zip("₁₂", drawn, limits, strict=True):
        table[f"X from D{model}"] = [
            *estimates([each.tolist() for each in values]),
            minus(f"{limit:.4f}"),
        ]
        table[f"deviation from D{model}"] = [*deviations(values), "0"]
    show("kl sequences", pd.DataFrame(table))
    bins = [binned_kl(width) for width in WIDTHS]
    widths = [*(f"{width:g}" for width in WIDTHS), "0 (exact)"]
    of_bins = [f"{each:.5f}" for each in (*bins, exact_kl())]
    show("kl bins", pd.DataFrame({"width of a bin": widths, "KL(q‖p), nats": of_bins}))
    sampled = [sampled_kl(n, DRAWS, generator) for n in SAMPLES]
    monte_carlo = {
        "samples": [f"{n:,}" for n in SAMPLES],
        "mean of the estimates": estimates([each.tolist() for each in sampled]),
        "deviation of one": deviations(sampled),
    }
    show("kl samples", pd.DataFrame(monte_carlo))
    figure = new_figure(10.0, 3.6)
    left, right = figure.subplots(1, 2)
    draw_sequences(left, generator, limits)
    draw_bins(right, bins, sampled)
    save("kl", figure)


def draw_sequences(axes: Axes, generator: np.random.Generator, limits: tuple[float, float]) -> None:
    """Draw how the ratios of a few sequences settle as they grow."""
    steps = np.unique(np.geomspace(1, 10_000, 200).astype(int))
    for model, name, limit, color in zip((ONE, OTHER), "₁₂", limits, PALETTE[:2], strict=True):
        symbols = generator.choice(3, size=(steps[-1], 5), p=model)
        walks = np.log(ONE / OTHER)[symbols].cumsum(axis=0)[steps - 1] / steps[:, None]
        axes.plot(steps, walks, color=color, linewidth=0.9, label=[f"X from D{name}", *[None] * 4])
        axes.axhline(limit, color=color, linestyle="--", linewidth=1)
    axes.set(xscale="log", xlabel="length n", ylabel="(1/n) ln P(X|D₁)/P(X|D₂), nats")
    axes.legend(frameon=False)


def draw_bins(axes: Axes, bins: list[float], means: list[np.ndarray]) -> None:
    """Draw the KL of ever narrower bins, and estimates of ever more samples."""
    axes.axhline(exact_kl(), color="black", linewidth=1, label="closed form")
    widths = [1 / width for width in WIDTHS]
    axes.plot(widths, bins, "o-", color=PALETTE[2], label="bins, against 1/width")
    low, high = np.array([np.quantile(each, (0.05, 0.95)) for each in means]).T
    label = "90 % of estimates, against n"
    axes.fill_between(SAMPLES, low, high, color=PALETTE[3], alpha=0.5, label=label)
    axes.set(xscale="log", ylim=(0.0, 0.6), xlabel="1/width, or n", ylabel="KL(q‖p), nats")
    axes.legend(frameon=False)


if __name__ == "__main__":
    run_section(main)
