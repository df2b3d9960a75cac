"""Read run folders: which runs can be compared, and why the others cannot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vae_zoo.comparison.answer import Answer, answers
from vae_zoo.comparison.configuration import Configuration, differing, short_names
from vae_zoo.comparison.groups import Member, group
from vae_zoo.comparison.sections import LOADING, Section, divide
from vae_zoo.errors import check_form
from vae_zoo.printable import printable
from vae_zoo.runs import Run, find_runs


@dataclass(frozen=True)
class LeftOut:
    """A run that no mean counts, and why."""

    run: Run
    reason: str

    def __str__(self) -> str:
        return f"{title(self.run)} ({self.reason})"


@dataclass(frozen=True)
class Comparison:
    """What the given folders hold, and what it says, section by section."""

    folders: tuple[Path, ...]
    sections: tuple[Section, ...]
    answers: tuple[Answer, ...]
    unfinished: tuple[LeftOut, ...]
    broken: tuple[LeftOut, ...]
    repeated: tuple[LeftOut, ...]

    @property
    def name(self) -> str:
        return ", ".join(folder.resolve().name for folder in self.folders)

    @property
    def left_out(self) -> dict[str, tuple[LeftOut, ...]]:
        """The runs that no mean counts, by a word for it."""
        kinds = {"unfinished": self.unfinished, "broken": self.broken, "repeated": self.repeated}
        return {kind: runs for kind, runs in kinds.items() if runs}

    @cached_property
    def without_card(self) -> dict[str, list[Run]]:
        """Runs that have their place in all tables but those of score cards, by the reason."""
        found: dict[str, list[Run]] = {}
        for section in self.sections:
            for member in section.members:
                if not member.card:
                    found.setdefault(member.why_no_card, []).append(member.run)
        return found

    def heading(self, section: Section) -> str:
        """Data and likelihood, with the options of the data that tell sections apart."""
        names = (section.data, section.likelihood)
        alike = [each for each in self.sections if (each.data, each.likelihood) == names]
        flats = [each.groups[0].configuration.flat for each in alike]
        keys = [key for key in differing(flats) if key.startswith("data") and key not in LOADING]
        short = short_names(keys)
        options = ", ".join(f"{short[key]} {section.common.get(key, '–')}" for key in keys)
        return f"{section.data}{f' ({options})' if options else ''}, {section.likelihood}"


def title(run: Run) -> str:
    """``name/id``, also of a run given as ``.``."""
    return printable("/".join(run.folder.resolve().parts[-2:]))


def read(folders: Sequence[Path], reference: str = "") -> Comparison:
    """Read the runs in or below the folders.

    Args:
        folders: Folders of runs, or folders that hold such folders.
        reference: Label of the group that others are held against.

    Raises:
        ValueError: There is no run, none that can be compared, or no such reference.
    """
    runs = find_runs(folders)
    where = ", ".join(str(folder) for folder in folders)
    empty = [str(folder) for folder in folders if not find_runs([folder])]
    if empty:
        raise ValueError(f"no runs in {', '.join(empty)}: a run's folder holds a config.yaml")
    members, unfinished, broken = [], [], []
    for run in runs:
        try:
            member = _member(run)
        except (OSError, ValueError) as error:
            broken.append(LeftOut(run, printable(" ".join(str(error).split()))[:200]))
            continue
        if run.finished:
            members.append(member)
        else:
            unfinished.append(LeftOut(run, _progress(run)))
    if not members:
        raise ValueError(
            f"no finished run in {where}: " + "; ".join(str(one) for one in unfinished + broken)
        )
    groups, repeats = group(members)
    sections = divide(groups)
    return Comparison(
        folders=tuple(folders),
        sections=tuple(sections),
        answers=tuple(answers(sections, reference)),
        unfinished=tuple(unfinished),
        broken=tuple(broken),
        repeated=tuple(_repeat(again, first) for again, first in repeats.items()),
    )


def _member(run: Run) -> Member:
    """Take a run whose files are whole.

    Raises:
        ValueError: They are damaged, or hold a number that is none.
    """
    check_form(run.config)
    member = Member(run, Configuration(run.config))
    for name, value in member.summary.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
    if run.finished and "test/reconstruction" not in member.summary:
        raise ValueError("no test/reconstruction in metrics.csv")
    return member


def _progress(run: Run) -> str:
    epochs = [row["epoch"] for row in run.rows if "epoch" in row]
    return f"in epoch {max(epochs):.0f}" if epochs else "no metrics yet"


def _repeat(again: Member, first: Member) -> LeftOut:
    reason = f"repeats seed {again.configuration.seed} of {title(first.run)}"
    return LeftOut(again.run, reason)
