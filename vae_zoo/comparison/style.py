"""How groups and plots look: the same colour and symbol for a group everywhere on a page."""

from typing import NamedTuple

from plotly import graph_objects as go

# Okabe and Ito, Color Universal Design, 2008, without black, which a dark ground would swallow.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C8C8C")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "star", "cross")
GLYPHS = "●■◆▲▼★✚"  # the symbols, for text
DASHES = ("solid", "dash", "dot", "dashdot")
GREY = PALETTE[-1]


class Style(NamedTuple):
    """How a group looks in every plot and table of a page."""

    color: str
    symbol: str
    glyph: str
    dash: str

    @property
    def pale(self) -> str:
        """The colour, a third of it, for grounds."""
        red, green, blue = (int(self.color[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},0.35)"

    @classmethod
    def number(cls, i: int) -> "Style":
        turn, place = divmod(i, len(PALETTE))
        shape = (place + turn) % len(SYMBOLS)
        return cls(PALETTE[place], SYMBOLS[shape], GLYPHS[shape], DASHES[turn % len(DASHES)])


Styles = dict[str, Style]  # by a group's label


def empty(x: str, y: str) -> go.Figure:
    """A figure with titled axes, without colours of text and ground: the page sets those."""
    layout = {
        "template": go.layout.Template(),
        "margin": {"l": 60, "r": 16, "t": 16, "b": 50},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"align": "left", "namelength": -1},
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        "xaxis": {"title": {"text": x, "standoff": 8}},
        "yaxis": {"title": {"text": y, "standoff": 8}},
    }
    return go.Figure(layout=layout)


def short(number: float) -> float:
    """Round to the digits that a plot can show, which makes a page half as large."""
    return float(f"{number:.5g}")


def minus(number: object) -> str:
    """Write a number with a minus of its width."""
    shown = f"{number:.2f}" if isinstance(number, float) else str(number)
    return shown.replace("-", "−")
