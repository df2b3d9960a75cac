"""Numbers of single dimensions in one cell: how many are in use, and a bar for each."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.measured import Measured
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.table import Cell
from vae_zoo.comparison.terminal import ABSENT
from vae_zoo.evaluation.score import Score

USED = 0.1  # nats from which a dimension counts as used
BARS = 64  # dimensions that are drawn
HEIGHT, STEP = 16, 4  # of bars, in pixels
LOWEST = 0.7  # of a bar, so that one of nothing is seen


class Used(NamedTuple):
    """The dimensions of a group.

    Args:
        number: How many are in use.
        values: The largest first; means over seeds of each rank, as their order is arbitrary.
    """

    number: Estimate
    values: list[float]

    @classmethod
    def of(cls, measured: Measured, stem: str) -> "Used | None":
        """Take ``stem/0``, ``stem/1``, … of a group, None where not every run has all."""
        by_name = [measured.scores(n) for n in measured.names if n.startswith(f"{stem}/")]
        if not by_name or not all(by_name):
            return None
        by_run = zip(*by_name, strict=True)
        runs = [sorted((one.value for one in run), reverse=True) for run in by_run]
        counts = [Score(float(sum(value > USED for value in run))) for run in runs]
        values = [fmean(ranked) for ranked in zip(*runs, strict=True)]
        return cls(Estimate.of_scores(counts), values)


def cells(stem: str, measured: Sequence[Measured]) -> list[Cell]:
    """Show the dimensions of each group, the bars of all to one scale."""
    found = [Used.of(each, stem) for each in measured]
    rounding = Rounding.of(used.number for used in found if used)
    most = max((used.values[0] for used in found if used), default=0.0)
    return [
        _cell(used, rounding, most) if used else Cell(ABSENT, each.why_absent(stem))
        for used, each in zip(found, measured, strict=True)
    ]


def _cell(used: Used, rounding: Rounding, most: float) -> Cell:
    shown = used.values[:BARS]
    listed = ", ".join(f"{value:.3g}" for value in shown) + ", …" * (len(used.values) > BARS)
    return Cell(
        f"{rounding.show(used.number)} of {len(used.values)}",
        f"nats, the largest first: {listed}",
        used.number.mean,
        _bars(value / most if most > 0 else 0.0 for value in shown),
    )


def _bars(shares: Iterable[float]) -> str:
    """The path of an SVG, a vertical stroke for each."""
    heights = (max(share * HEIGHT, LOWEST) for share in shares)
    return "".join(f"M{STEP * i + 2} {HEIGHT}v{-high:.1f}" for i, high in enumerate(heights))
