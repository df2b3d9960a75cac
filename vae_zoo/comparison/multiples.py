"""The headline yardsticks as small multiples: a point and its error for each group."""

from html import escape

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import Styles, empty, minus

COLUMNS = 3
MOST = 24  # groups, beyond which a point is too small to be told
ROW = 22  # pixels of a group
HEAD = 90  # and of a title with its axis


def multiples(section: Section, styles: Styles, found: Answer) -> go.Figure | None:
    """A plot for each yardstick, all with the groups in the order of the section."""
    labels = [section.label(group) for group in section.groups]
    if len(labels) > MOST or len(labels) < 2 or not found.verdicts:
        return None
    yardsticks = [verdict.yardstick for verdict in found.verdicts]
    rows = -(-len(yardsticks) // COLUMNS)
    titles = [f"{each.title} {'↑' if each.higher else '↓'}" for each in yardsticks]
    figure = make_subplots(
        rows, COLUMNS, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03,
        vertical_spacing=HEAD / (rows * (HEAD + ROW * len(labels))),
    )  # fmt: skip
    for i, yardstick in enumerate(yardsticks):
        row, column = divmod(i, COLUMNS)
        for group, label in zip(section.groups, labels, strict=True):
            if values := [*yardstick.values(group).values()]:
                point = _point(label, Estimate.of(values), styles)
                figure.add_trace(point, row + 1, column + 1)
    figure.update_layout(empty("", "").layout)
    figure.update_layout(height=rows * (HEAD + ROW * len(labels)), showlegend=False)
    figure.update_layout(margin={"l": 10, "t": 40}, xaxis_title="", yaxis_title="")
    order = {"categoryorder": "array", "categoryarray": [escape(each) for each in labels[::-1]]}
    return figure.update_yaxes(automargin=True, **order)


def _point(label: str, mean: Estimate, styles: Styles) -> go.Scatter:
    style = styles[label]
    return go.Scatter(
        x=[mean.mean],
        y=[escape(label)],
        error_x={"type": "data", "array": [mean.error or 0.0], "color": style.color},
        mode="markers",
        marker={"color": style.color, "symbol": style.symbol, "size": 9},
        hovertext=f"{escape(label)}: {minus(mean)}",
        hoverinfo="text",
    )
