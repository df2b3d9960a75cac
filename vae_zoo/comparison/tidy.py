"""The finished runs of a comparison as tidy rows: one a run, for programs and spreadsheets."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from vae_zoo.columns import columns
from vae_zoo.comparison.configuration import differing, text
from vae_zoo.comparison.groups import Member
from vae_zoo.comparison.reading import Comparison

Value: TypeAlias = str | int | float | None
WHO = ("folder", "name", "id", "group")
SHORT = ("data", "likelihood", "regularizer", "weight", "prior", "posterior", "latent_dim", "seed")
TERMS = ("elbo", "reconstruction", "kl", "penalty", "loss")  # the first ones, in this order


def rows(comparison: Comparison) -> list[dict[str, Value]]:
    """List the runs that means count, each with all columns; None is what is absent.

    The columns are the folder, name, id and group of a run, what it was made of (in short, and by
    dotted keys what else differs), the terms of the test split at best.ckpt, and the numbers of the
    score card as ``score/…`` with their standard errors as ``score_error/…``.
    """
    labels = {
        member: section.label(group)
        for section in comparison.sections
        for group in section.groups
        for member in group.members
    }
    settings = _settings([*labels])
    numbers = [_numbers(member) for member in labels]
    names = dict.fromkeys(name for one in settings for name in one)
    ordered = _order(numbers)
    empty = dict.fromkeys([*WHO, *SHORT, *names, *ordered])
    return [
        {**empty, **_who(member, label), **_short(member), **setting, **number}
        for (member, label), setting, number in zip(labels.items(), settings, numbers, strict=True)
    ]


def _who(member: Member, label: str) -> dict[str, Value]:
    folder = member.run.folder
    name, identity = folder.resolve().parts[-2:]
    return {"folder": str(folder), "name": name, "id": identity, "group": label}


def _short(member: Member) -> dict[str, Value]:
    return {name: _plain(value) for name, value in columns(member.configuration.tree).items()}


def _settings(members: Sequence[Member]) -> list[dict[str, Value]]:
    """What differs, and no short column tells."""
    flats = [member.configuration.flat for member in members]
    shorts = [_short(member) for member in members]
    found: list[dict[str, Value]] = [{} for _ in members]
    for key in differing(flats):
        values = {flat[key] for flat in flats if key in flat}
        blurred = len({text(value) for value in values}) < len(values)
        pairs = [pair for pair in zip(flats, shorts, strict=True) if key in pair[0]]
        if blurred or not all(_told(key, flat[key], short) for flat, short in pairs):
            for row, flat in zip(found, flats, strict=True):
                if key in flat:
                    row[key] = str(flat[key]) if blurred else _plain(flat[key])
    return found


def _told(key: str, value: Any, short: Mapping[str, Value]) -> bool:
    """Whether the short column of a key's last word has its value."""
    parts = key.split(".")
    name = next((part for part in reversed(parts) if part != "inner"), "")
    shown = text(short.get(name))
    return text(value) in shown if parts[-1] == "inner" else text(value) == shown


def _plain(value: Any) -> Value:
    """A number as it is, anything else in words: a class without its module, ``256, 256``."""
    if value is None or isinstance(value, bool | int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else text(value)


def _numbers(member: Member) -> dict[str, Value]:
    scores = member.card.scores if member.card else {}
    terms = {
        name.removeprefix("test/"): value
        for name, value in member.summary.items()
        if name.startswith("test/")
    }
    found: dict[str, Value] = {**terms}
    for name, score in scores.items():
        found[f"score/{name}"] = score.value
        found[f"score_error/{name}"] = score.standard_error
    return found


def _order(numbers: Sequence[Mapping[str, Value]]) -> Iterator[str]:
    """Yield the terms, as training logs them, and then the score cards, as they lie in files."""
    names = dict.fromkeys(name for one in numbers for name in one)
    yield from (name for name in TERMS if name in names)
    yield from (name for name in names if "/" not in name and name not in TERMS)
    yield from (name for name in names if "/" in name)
