"""Parallel coordinates: a line for each run, through what was set and what came of it."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from plotly import graph_objects as go

from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.groups import Group, Member
from vae_zoo.comparison.reading import title
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import Style, Styles, empty, minus

TICKS = 12  # of an axis, beyond which they would cover each other
Rows = Sequence[tuple[Group, Member]]


class Axis(NamedTuple):
    """One of the parallel axes.

    Args:
        name: Its heading.
        places: Of each run, from 0 to 1; None where it has nothing.
        ticks: Places with their texts.
        texts: What each run has.
    """

    name: str
    places: list[float | None]
    ticks: dict[float, str]
    texts: list[str]


def parallel(section: Section, styles: Styles, found: Answer) -> go.Figure | None:
    """The runs of a section, each group in its colour; None where nothing was varied."""
    rows = [(group, member) for group in section.groups for member in group.members]
    settings = [*_settings(section, rows)]
    results = [_result(each.yardstick.title, [*map(each.yardstick.value, _members(rows))])
               for each in found.verdicts]  # fmt: skip
    if not settings or not results:
        return None
    axes, figure, shown = [*settings, *results], empty("", ""), set[str]()
    for i, (group, member) in enumerate(rows):
        label = section.label(group)
        line = _line(i, axes, f"{label}, {title(member.run)}", label, styles[label])
        figure.add_trace(line.update(showlegend=label not in shown))
        shown.add(label)
    for x, axis in enumerate(axes):
        for place, text in axis.ticks.items():
            look = {"showarrow": False, "xshift": 4, "xanchor": "left", "font": {"size": 11}}
            figure.add_annotation(x=x, y=place, text=escape(text), **look)
    names = [escape(axis.name) for axis in axes]
    figure.update_xaxes(tickvals=[*range(len(axes))], ticktext=names, side="top", title=None)
    figure.update_xaxes(range=[-0.1, len(axes) - 0.4], showgrid=True)
    return figure.update_yaxes(visible=False, range=[-0.06, 1.06])


def _members(rows: Rows) -> Iterator[Member]:
    return (member for _, member in rows)


def _line(i: int, axes: Sequence[Axis], name: str, label: str, style: Style) -> go.Scatter:
    told = [f"{escape(axis.name)} {escape(axis.texts[i])}" for axis in axes]
    return go.Scatter(
        x=[*range(len(axes))],
        y=[axis.places[i] for axis in axes],
        mode="lines+markers",
        line={"color": style.color, "width": 1.2},
        marker={"symbol": style.symbol, "size": 5},
        opacity=0.7,
        hovertext="<br>".join([f"<b>{escape(name)}</b>", *told]),
        hoverinfo="text",
        legendgroup=escape(label),
        name=escape(label),
    )


def _settings(section: Section, rows: Rows) -> Iterator[Axis]:
    """What differs: numbers by their size, words as they come."""
    named: dict[str, list[str]] = {
        "regularizer": [group.configuration.regularizer for group, _ in rows],
        "weight": [_weight(group) for group, _ in rows],
        "prior": [group.configuration.prior for group, _ in rows],
    }
    for key, name in section.columns.items():
        named[name] = [section.value(group, key) for group, _ in rows]
    for name, texts in named.items():
        known = _in_order(dict.fromkeys(texts))
        if len(known) > 1:
            places = {text: i / (len(known) - 1) for i, text in enumerate(known)}
            every = -(-len(known) // TICKS)
            ticks = {places[text]: text or "–" for text in known[::every]}
            yield Axis(name, [places[text] for text in texts], ticks, texts)


def _weight(group: Group) -> str:
    weights = group.configuration.weights
    return f"{weights[0]:.4g}" if weights else ""


def _in_order(known: dict[str, None]) -> list[str]:
    try:
        return sorted(known, key=lambda word: float(word) if word else -math.inf)
    except ValueError:
        return [*known]


def _result(name: str, values: Sequence[float | None]) -> Axis:
    """A yardstick, from its least value to its greatest."""
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    reach = high - low or 1.0
    places = [None if value is None else (value - low) / reach for value in values]
    texts = ["–" if value is None else minus(f"{value:.4g}") for value in values]
    ticks = {0.0: minus(f"{low:.3g}"), (high - low) / reach: minus(f"{high:.3g}")}
    return Axis(name, places, ticks, texts)
