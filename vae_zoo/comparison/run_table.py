"""Every run of a section: what it has that the reference has not, and how to repeat it."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vae_zoo.comparison.configuration import Configuration, short_names, text
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.reading import title
from vae_zoo.comparison.sections import Section


class RunRow(NamedTuple):
    """A run.

    Args:
        name: ``name/id``.
        label: Of its group.
        seed: In words.
        config: Where its config.yaml lies, from the page.
        differences: Settings that the reference has otherwise, by short names.
        command: What repeats it.
    """

    name: str
    label: str
    seed: str
    config: str
    differences: list[tuple[str, str]]
    command: str


def run_rows(section: Section, reference: str, page: Path) -> Iterator[RunRow]:
    """The runs of a section in the order of its groups.

    Args:
        section: The section.
        reference: Label of the group that configurations are held against.
        page: The folder of the page, from which configs are linked.
    """
    held = next(group for group in section.groups if section.label(group) == reference)
    for group in section.groups:
        differences = _differences(group, held.configuration)
        for member, seed in zip(group.members, group.seeds, strict=True):
            file = member.run.config_file
            yield RunRow(
                title(member.run),
                section.label(group),
                seed,
                Path(os.path.relpath(file.resolve(), page.resolve())).as_posix(),
                differences,
                f"vae-zoo fit -c {shlex.quote(str(file))}",
            )


def _differences(group: Group, reference: Configuration) -> list[tuple[str, str]]:
    own, other = group.configuration.flat, reference.flat
    changed = [key for key in own if own[key] != other.get(key, own)]
    names = short_names(changed)
    return [(names[key], text(own[key])) for key in changed]
