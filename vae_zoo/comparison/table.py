"""The table of a page: cells with what they say on hover and what they are sorted by."""

from typing import NamedTuple

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import minus
from vae_zoo.comparison.terminal import ABSENT, TERMS

BEST = "better than every other group, beyond noise"


class Cell(NamedTuple):
    """What stands in a table.

    Args:
        text: The text.
        hover: What it says on hover.
        order: The number that it is sorted by.
        bars: The path of a small drawing beside it.
        mark: ``best`` of what is better than all others, ``noise`` of what may be none.
    """

    text: str
    hover: str = ""
    order: float | None = None
    bars: str = ""
    mark: str = ""

    @property
    def absent(self) -> bool:
        return self.text == ABSENT


class Column(NamedTuple):
    """A heading, and whether its cells are sorted as numbers."""

    name: str
    number: bool = False


def columns(section: Section) -> list[Column]:
    """Regularizer, weight, prior, what else differs, seeds, and the terms."""
    further = [Column(name, _is_number(section, key)) for key, name in section.columns.items()]
    names = [Column("regularizer"), Column("weight", True), Column("prior")]
    return [*names, *further, Column("seeds", True), *(Column(term, True) for term in TERMS)]


def row(section: Section, group: Group, best: str = "") -> list[Cell]:
    """Cells of a group, one for each column; the best group by the ELBO is marked."""
    weights = group.configuration.weights
    seeds = Cell(str(len(group.members)), f"seeds {', '.join(group.seeds)}", len(group.members))
    return [
        Cell(group.configuration.regularizer),
        Cell(group.weight, "", weights[0]) if weights else Cell(ABSENT, "it has no weight"),
        Cell(group.configuration.prior or ABSENT),
        *(_option(section, group, key) for key in section.columns),
        seeds,
        *(_estimate(group, term, (term, section.label(group)) == ("elbo", best)) for term in TERMS),
    ]


def _is_number(section: Section, key: str) -> bool:
    flats = [group.configuration.flat for group in section.groups]
    # type, as True is an int for isinstance
    return all(type(flat[key]) in (int, float) for flat in flats if key in flat)


def _option(section: Section, group: Group, key: str) -> Cell:
    value = section.value(group, key)
    if not value:
        return Cell(ABSENT, "its parts have no such option")
    return Cell(value, "", group.configuration.flat[key] if _is_number(section, key) else None)


def _estimate(group: Group, term: str, best: bool) -> Cell:
    estimate = group.estimate(term)
    if estimate is None:
        return Cell(ABSENT, group.why_absent(term))
    hover = "one seed: no standard error" if estimate.error is None else ""
    return Cell(minus(estimate), BEST if best else hover, estimate.mean, mark="best" * best)
