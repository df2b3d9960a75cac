"""How charts look, and how they become images."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Tol, Colour Schemes, 2021: "muted", and black. https://personal.sron.nl/~pault
PALETTE = (
    *("#332288", "#88CCEE", "#117733", "#DDCC77", "#CC6677"),
    *("#44AA99", "#882255", "#999933", "#AA4499", "#000000"),
)
MARKERS = "osD^vPX"
GREY = "#D4D4D4"
DPI = 120


def new_figure(width: float = 6.4, height: float = 5.2) -> Figure:
    """An empty figure, in inches, of which no other module knows."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="compressed")
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure) -> Image.Image:
    """Draw a figure into an image."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return Image.fromarray(pixels).convert("RGB")


def label_styles(n: int) -> list[tuple[str, str]]:
    """A colour and a marker for each of n labels; a colour comes again with another marker."""
    size = len(PALETTE)
    return [(PALETTE[i % size], MARKERS[(i + i // size) % len(MARKERS)]) for i in range(n)]
