"""The rate-distortion plane: what the codes cost against what the reconstructions lose."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from plotly import graph_objects as go

from vae_zoo.comparison.groups import Group, Member
from vae_zoo.comparison.reading import title
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import GREY, Style, Styles, empty, minus

LINES = 6  # of equal ELBO, at most
MARGIN = 0.16  # of the range of the points


def rate_distortion(section: Section, styles: Styles) -> go.Figure | None:
    """Rate against distortion with lines of equal ELBO, None where no group has a rate."""
    groups = [group for group in section.groups if group.estimate("kl")]
    if not groups:
        return None
    members = [member for group in groups for member in group.members]
    xs, ys = ([one.summary[f"test/{term}"] for one in members] for term in ("kl", "reconstruction"))
    (x0, x1), (y0, y1) = _range(xs), _range(ys)
    figure = empty("rate: KL(q(z|x) ‖ p(z)), nats", "distortion: reconstruction, nats")
    for total in _levels(x0 + y0, x1 + y1):
        _equal_elbo(figure, total, (x0, x1), (y0, y1))
    for group in groups:
        label = section.label(group)
        figure.add_traces(list(_points(group, label, styles[label])))
    return figure.update_xaxes(range=[x0, x1]).update_yaxes(range=[y0, y1])


def _points(group: Group, label: str, style: Style) -> Iterator[go.Scatter]:
    """Each seed small, their mean large."""
    name = escape(label)
    look = {"mode": "markers", "hoverinfo": "text", "legendgroup": name, "name": name}
    yield go.Scatter(
        x=[member.summary["test/kl"] for member in group.members],
        y=[member.summary["test/reconstruction"] for member in group.members],
        hovertext=[f"<b>{name}</b><br>{_seed(member)}" for member in group.members],
        marker={"color": style.color, "symbol": style.symbol, "size": 7, "opacity": 0.6},
        showlegend=False,
        **look,
    )
    means = {term: group.estimate(term) for term in ("elbo", "reconstruction", "kl")}
    lines = [f"{term} {minus(mean)}" for term, mean in means.items()]
    yield go.Scatter(
        x=[means["kl"].mean if means["kl"] else None],
        y=[means["reconstruction"].mean if means["reconstruction"] else None],
        hovertext=[f"<b>{name}</b>, mean of {len(group.members)}<br>{'<br>'.join(lines)}"],
        marker={"color": style.color, "symbol": style.symbol, "size": 15, "line": {"width": 1.5}},
        **look,
    )


def _seed(member: Member) -> str:
    terms = [f"{t} {minus(member.summary[f'test/{t}'])}" for t in ("reconstruction", "kl")]
    return "<br>".join([f"seed {member.configuration.seed}, {escape(title(member.run))}", *terms])


def _equal_elbo(
    figure: go.Figure, total: float, x: tuple[float, float], y: tuple[float, float]
) -> None:
    """Draw rate + distortion = -ELBO, which has slope -1, labelled at its upper end."""
    left, right = max(x[0], total - y[1]), min(x[1], total - y[0])
    if right - left < MARGIN * (x[1] - x[0]) / 2:
        return  # cuts off a corner: no room for its label
    line = {"width": 1, "dash": "dot", "color": GREY}
    ends = {"x0": left, "y0": total - left, "x1": right, "y1": total - right}
    figure.add_shape(type="line", layer="below", line=line, **ends)
    top = left > x[0]
    figure.add_annotation(
        x=left,
        y=total - left,
        text=f"ELBO {minus(f'{-total:g}')}",
        showarrow=False,
        font={"size": 11},
        opacity=0.8,
        xanchor="left",
        xshift=5,
        yanchor="top" if top else "bottom",
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    margin = MARGIN * (max(values) - min(values) or 1.0)
    return min(values) - margin, max(values) + margin


def _levels(low: float, high: float) -> list[float]:
    """Round numbers between two, at most ``LINES``."""
    rough = (high - low) / LINES
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
