"""The rate-distortion plane: what the codes cost against what the reconstructions lose."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from plotly import graph_objects as go

from vae_zoo.comparison.groups import Group, Member
from vae_zoo.comparison.reading import title
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import GREY, Style, Styles, empty, minus

DISTORTION = "test/reconstruction"
LINES = 8  # of equal ELBO, at most
MARGIN = 0.16  # of the range of the points
LABEL = 0.15  # of the width, for what stands at a line


class Plane:
    """The part of the plane that is drawn: all points with a margin.

    Args:
        points: Rate and distortion of each run.
    """

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self.points = points
        self.x, self.y = (self._range(values) for values in zip(*points, strict=True))

    @staticmethod
    def _range(values: Sequence[float]) -> tuple[float, float]:
        margin = MARGIN * (max(values) - min(values) or 1.0)
        return min(values) - margin, max(values) + margin

    def levels(self) -> list[float]:
        """Round values of rate + distortion, at most ``LINES``."""
        low, high = self.x[0] + self.y[0], self.x[1] + self.y[1]
        rough = (high - low) / LINES
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def room(self, x: float, y: float) -> float:
        """Distance to the nearest point, as a share of the plot."""
        width, height = self.x[1] - self.x[0], self.y[1] - self.y[0]
        return min(math.hypot((x - a) / width, (y - b) / height) for a, b in self.points)


def rate_distortion(section: Section, styles: Styles) -> go.Figure | None:
    """Rate against distortion with lines of equal ELBO, None where no group has a rate."""
    groups = [group for group in section.groups if group.estimate("kl")]
    if not groups:
        return None
    members = [member for group in groups for member in group.members]
    plane = Plane([(one.summary["test/kl"], one.summary[DISTORTION]) for one in members])
    figure = empty("rate: KL(q(z|x) ‖ p(z)), nats", "distortion: reconstruction, nats")
    for total in plane.levels():
        _equal_elbo(figure, plane, total)
    figure.add_trace(_front(groups))
    for group in groups:
        label = section.label(group)
        figure.add_traces(list(_points(group, label, styles[label])))
    return figure.update_xaxes(range=plane.x).update_yaxes(range=plane.y)


def _front(groups: Sequence[Group]) -> go.Scatter:
    """The means than which no other has both a lower rate and a lower distortion."""
    means = [(group.estimate("kl"), group.estimate("reconstruction")) for group in groups]
    points = sorted((rate.mean, loss.mean) for rate, loss in means if rate and loss)
    best = [point for i, point in enumerate(points) if all(point[1] < y for _, y in points[:i])]
    return go.Scatter(
        x=[x for x, _ in best],
        y=[y for _, y in best],
        mode="lines",
        line={"color": GREY, "width": 1.5},
        hoverinfo="skip",
        name="front",
    )


def _points(group: Group, label: str, style: Style) -> Iterator[go.Scatter]:
    """The mean of a group, large and pale, and each of its runs upon it, small."""
    name = escape(label)
    look = {"mode": "markers", "hoverinfo": "text", "legendgroup": name, "name": name}
    edge = {"color": style.color, "width": 2}
    means = {term: group.estimate(term) for term in ("elbo", "reconstruction", "kl")}
    lines = [f"{term} {minus(mean)}" for term, mean in means.items() if mean]
    yield go.Scatter(
        x=[mean.mean for term, mean in means.items() if mean and term == "kl"],
        y=[mean.mean for term, mean in means.items() if mean and term == "reconstruction"],
        hovertext=[f"<b>{name}</b>, mean of {len(group.members)}<br>{'<br>'.join(lines)}"],
        marker={"color": style.pale, "symbol": style.symbol, "size": 17, "line": edge},
        **look,
    )
    yield go.Scatter(
        x=[member.summary["test/kl"] for member in group.members],
        y=[member.summary[DISTORTION] for member in group.members],
        hovertext=[f"<b>{name}</b><br>{_told(member)}" for member in group.members],
        marker={"color": style.color, "symbol": style.symbol, "size": 6},
        showlegend=False,
        **look,
    )


def _told(member: Member) -> str:
    values = [
        f"{term} {minus(member.summary[f'test/{term}'])}"
        for term in ("elbo", "reconstruction", "kl")
    ]
    run = f"seed {member.configuration.seed}, {escape(title(member.run))}"
    return "<br>".join([run, *values])


def _equal_elbo(figure: go.Figure, plane: Plane, total: float) -> None:
    """Draw rate + distortion = -ELBO, which has slope -1, with its ELBO at the emptier end."""
    left, right = max(plane.x[0], total - plane.y[1]), min(plane.x[1], total - plane.y[0])
    if right - left < LABEL / 2 * (plane.x[1] - plane.x[0]):
        return  # cuts off a corner: no room for its label
    line = {"width": 1, "dash": "dot", "color": GREY}
    ends = {"x0": left, "y0": total - left, "x1": right, "y1": total - right}
    figure.add_shape(type="line", layer="below", line=line, **ends)
    x = max(left, right, key=lambda end: plane.room(end, total - end))
    figure.add_annotation(
        x=x,
        y=total - x,
        text=f"ELBO {minus(f'{-total:g}')}",
        showarrow=False,
        font={"size": 11},
        opacity=0.8,
        **_beside(plane, x, total - x),
    )


def _beside(plane: Plane, x: float, y: float) -> dict[str, str | int]:
    """Where a label at the end of a falling line crosses neither the line nor the frame."""
    room = LABEL * (plane.x[1] - plane.x[0])
    at_top_or_right = y >= plane.y[1] or x >= plane.x[1]
    if at_top_or_right and x - room >= plane.x[0]:
        return {"xanchor": "right", "xshift": -4, "yanchor": "top"}
    return {"xanchor": "left", "xshift": 4, "yanchor": "bottom"}
