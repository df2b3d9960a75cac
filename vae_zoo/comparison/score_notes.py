"""What a reader must know of a table of scores, in lines below it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.measured import OWN, Measured, reason_of
from vae_zoo.comparison.score_columns import Column
from vae_zoo.comparison.setting import words
from vae_zoo.comparison.table import Cell
from vae_zoo.comparison.terminal import ABSENT
from vae_zoo.evaluation.numbers import PARTS

NAMED = 10  # groups that a note names


def setting_note(common: Mapping[str, Any]) -> list[str]:
    """Say how the numbers were made."""
    said = words(common)
    return [f"Measured with {said}."] if said else []


def other_settings(others: Iterable[tuple[str, str]]) -> list[str]:
    """Name the groups of other settings: pairs of a label and what differs."""
    found: dict[str, list[str]] = {}
    for label, other in others:
        if other:
            found.setdefault(other, []).append(label)
    return [
        f"† Not to be compared with the other rows: {', '.join(labels[:NAMED])}"
        f"{f' and {len(labels) - NAMED} more' * (len(labels) > NAMED)} ({other})."
        for other, labels in found.items()
    ]


def absent_cells(cells: Iterable[Cell]) -> list[str]:
    """Give the reasons of all cells without a number, each once."""
    return [f"{ABSENT} {reason}" for reason in dict.fromkeys(c.hover for c in cells if c.absent)]


def absent_columns(part: str, columns: Iterable[Column], measured: Sequence[Measured]) -> list[str]:
    """Name the numbers that no group has, with the reason that their cards give."""
    stems = {column.stem for column in columns}
    found: dict[str, list[str]] = {}
    for stem, number in PARTS.get(part, {}).items():
        reasons = (reason_of(one.absent, stem) for each in measured for one in each.parts)
        if stem not in stems and (reason := next(filter(None, reasons), "")):
            found.setdefault(reason, []).append(number.title)
    return [f"No {', '.join(titles)}: {reason}." for reason, titles in found.items()]


def single_seeds(part: str, measured: Iterable[Measured]) -> list[str]:
    """Say whose error it is where there is one seed."""
    if not any(len(each.cards) == 1 for each in measured):
        return []
    return [f"Of a single seed, ± is the standard error over {OWN.get(part, 'examples')}."]


def incomplete(groups: Iterable[tuple[str, Group]]) -> list[str]:
    """Name the groups of which some runs have a score card and some have none."""
    notes = []
    for label, group in groups:
        count, asked = sum(member.card is not None for member in group.members), len(group.members)
        has = "has" if count == 1 else "have"
        if 0 < count < asked:
            notes.append(f"{label}: {count} of {asked} runs {has} a score card.")
    return notes
