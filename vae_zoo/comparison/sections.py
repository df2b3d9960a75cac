"""Sections: groups whose numbers may be compared, each with what tells it from the others."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vae_zoo.comparison.configuration import class_of, differing, short_names, text
from vae_zoo.comparison.groups import Group, Member

# How the data are loaded changes no test example, so it does not forbid a comparison.
LOADING = ("data.batch_size",)
# Shown in columns of their own.
SHOWN = re.compile(r"model\.(prior|regularizer(\.inner)*(\.weight)?)")


@dataclass(frozen=True)
class Section:
    """Groups with the same data and the same likelihood, the highest ELBO first."""

    groups: tuple[Group, ...]

    @property
    def data(self) -> str:
        return class_of(self.groups[0].configuration.flat["data"])

    @property
    def likelihood(self) -> str:
        return class_of(self.groups[0].configuration.flat["model.likelihood"])

    @property
    def members(self) -> list[Member]:
        return [member for group in self.groups for member in group.members]

    @property
    def runs(self) -> int:
        return len(self.members)

    @property
    def seeds(self) -> str:
        """The seeds, where all groups have the same, else how many they have."""
        found = {tuple(group.seeds) for group in self.groups}
        if len(found) == 1:
            return ", ".join(found.pop())
        counts = {len(seeds) for seeds in found}
        least, most = min(counts), max(counts)
        return f"{least} in each group" if least == most else f"{least} to {most} in a group"

    @property
    def model(self) -> str:
        """The networks and the number of latent dimensions, where all groups share them."""
        names = (self.common.get(f"model.{part}", "") for part in ("encoder", "decoder"))
        found = list(dict.fromkeys(name for name in names if name))
        dim = self.common.get("model.latent_dim")
        return ", ".join([*found, *([f"{dim} latent dimensions"] if dim else [])])

    @property
    def differs_in(self) -> list[str]:
        """Names of what differs, as the columns call it."""
        names: dict[str, set[Any]] = {
            "regularizer": {group.configuration.regularizer for group in self.groups},
            "weight": {group.configuration.weights for group in self.groups},
            "prior": {group.configuration.prior for group in self.groups},
        }
        return [*(name for name in names if len(names[name]) > 1), *self.columns.values()]

    @cached_property
    def differences(self) -> list[str]:
        """All keys on which the groups differ."""
        return differing([group.configuration.flat for group in self.groups])

    @cached_property
    def keys(self) -> list[str]:
        """Keys with a column of their own, beside regularizer, weight and prior."""
        shown = [key for key in self.differences if SHOWN.fullmatch(key)]
        return [key for key in self.differences if key not in shown or key in self._blurred]

    @cached_property
    def _blurred(self) -> set[str]:
        """Keys of which short names hide a difference, as of ``vae_zoo….MMD`` and ``mine.MMD``."""
        values = {
            key: {group.configuration.flat[key] for group in self.groups if self._has(group, key)}
            for key in self.differences
        }
        return {key for key, found in values.items() if len({*map(text, found)}) < len(found)}

    @staticmethod
    def _has(group: Group, key: str) -> bool:
        return key in group.configuration.flat

    @cached_property
    def columns(self) -> dict[str, str]:
        """Short names of ``keys``."""
        return short_names(self.keys)

    def value(self, group: Group, key: str) -> str:
        """What a group has at a key; empty where its parts know no such option."""
        if not self._has(group, key):
            return ""
        value = group.configuration.flat[key]
        return str(value) if key in self._blurred else text(value)

    @cached_property
    def usual(self) -> dict[str, str]:
        """The value of more than half of the groups, by key: legends leave it unsaid."""
        values: dict[str, str] = {}
        for key in self._told:
            value, count = Counter(self.value(each, key) for each in self.groups).most_common(1)[0]
            if 2 * count > len(self.groups):
                values[key] = value
        return values

    @property
    def _told(self) -> list[str]:
        prior = [key for key in self.differences if key == "model.prior"]
        return [*prior, *(key for key in self.keys if key not in prior)]

    def unusual(self, group: Group) -> dict[str, str]:
        """What a group has that most do not, beside its regularizer and weight, by key."""
        values = {key: self.value(group, key) for key in self._told}
        return {key: value for key, value in values.items() if value != self.usual.get(key, "")}

    def label(self, group: Group) -> str:
        """All that tells the group from the others of the section, for legends."""
        parts = [group.name]
        for key, value in self.unusual(group).items():
            # A class speaks for itself, a number needs its name.
            speaks = value[:1].isupper() and "." not in value
            parts.append(value if speaks else f"{short_names([key])[key]} {value or 'none'}")
        return " · ".join(parts)

    @property
    def common(self) -> dict[str, str]:
        """What all groups share, by key: ``model.latent_dim`` is ``8``."""
        flats = [group.configuration.flat for group in self.groups]
        return {
            key: text(value)
            for key, value in flats[0].items()
            if all(key in flat and flat[key] == value for flat in flats)
        }


def identity(group: Group) -> tuple[Any, ...]:
    """What two groups must share for their ELBOs to be comparable."""
    flat = group.configuration.flat
    data = [
        item
        for item in flat.items()
        if item[0].partition(".")[0] == "data" and item[0] not in LOADING
    ]
    return (flat["model.likelihood"], *sorted(data))


def divide(groups: Sequence[Group]) -> list[Section]:
    """Set apart what may not be compared, the best ELBO first in each section."""
    found: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        found.setdefault(identity(group), []).append(group)
    return [Section(tuple(sorted(same, key=_rank))) for same in found.values()]


def _rank(group: Group) -> tuple[float, str, str]:
    elbo = group.estimate("elbo")
    return (math.inf if elbo is None else -elbo.mean, group.name, group.configuration.prior)
