"""Every divergence at the rate of KL at weight 1; critics; Wasserstein autoencoders."""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, save, show, summary
from torch.distributions import Distribution, Independent, Normal

from vae_zoo import compare
from vae_zoo.comparison.families import Family, families
from vae_zoo.comparison.paired import BySeed
from vae_zoo.comparison.reading import read
from vae_zoo.comparison.yardsticks import RATE, Yardstick
from vae_zoo.pictures.chart import PALETTE, new_figure
from vae_zoo.regularizers import CriticWasserstein

COLUMNS = {
    "ELBO": Yardstick("likelihood", "elbo"),
    "log p(x) ≥": Yardstick("importance", "importance_sampling"),
    "KL(q(z)‖p)": Yardstick("aggregate", "aggregate_kl"),
    "MMD²": Yardstick("yardsticks", "mmd"),
    "sliced W₂²": Yardstick("yardsticks", "sliced_wasserstein"),
    "FID": Yardstick("samples", "fid/samples"),
    "probe": Yardstick("probes", "linear_probe"),
    "s an epoch": Yardstick("cost", "epoch_seconds"),
}
DRAWN = ("ELBO", "log p(x) ≥", "sliced W₂²", "FID")
OF_RUNS = {
    "rate": "kl",
    "ELBO": "elbo",
    "sliced W₂²": "score/sliced_wasserstein",
    "FID": "score/fid/samples",
}
OF_AUTOENCODERS = {
    "reconstruction": "reconstruction",
    "MMD²": "score/mmd",
    "sliced W₂²": "score/sliced_wasserstein",
    "FID": "score/fid/samples",
    "probe": "score/linear_probe",
}
BOUNDS = {"clip": "clipped", "penalty": "gradient penalty", "spectral": "spectral norm"}
DISTANCES = (0.5, 1.0, 2.0)
SEEDS = (0, 1, 2)
D, BATCH, STEPS = 8, 64, 1000


def normal(distance: float) -> Distribution:
    """N(m, I) for a batch, whose W₁ from N(0, I) is ‖m‖."""
    mean = torch.full((BATCH, D), distance / math.sqrt(D))
    return Independent(Normal(mean, torch.ones_like(mean)), 1)


def estimated(lipschitz: str, distance: float, seed: int) -> float:
    """W₁ by a trained critic, over the distance that it is, of a mean of 100 batches."""
    torch.manual_seed(seed)
    critic = CriticWasserstein(lipschitz=lipschitz)  # type: ignore[arg-type]  # one of BOUNDS
    critic.build(D)
    optimizer = torch.optim.Adam(critic.parameters(), **critic.optimizer_options)
    q, p = normal(distance), normal(0.0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        critic.critic_loss(q, p, q.sample()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        found = [critic.divergence(q, p, q.sample()).item() for _ in range(100)]
    return fmean(found) / distance


def called(family: Family) -> str:
    """Its name on the page."""
    flat = next(iter(family.groups.values())).configuration.flat
    bound = flat.get("model.regularizer.lipschitz")
    return f"W₁, {BOUNDS[bound]}" if bound else family.label.partition(" ")[0]


def at_rates(family: Family, rates: BySeed) -> dict[str, BySeed]:
    """Each yardstick by seed at the rate of that seed; nothing where a seed's runs miss it."""
    if any(family.bracket(seed, rate) is None for seed, rate in rates.items()):
        return {heading: {} for heading in COLUMNS}
    return {heading: family.at_rate(each, rates) for heading, each in COLUMNS.items()}


def table_of(
    values: Mapping[str, Mapping[str, BySeed]], weights: Mapping[str, str]
) -> pd.DataFrame:
    """A row for each divergence, the best ELBO first, and last those that miss the rate."""
    order = sorted(values, key=lambda each: -fmean([*values[each]["ELBO"].values()] or [-math.inf]))
    table = {"divergence": order, "weight": [weights[each] for each in order]}
    for heading in COLUMNS:
        table[heading] = estimates([[*values[each][heading].values()] for each in order])
    return pd.DataFrame(table)


def behaviour(family: Family, rates: BySeed) -> dict[str, str]:
    """How surely a weight decides the rate: what is found on either side, and the seeds' part."""
    by_seed = [RATE.values(group) for group in family.groups.values()]
    brackets = {seed: family.bracket(seed, rate) for seed, rate in rates.items()}
    sides = [
        [RATE.values(family.groups[weight])[seed] for weight in (found.low, found.high)]
        for seed, found in brackets.items()
        if found
    ]
    every = [rate for each in by_seed for rate in each.values()]
    deviations = [stdev(each.values()) for each in by_seed if len(each) > 1]
    return {
        "divergence": called(family),
        "weights": ", ".join(f"{weight:g}" for weight in family.weights),
        "rates": f"{min(every):.1f} to {max(every):.1f}",
        "seeds that reach it": f"{len(sides)} of {len(rates)}",
        "rates beside it": " and ".join(f"{fmean(each):.1f}" for each in zip(*sides, strict=True))
        or "–",
        "rate's deviation over seeds": f"{fmean(deviations):.2f}",
    }


def main() -> None:
    """Read the runs, print and draw what section 8 shows."""
    comparison = read([Path("runs/zoo")])
    section, answer = comparison.sections[0], comparison.answers[0]
    usual = next(each for each in section.groups if section.label(each) == answer.reference)
    rates = RATE.values(usual)
    found = {called(each): each for each in families(section)}
    values = {"KL": {heading: each.values(usual) for heading, each in COLUMNS.items()}}
    values |= {name: at_rates(each, rates) for name, each in found.items()}
    weights = {name: f"{each.weight_at(rates) or math.nan:.3g}" for name, each in found.items()}
    table = table_of(values, {"KL": "1"} | weights)
    show("divergences at_equal_rate", table.replace("nan", "–"))
    show("divergences weights", pd.DataFrame([behaviour(each, rates) for each in found.values()]))
    show("divergences critics", critics(compare("runs/critic")))
    autoencoders = compare("runs/wae")
    show(
        "divergences autoencoders",
        summary(autoencoders, ["regularizer", "weight"], OF_AUTOENCODERS),
    )
    figure = new_figure(12.0, 0.3 * len(table) + 1.4)
    for axes, heading in zip(figure.subplots(1, len(DRAWN), sharey=True), DRAWN, strict=True):
        draw(axes, heading, {name: values[name][heading] for name in table["divergence"]})
    save("divergences", figure)


def critics(runs: pd.DataFrame) -> pd.DataFrame:
    """What critics make of a known distance, and what a weight of them does to the codes."""
    runs["bound"] = runs["model.regularizer.lipschitz"]
    table = summary(runs, "bound", OF_RUNS)
    for distance in DISTANCES:
        shares = [[estimated(each, distance, seed) for seed in SEEDS] for each in table["bound"]]
        table.insert(1, f"of W₁ = {distance:g}", estimates(shares))
    table["bound"] = table["bound"].map(BOUNDS)
    return table


def draw(axes: Axes, heading: str, values: Mapping[str, BySeed]) -> None:
    """Draw a yardstick of each divergence: seeds as dots, their mean as a line."""
    for row, (divergence, by_seed) in enumerate(values.items()):
        found = [*by_seed.values()]
        color = PALETTE[4] if divergence == "KL" else PALETTE[0]
        axes.plot(found, [row] * len(found), "o", color=color, alpha=0.6, markersize=4)
        if found:
            axes.plot(fmean(found), row, "|", color="black", markersize=12)
    axes.axvline(fmean(values["KL"].values()), color=PALETTE[4], linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(values)), [*values])
    axes.set(xlabel=heading if heading in ("FID", "sliced W₂²") else f"{heading}, nats")
    axes.invert_yaxis()


if __name__ == "__main__":
    main()
