"""What a decoder learns of the map that bends N(0, I) into a ring, and what it is worth in nats."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from report import run_section, save, show, summary
from scipy.integrate import quad
from scipy.stats import rayleigh
from torch import Tensor

from vae_zoo import VAE, compare, load
from vae_zoo.comparison.style import minus
from vae_zoo.data import Ring
from vae_zoo.evaluation import importance_sampling
from vae_zoo.pictures.chart import PALETTE, new_figure

RUNS = "runs/ring"
POINTS, SAMPLES, DRAWN = 1000, 500, 20_000  # of the test split, of q, and of the prior
REACH, SIDE = 5.0, 201  # of the grid over z that integrates p(x | z) p(z)
RADII = (0.1, 0.5, 1.0, 1.5, 2.0, 2.5)  # circles of z that are drawn
CIRCLE = 2.0  # that whose way around the middle is counted
NEAR, FAR = 0.5, 2.5  # those whose decoded radii are tabled
NAMES = {"PenalizedLikelihood": "KL", "ImportanceWeighted": "IWAE, K = 10"}


def bend(z: Tensor) -> Tensor:
    """g(z) = z/10 + z/‖z‖."""
    on_circle: Tensor = z / z.norm(dim=-1, keepdim=True)
    return z / 10 + on_circle


def entropy() -> float:
    """Minus E ln p(x): ln 2π + E ln ρ + the entropy of ρ = 1 + r/10, with r of Rayleigh's law."""
    of_radius = quad(lambda r: rayleigh.pdf(r) * math.log(1 + r / 10), 0, math.inf)[0]
    return float(math.log(2 * math.pi) + of_radius + rayleigh.entropy() - math.log(10))


def circle(radius: float, points: int = 721) -> Tensor:
    """Points of a circle, the last of which is the first, ``(points, 2)``."""
    angle = torch.linspace(0, 2 * math.pi, points)
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def turns(path: Tensor) -> float:
    """How often a closed path of ``(N, 2)`` goes around the origin: its winding number."""
    angles = np.unwrap(torch.atan2(path[:, 1], path[:, 0]).numpy())
    return abs(float(angles[-1] - angles[0])) / (2 * math.pi)


def radius(path: Tensor) -> float:
    """Mean distance of a path of ``(N, 2)`` from the origin."""
    return float(path.norm(dim=1).mean())


def least_loss(share: float) -> float:
    """Nats that a model loses at the least, of whose samples a share lies where no data do.

    That is all where the others are distributed as the data are.
    """
    return -math.log1p(-share)


def unconditioned(x: Tensor) -> Tensor:
    """The features of no condition."""
    return x.new_zeros(len(x), 0)


def mean(model: VAE, z: Tensor) -> Tensor:
    """What codes are decoded into, without the noise."""
    return model.decode(z, unconditioned(z)).mean


def integral(model: VAE, x: Tensor) -> Tensor:
    """Log p(x) by a sum over a grid of z, which in two dimensions is exact enough, ``(B,)``."""
    line = torch.linspace(-REACH, REACH, SIDE)
    z = torch.cartesian_prod(line, line)
    area = 2 * math.log(2 * REACH / (SIDE - 1))
    p, of_z = model.decode(z, unconditioned(z)), model.prior(unconditioned(z[:1])).log_prob(z)
    found = [(p.log_prob(one.expand_as(z)) + of_z).logsumexp(0) for one in x]
    return torch.stack(found) + area


@torch.no_grad()
def measure(folder: str) -> dict[str, float]:
    """What a run knows of test points, in their mean, and where its samples lie."""
    model, data, _ = load(folder)
    assert isinstance(data, Ring)
    x = data.splits.test.x[:POINTS]
    truth, exact = data.log_likelihood(x), integral(model, x).double()
    torch.manual_seed(0)
    bounds = importance_sampling(model, x, unconditioned(x), SAMPLES)
    z = torch.randn(DRAWN, 2)
    drawn = model.decode(z, unconditioned(z)).sample().norm(dim=1)
    within = (drawn < 1).double().mean().item()
    return {
        "sigma": model.likelihood.log_scale.exp().item(),  # type: ignore[operator]
        "sampled": bounds.importance_sampling.mean().item(),
        "effective": bounds.effective_samples.mean().item(),
        "exact": exact.mean().item(),
        "truth": truth.mean().item(),
        "lost": (truth - exact).mean().item(),
        "within": 100 * within,
        "wasted": least_loss(within),
        "bridged": 100 * (mean(model, z).norm(dim=1) < 0.8).double().mean().item(),
        **of_map(partial(mean, model)),
    }


def of_map(decode: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """How often a decoded circle goes around, and how far out others lie."""
    return {
        "turns": round(turns(decode(circle(CIRCLE)))),
        "near": radius(decode(circle(NEAR))),
        "far": radius(decode(circle(FAR))),
    }


def main() -> None:
    """Measure, print and write what section 11 shows."""
    runs = compare(RUNS)
    runs["trained by"] = runs["model.objective"].map(NAMES)
    runs = runs.join(pd.DataFrame([measure(folder) for folder in runs["folder"]]))
    columns = {
        "ELBO": "elbo",
        f"by {SAMPLES} samples of q": "sampled",
        "effective samples": "effective",
        "by quadrature": "exact",
        "nats below the truth": "lost",
        "σ of p(x|z)": "sigma",
    }
    table = summary(runs, "trained by", columns)
    density = {"trained by": "the true density", "by quadrature": minus(f"{runs['truth'][0]:.3f}")}
    limit = {"trained by": "minus the entropy", "by quadrature": minus(f"{-entropy():.3f}")}
    show("ring", pd.concat([table, pd.DataFrame([density, limit])]).fillna("–"))
    show("ring map", maps(runs))
    first = runs[runs["seed"] == 0].set_index("trained by")["folder"]
    save("ring", draw({name: load(first[name]).model for name in NAMES.values()}))


def maps(runs: pd.DataFrame) -> pd.DataFrame:
    """Table what decoders make of the prior's codes, and g."""
    columns = {
        "codes decoded within 0.8, %": "bridged",
        "samples within the circle, %": "within",
        "which cost at least, nats": "wasted",
        "turns": "turns",
        f"radius of ‖z‖ = {NEAR:g}": "near",
        f"radius of ‖z‖ = {FAR:g}": "far",
    }
    table = summary(runs, "trained by", columns)
    of_g = {"bridged": "0", "within": "0", "wasted": "0"}
    of_g |= {name: f"{value:.4g}" for name, value in of_map(bend).items()}
    true = {"trained by": "g itself"} | {heading: of_g[name] for heading, name in columns.items()}
    return pd.concat([table, pd.DataFrame([true])])


@torch.no_grad()
def draw(models: dict[str, VAE]) -> Figure:
    """Draw samples of the ring and of the models, and what each makes of circles and rays of z."""
    figure = new_figure(9.0, 6.2)
    panels = figure.subplots(2, 1 + len(models), sharex=True, sharey=True)
    torch.manual_seed(0)
    z = torch.randn(2000, 2)
    drawn: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {"the ring": (bend(z), bend)}
    for name, model in models.items():
        decoded = model.decode(z, unconditioned(z)).sample()
        drawn[name] = decoded, partial(mean, model)
    for (above, below), (name, (x, decode)) in zip(panels.T, drawn.items(), strict=True):
        above.scatter(*x.T, s=2, color=PALETTE[0], linewidths=0)
        above.set_title(name if name == "the ring" else f"trained by {name}", fontsize="medium")
        for color, radius in zip(PALETTE, RADII, strict=False):
            below.plot(*decode(circle(radius)).T, color=color, linewidth=1.2, label=f"{radius:g}")
        for axes in (above, below):
            axes.plot(*circle(1.0).T, color="black", linewidth=0.6, linestyle=":")
            axes.set_aspect("equal")
        below.set_xlabel("x₀")
    for row, what in zip(panels, ("2,000 samples", "circles ‖z‖ = r, decoded"), strict=True):
        row[0].set_ylabel(f"{what}\n\nx₁")
    figure.legend(*panels[1, 0].get_legend_handles_labels(), title="r", loc="outside right lower")
    return figure


if __name__ == "__main__":
    run_section(main)
