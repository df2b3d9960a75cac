"""Curves over epochs: a validation term by group."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape

from plotly import graph_objects as go

from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import Style, Styles, empty, short

SETTLED = 0.1  # of the epochs are too far off to set the range of a plot
UNIFIED = 12  # curves, at most, whose values one hover shows together
SYMBOLS_SHOWN = 8  # on a curve: enough to tell it without its colour
MARGIN = 0.08  # of the range of the values


def curves(section: Section, styles: Styles, term: str) -> go.Figure | None:
    """Mean of a validation term over epochs with a band of ± a standard error."""
    found = {section.label(group): group.curve(term) for group in section.groups}
    found = {label: curve for label, curve in found.items() if curve}
    if not found:
        return None
    figure = empty("epoch", f"val/{term}, nats")
    for label, curve in found.items():
        epochs: dict[float, Estimate] = {int(epoch): mean for epoch, mean in curve.items()}
        figure.add_traces(list(banded(label, epochs, styles[label])))
    figure.update_yaxes(range=_range(found.values()))
    return figure.update_layout(hovermode="x unified" if len(found) <= UNIFIED else "closest")


def banded(label: str, means: Mapping[float, Estimate], style: Style) -> Iterator[go.Scatter]:
    """A line through means, in a band of ± a standard error."""
    name, places = escape(label), [*means]
    low = [short(each.mean - (each.error or 0.0)) for each in means.values()]
    high = [short(each.mean + (each.error or 0.0)) for each in means.values()]
    errors = [each.error for each in means.values()]
    yield go.Scatter(
        x=places + places[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=style.pale,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        legendgroup=name,
        showlegend=False,
    )
    yield go.Scatter(
        x=places,
        y=[short(each.mean) for each in means.values()],
        mode="lines+markers",
        line={"color": style.color, "dash": style.dash, "width": 2},
        marker={"symbol": style.symbol, "size": 8, "maxdisplayed": SYMBOLS_SHOWN},
        customdata=[short(error) for error in errors if error is not None],
        hovertemplate="%{y:.5~g}" if None in errors else "%{y:.5~g} ± %{customdata:.2~g}",
        legendgroup=name,
        name=name,
    )


def _range(curves: Iterable[dict[float, Estimate]]) -> tuple[float, float]:
    """Range of what comes after the first epochs."""
    values = [
        each.mean + sign * (each.error or 0.0)
        for curve in curves
        for epoch, each in curve.items()
        for sign in (-1, 1)
        if epoch >= SETTLED * max(curve)
    ]
    margin = MARGIN * (max(values) - min(values) or 1.0)
    return min(values) - margin, max(values) + margin
