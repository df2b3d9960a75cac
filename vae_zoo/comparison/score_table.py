"""Tables of the score cards of a section: one for each part, a row for each group."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from vae_zoo.comparison import dimensions
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.measured import Measured, reason_of
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.score_columns import REFERENCES, Column, columns, spans
from vae_zoo.comparison.score_notes import (
    absent_cells,
    absent_columns,
    incomplete,
    other_settings,
    setting_note,
    single_seeds,
)
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.setting import different, usual, words
from vae_zoo.comparison.table import BEST, Cell
from vae_zoo.comparison.terminal import ABSENT
from vae_zoo.comparison.verdict import judge
from vae_zoo.comparison.yardsticks import Yardstick
from vae_zoo.evaluation.numbers import PARTS


class Row(NamedTuple):
    """A group, or what groups are held against.

    Args:
        label: Its name.
        cells: One for each column.
        hover: How its numbers were made.
        other: What in its setting forbids to compare it with the rest; empty where nothing does.
    """

    label: str
    cells: list[Cell]
    hover: str
    other: str


class ScoreTable(NamedTuple):
    """A part of the score cards of a section.

    Args:
        part: Its name.
        above: What stands above the columns, and above how many.
        columns: The headings.
        rows: One for each group, in the order of the section.
        references: The same numbers of the data themselves.
        notes: Lines below it.
    """

    part: str
    above: list[tuple[str, int]]
    columns: list[Column]
    rows: list[Row]
    references: list[Row]
    notes: list[str]


class Scores(NamedTuple):
    """The score cards of a section.

    Args:
        tables: In the order of the catalogue.
        notes: Why there is none of a part, for those that were asked for in vain, and which groups
            are not whole.
    """

    tables: list[ScoreTable]
    notes: list[str]


def scores(section: Section) -> Scores:
    """Lay out all parts that some run of a section has."""
    found = dict.fromkeys(p for one in section.members if one.card for p in one.card.parts)
    labels = [section.label(group) for group in section.groups]
    tables, notes = [], incomplete(zip(labels, section.groups, strict=True))
    for part in [*(p for p in PARTS if p in found), *(p for p in found if p not in PARTS)]:
        measured = [Measured(group, part) for group in section.groups]
        if any(each.names for each in measured):
            tables.append(_table(part, labels, measured))
            continue
        reasons = (reason_of(one.absent, "") for each in measured for one in each.parts)
        if told := "; ".join(dict.fromkeys(filter(None, reasons))):
            notes.append(f"No {part}: {told}.")
    return Scores(tables, notes)


def _table(part: str, labels: Sequence[str], measured: Sequence[Measured]) -> ScoreTable:
    shown = columns(part, {name for each in measured for name in each.names})
    common = usual([setting for each in measured for setting in each.settings])
    roundings = [_rounding(column, measured) for column in shown]
    groups = {label: each.group for label, each in zip(labels, measured, strict=True)}
    best = [_best(part, column, groups) for column in shown]
    by_column = [
        _cells(column, rounding, dict(zip(labels, measured, strict=True)), first)
        for column, rounding, first in zip(shown, roundings, best, strict=True)
    ]
    rows = [
        Row(label, list(cells), each.told if each.settings else "", different(each.setting, common))
        for label, each, *cells in zip(labels, measured, *by_column, strict=True)
    ]
    notes = [
        *setting_note(common),
        *other_settings((row.label, row.other) for row in rows),
        *absent_cells(cell for row in rows for cell in row.cells),
        *absent_columns(part, shown, measured),
        *single_seeds(part, measured),
    ]
    references = _references(shown, roundings, measured, common)
    return ScoreTable(part, spans(shown), shown, rows, references, notes)


def _rounding(column: Column, measured: Sequence[Measured]) -> Rounding:
    """Round a column by its numbers, and by what they are held against, counted once."""
    names = (f"{column.stem}/{of}" for of in REFERENCES)
    found = [each.estimate(column.name) for each in measured]
    found += [next(filter(None, (each.estimate(n) for each in measured)), None) for n in names]
    return Rounding.of(filter(None, found), column.decimals)


def _best(part: str, column: Column, groups: Mapping[str, Group]) -> str:
    """The group that is better than all others by a number, beyond noise; nothing if none is."""
    yardstick = Yardstick(part, column.name)
    if not column.better or not (known := [k for k, g in groups.items() if yardstick.values(g)]):
        return ""
    return judge(yardstick, groups, known[0]).best


def _cells(
    column: Column, rounding: Rounding, measured: Mapping[str, Measured], best: str
) -> list[Cell]:
    if column.by_dimension:
        return dimensions.cells(column.stem, [*measured.values()])
    return [_cell(column, rounding, each, label == best) for label, each in measured.items()]


def _cell(column: Column, rounding: Rounding, each: Measured, best: bool) -> Cell:
    if found := each.estimate(column.name):
        return Cell(rounding.show(found), BEST * best, found.mean, mark="best" * best)
    return Cell(ABSENT, each.why_absent(column.name))


def _references(
    shown: Sequence[Column],
    roundings: Sequence[Rounding],
    measured: Sequence[Measured],
    common: Mapping[str, Any],
) -> list[Row]:
    """What the numbers are of the data themselves: a row for each setting that there is."""
    settings = [each.setting for each in measured if each.setting]
    distinct = [setting for i, setting in enumerate(settings) if setting not in settings[:i]]
    rows = []
    for of, label in REFERENCES.items():
        for setting in distinct:
            same = [each for each in measured if each.setting == setting]
            cells = [
                _reference(f"{column.stem}/{of}", rounding, same)
                for column, rounding in zip(shown, roundings, strict=True)
            ]
            if any(cell.text for cell in cells):
                rows.append(Row(label, cells, words(setting), different(setting, common)))
    return rows


def _reference(name: str, rounding: Rounding, measured: Iterable[Measured]) -> Cell:
    """A number that all runs of a setting share, up to the order of sums."""
    found = [score for each in measured for score in each.scores(name)]
    if not found:
        return Cell("")
    mean = fmean(score.value for score in found)
    return Cell(rounding.show(Estimate(mean, found[0].standard_error, 1)))
