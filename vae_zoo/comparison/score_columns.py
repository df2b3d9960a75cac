"""Columns of a table of scores: what each is, which way is better, and what to beware of."""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from vae_zoo.comparison.dimensions import USED
from vae_zoo.evaluation.numbers import PARTS, Number

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
BY_DIMENSION = ("kl_of_dimension",)  # one column for all dimensions
SOURCES = {"samples": "samples from the prior"}
# What stands for the data themselves, to be held against the runs.
REFERENCES = {"train": "training examples, the floor", "test": "test examples"}


class Column(NamedTuple):
    """A number of a part, or those of all dimensions.

    Args:
        stem: Its name in the catalogue.
        of: What it is of, as in ``fid/samples``; empty where it is of the whole.
        number: Its entry, None where the catalogue has none.
    """

    stem: str
    of: str
    number: Number | None

    @property
    def name(self) -> str:
        return f"{self.stem}/{self.of}" if self.of else self.stem

    @property
    def by_dimension(self) -> bool:
        return self.stem in BY_DIMENSION

    @property
    def _word(self) -> str:
        return self.number.title if self.number else self.stem.replace("_", " ")

    @property
    def title(self) -> str:
        return self._word if _number(self.of) is None else self.of

    @property
    def above(self) -> str:
        """What stands above it and its neighbours of the same kind."""
        return SOURCES.get(self.of, self.of) if _number(self.of) is None else self._word

    @property
    def unit(self) -> str:
        if self.by_dimension:
            return f"> {USED:g} nats"
        return self.number.unit if self.number else ""

    @property
    def decimals(self) -> int:
        """At least so many, so that a term looks the same wherever it stands on a page."""
        return 2 if self.unit == "nats" else 0

    @property
    def better(self) -> str:
        return self.number.better if self.number else ""

    @property
    def arrow(self) -> str:
        return ARROWS[self.better]

    @property
    def hover(self) -> str:
        """All that the catalogue knows of it, in lines."""
        if not self.number:
            return "a number that this version of vae_zoo does not know"
        lines = [self.number.meaning]
        if self.better:
            lines.append(f"{self.better.capitalize()} is better.")
        if self.by_dimension:
            lines.append("Shown: how many are above the threshold, and each, the largest first.")
        between = self.number.between
        lines.append(f"Compare between {between}." if between else "No number to compare runs by.")
        if self.number.beware:
            lines.append(f"Beware: {self.number.beware}")
        return "\n".join(lines)


def columns(part: str, names: Iterable[str]) -> list[Column]:
    """The columns of a part's numbers, in the order of the catalogue, what they are of together."""
    entries = PARTS.get(part, {})
    found = dict.fromkeys(_column(part, name) for name in names)
    kept = [column for column in found if column.of not in REFERENCES]
    stems, sources = [*entries], ["", *SOURCES]

    def place(column: Column) -> tuple[object, ...]:
        radius = _number(column.of)
        source = "" if radius is not None else column.of
        return (
            sources.index(source) if source in sources else len(sources),
            source,
            stems.index(column.stem) if column.stem in stems else len(stems),
            column.stem,
            radius or 0.0,
        )

    return sorted(kept, key=place)


def spans(shown: Iterable[Column]) -> list[tuple[str, int]]:
    """What stands above the columns, with the number of columns; nothing where all is empty."""
    found = [(above, len([*same])) for above, same in groupby(shown, lambda each: each.above)]
    return found if any(above for above, _ in found) else []


def _column(part: str, name: str) -> Column:
    stem, _, of = name.partition("/")
    return Column(stem, "" if stem in BY_DIMENSION else of, PARTS.get(part, {}).get(stem))


def _number(of: str) -> float | None:
    """Read a radius, as of ``distance_at_radius/0.5``; None where it is none."""
    try:
        return float(of) if of[:1].isdigit() else None
    except ValueError:
        return None
