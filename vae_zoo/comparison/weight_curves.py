"""Yardsticks against the weight, a line for each family of groups."""

from plotly import graph_objects as go

from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.curves import banded
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.families import Family, families
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import Style, empty
from vae_zoo.comparison.yardsticks import RATE, Yardstick

TICKS = 10  # at most: the weights that were tried, every so many


def weight_curves(section: Section, found: Answer) -> dict[str, go.Figure]:
    """A figure for the rate and each yardstick, by title; none without families."""
    lines = families(section)
    wanted = [RATE, *(verdict.yardstick for verdict in found.verdicts)] if lines else []
    return {each.title: _figure(each, lines) for each in wanted}


def _figure(yardstick: Yardstick, lines: list[Family]) -> go.Figure:
    unit = yardstick.number.unit
    figure = empty("weight", f"{yardstick.title}{f', {unit}' if unit else ''}")
    for i, family in enumerate(lines):
        values = {w: [*yardstick.values(group).values()] for w, group in family.groups.items()}
        means = {weight: Estimate.of(each) for weight, each in values.items() if each}
        if means:
            figure.add_traces(list(banded(family.label, means, Style.number(i))))
    weights = sorted({weight for family in lines for weight in family.weights})
    shown = weights[:: -(-len(weights) // TICKS)]
    ticks = {"tickvals": shown, "ticktext": [f"{weight:.3g}" for weight in shown]}
    return figure.update_xaxes(type="log", **ticks)
