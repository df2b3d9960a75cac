"""Every divergence at the rate of KL at weight 1; critics; Wasserstein autoencoders."""

import math
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, median, stdev

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show, summary
from torch.distributions import Distribution, Independent, Normal

from vae_zoo import compare, load
from vae_zoo.comparison.families import Family, families
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.paired import BySeed
from vae_zoo.comparison.reading import read
from vae_zoo.comparison.yardsticks import RATE, Yardstick
from vae_zoo.pictures.chart import PALETTE, new_figure
from vae_zoo.regularizers import CriticWasserstein, Regularizer

BOUND = "log p(x) ≥"
COLUMNS = {
    "ELBO": Yardstick("likelihood", "elbo"),
    BOUND: Yardstick("importance", "importance_sampling"),
    "I(x; z)": Yardstick("aggregate", "mutual_information"),
    "KL(q(z)‖p)": Yardstick("aggregate", "aggregate_kl"),
    "MMD²": Yardstick("yardsticks", "mmd"),
    "sliced W₂²": Yardstick("yardsticks", "sliced_wasserstein"),
    "FID": Yardstick("samples", "fid/samples"),
    "probe": Yardstick("probes", "linear_probe"),
}
DRAWN = ("ELBO", BOUND, "sliced W₂²", "FID")
OF_RUNS = {
    "rate": "kl",
    "ELBO": "elbo",
    "sliced W₂²": "score/sliced_wasserstein",
    "FID": "score/fid/samples",
}
OF_AUTOENCODERS = {
    "distortion": "reconstruction",
    "MMD²": "score/mmd",
    "sliced W₂²": "score/sliced_wasserstein",
    "FID": "score/fid/samples",
    "probe": "score/linear_probe",
}
BOUNDS = {"clip": "clipped", "penalty": "gradient penalty", "spectral": "spectral norm"}
DISTANCES = (2.0, 1.0, 0.5)
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
    name = family.label.partition(" · ")[0]  # without its options
    parts = re.fullmatch(r"Sum\((.*)\)", name)
    return f"W₁, {BOUNDS[bound]}" if bound else parts[1] if parts else name


def measured(of: Callable[[Yardstick], BySeed]) -> dict[str, BySeed]:
    """Each yardstick by seed; of log p(x) the better of the bounds by q(z | x) and by the prior."""
    found = {heading: of(each) for heading, each in COLUMNS.items()}
    by_prior = of(Yardstick("importance", "prior_samples"))
    found[BOUND] = {seed: max(each, by_prior[seed]) for seed, each in found[BOUND].items()}
    return found


def misses(family: Family, rates: BySeed) -> bool:
    """Whether no two weights of it have the rate between them, in some seed."""
    return any(family.bracket(seed, rate) is None for seed, rate in rates.items())


def nearest(family: Family, rates: BySeed) -> tuple[float, float]:
    """The weight whose mean rate is nearest to that of the rates, and that mean."""
    means = {each: fmean(RATE.values(group).values()) for each, group in family.groups.items()}
    closest = min(means, key=lambda each: abs(means[each] - fmean(rates.values())))
    return closest, means[closest]


def at_rates(family: Family, rates: BySeed) -> dict[str, BySeed]:
    """Each yardstick by seed at the rate of that seed, or where the family comes nearest to it."""
    if misses(family, rates):
        group = family.groups[nearest(family, rates)[0]]
        return measured(lambda each: each.values(group))
    return measured(lambda each: family.at_rate(each, rates))


def table_of(
    values: Mapping[str, Mapping[str, BySeed]], weights: Mapping[str, str]
) -> pd.DataFrame:
    """A row for each divergence, the best ELBO first."""
    order = sorted(values, key=lambda each: -fmean(values[each]["ELBO"].values()))
    table = {"divergence": order, "weight": [weights[each] for each in order]}
    for heading in COLUMNS:
        table[heading] = estimates([[*values[each][heading].values()] for each in order])
    return pd.DataFrame(table)


def behaviour(family: Family, usual: Group, step: float) -> dict[str, str]:
    """How surely a weight decides the rate: what is found on either side, and the seeds' part."""
    rates, by_seed = RATE.values(usual), [RATE.values(each) for each in family.groups.values()]
    brackets = {seed: family.bracket(seed, rate) for seed, rate in rates.items()}
    sides = [
        [RATE.values(family.groups[weight])[seed] for weight in (found.low, found.high)]
        for seed, found in brackets.items()
        if found
    ]
    means = [f"{fmean(each):.1f}" for each in zip(*sides, strict=True)]
    every = [rate for each in by_seed for rate in each.values()]
    reach = rates if usual in family.groups.values() else sides
    return {
        "divergence": called(family),
        "weights": ", ".join(f"{weight:g}" for weight in family.weights),
        "their rates": f"{min(every):.1f} to {max(every):.1f}",
        "deviation over seeds": f"{fmean(stdev(each.values()) for each in by_seed):.2f}",
        "seeds at the rate": f"{len(reach)} of {len(rates)}",
        "between": " and ".join(means) or "–",
        "ms a step": f"{step:.1f}",
    }


def step_milliseconds(found: Mapping[str, Family]) -> dict[str, float]:
    """CPU time of a training step of each, without the optimizer: the median of a hundred turns."""
    models, times = {}, {name: list[float]() for name in found}
    for name, family in found.items():
        model, data, _ = load(next(iter(family.groups.values())).members[0].run.folder)
        for part in model.regularizer.modules():
            if isinstance(part, Regularizer):
                part.dataset_size = len(data.splits.train)
        models[name] = model.train(), data.splits.train.x[:BATCH].float()
    for _ in range(100):
        for name, (model, x) in models.items():
            begin = time.process_time()
            terms = model(x)
            (terms.loss if terms.critic is None else terms.loss + terms.critic).backward()
            times[name].append(time.process_time() - begin)
    return {name: 1000 * median(each) for name, each in times.items()}


def main() -> None:
    """Read the runs, print and draw what section 8 shows."""
    torch.set_num_threads(1)
    comparison = read([Path("runs/zoo")])
    section, answer = comparison.sections[0], comparison.answers[0]
    usual = next(each for each in section.groups if section.label(each) == answer.reference)
    rates, found = RATE.values(usual), {called(each): each for each in families(section)}
    values = {"KL": measured(lambda each: each.values(usual))}
    values |= {name: at_rates(each, rates) for name, each in found.items()}
    table = table_of(
        values, {"KL": "1"} | {name: weight(each, rates) for name, each in found.items()}
    )
    show("divergences at_equal_rate", table)
    ordered = {"KL": Family("KL", {1.0: usual})} | found
    steps = step_milliseconds(ordered)
    rows = [behaviour(ordered[name], usual, steps[name]) for name in table["divergence"]]
    show("divergences weights", pd.DataFrame(rows))
    show("divergences critics", critics(compare("runs/critic")))
    show("divergences autoencoders", autoencoders(compare(["runs/zoo", "runs/wae"])))
    figure = new_figure(12.0, 0.28 * len(table) + 1.2)
    panels = figure.subplots(1, len(DRAWN), sharey=True)
    for axes, heading in zip(panels, DRAWN, strict=True):
        draw(axes, heading, {name: values[name][heading] for name in table["divergence"]})
    panels[0].invert_yaxis()
    save("divergences", figure)


def weight(family: Family, rates: BySeed) -> str:
    """Where a family has the rates, the mean over seeds, or comes nearest to them."""
    if misses(family, rates):
        return "{:g}, at a rate of {:.1f}".format(*nearest(family, rates))
    several = ", the least of several" if family.ambiguous(rates) else ""
    return f"{family.weight_at(rates) or math.nan:.3g}{several}"


def critics(runs: pd.DataFrame) -> pd.DataFrame:
    """What critics make of a known distance, and what a weight of them does to the codes."""
    runs["bound"] = runs["model.regularizer.lipschitz"]
    table = summary(runs, "bound", OF_RUNS)
    for distance in DISTANCES:
        shares = [[estimated(each, distance, seed) for seed in SEEDS] for each in table["bound"]]
        table.insert(1, f"of W₁ = {distance:g}", estimates(shares))
    table["bound"] = table["bound"].map(BOUNDS)
    return table


def autoencoders(runs: pd.DataFrame) -> pd.DataFrame:
    """Points for codes, held to the prior in two ways or not at all, beside the usual VAE."""
    points = runs["posterior"] == "Deterministic"
    chosen = runs[points | (runs["regularizer"] == "KL")].fillna({"weight": 0.0})
    chosen = chosen.assign(encoder=points.map({True: "point", False: "normal"}))
    return summary(chosen, ["encoder", "regularizer", "weight"], OF_AUTOENCODERS)


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
    axes.locator_params(axis="x", nbins=5)
    axes.set(xlabel=heading if heading in ("FID", "sliced W₂²") else f"{heading}, nats")


if __name__ == "__main__":
    run_section(main)
