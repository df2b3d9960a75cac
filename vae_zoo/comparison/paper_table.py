"""The table of a section for a paper or an issue: a row a group, ready to be set."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from vae_zoo.comparison import table
from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.measured import Measured
from vae_zoo.comparison.reading import Comparison
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.score_columns import ARROWS
from vae_zoo.comparison.score_notes import absent_cells, incomplete
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.table import Cell, Column
from vae_zoo.comparison.terminal import ABSENT, TERMS, UNJUDGED
from vae_zoo.comparison.verdict import Verdict
from vae_zoo.evaluation.numbers import PARTS

OTHER = "†"
BOLD = "Bold: better than every other group beyond noise (paired over seeds, p < 0.05 after Holm)."


class PaperTable(NamedTuple):
    """A table in plain text, before a language's special characters are escaped.

    Args:
        caption: What the numbers are.
        columns: The headings.
        rows: One for each group; the best is marked where it is better beyond noise.
        notes: Sentences on single cells.
    """

    caption: str
    columns: list[Column]
    rows: list[list[Cell]]
    notes: list[str]


def paper_tables(comparison: Comparison) -> Iterator[PaperTable]:
    """Yield a table for each section: numbers of two sections may not be compared."""
    for section, found in zip(comparison.sections, comparison.answers, strict=True):
        yield _paper_table(comparison.heading(section), section, found)


def _paper_table(heading: str, section: Section, found: Answer) -> PaperTable:
    verdicts = [each for each in found.verdicts if each.yardstick.name not in TERMS]
    groups = {section.label(group): group for group in section.groups}
    scores = [_scores(verdict, groups) for verdict in verdicts]
    rows = [
        [*table.row(section, group, found.best), *cells]
        for (_, group), *cells in zip(groups.items(), *scores, strict=True)
    ]
    shown = table.columns(section)
    titles = [*(_term(name) for name in TERMS), *map(_title, verdicts)]
    columns = [*shown[: -len(TERMS)], *(Column(title, True) for title in titles)]
    numbers = [cell for row in rows for cell in row[-len(titles) :]]
    notes = [
        *(_judged(found, numbers) if len(groups) > 1 else ()),
        *_others(verdicts, groups),
        *(f"{reason}." for reason in absent_cells(numbers)),
        *_single(section, verdicts),
        *incomplete(groups.items()),
    ]
    return PaperTable(_caption(heading, section, verdicts), columns, rows, notes)


def _scores(verdict: Verdict, groups: Mapping[str, Group]) -> list[Cell]:
    """The cells of a yardstick, rounded together."""
    part, name = verdict.yardstick.part, verdict.yardstick.name
    measured = {label: Measured(group, part) for label, group in groups.items()}
    found = {label: each.estimate(name) for label, each in measured.items()}
    least = 2 if verdict.yardstick.number.unit == "nats" else 0
    rounding = Rounding.of(filter(None, found.values()), least)
    apart = _apart(verdict, groups)
    cells = []
    for label, estimate in found.items():
        if estimate is None:
            cells.append(Cell(ABSENT, measured[label].why_absent(name)))
            continue
        mark = "best" * (label == verdict.best)
        text = rounding.show(estimate) + OTHER * (label in apart)
        cells.append(Cell(text, "", estimate.mean, mark=mark))
    return cells


def _term(name: str) -> str:
    number = PARTS["likelihood"][name]
    return f"{number.title} {ARROWS[number.better]}".rstrip()


def _title(verdict: Verdict) -> str:
    return f"{verdict.yardstick.title} {ARROWS[verdict.yardstick.number.better]}".rstrip()


def _caption(heading: str, section: Section, verdicts: list[Verdict]) -> str:
    nats = [PARTS["likelihood"][name].title for name in TERMS]
    nats += [each.yardstick.title for each in verdicts if each.yardstick.number.unit == "nats"]
    told = [f"{each.yardstick.title} of {each.examples:,}" for each in verdicts if each.examples]
    examples = f"; examples: {', '.join(told)}" if told else ""
    return (
        f"{heading}: test split at best.ckpt, mean ± standard error over seeds ({section.seeds}); "
        f"{', '.join(nats)} in nats{examples}."
    )


def _judged(found: Answer, numbers: list[Cell]) -> Iterator[str]:
    if found.too_few:
        yield UNJUDGED
    elif any(cell.mark == "best" for cell in numbers):
        yield BOLD
    else:
        yield "No group is better than every other one beyond noise."


def _others(verdicts: list[Verdict], groups: Mapping[str, Group]) -> Iterator[str]:
    for each in verdicts:
        for label, reason in _apart(each, groups).items():
            yield f"{OTHER} {each.yardstick.title} of {label}: not comparable, {reason}."


def _apart(verdict: Verdict, groups: Mapping[str, Group]) -> dict[str, str]:
    """Why numbers must not be held against the others', by label.

    The others are what can be compared with the reference, or the first group where that has none.
    """
    yardstick = verdict.yardstick
    known = {label: group for label, group in groups.items() if yardstick.values(group)}
    held = known[next(iter(verdict.means or known))]
    found = {label: yardstick.why_not(group, held) for label, group in known.items()}
    return {label: reason for label, reason in found.items() if reason}


def _single(section: Section, verdicts: list[Verdict]) -> Iterator[str]:
    """Say whose error it is where there is one seed."""
    if all(len(group.members) > 1 for group in section.groups):
        return
    yield "Of a single seed, ELBO, reconstruction and rate have no standard error."
    if verdicts:
        others = ", ".join(each.yardstick.title for each in verdicts)
        yield f"That of {others} is over examples."
