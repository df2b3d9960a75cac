"""Families: groups that differ in the weight of their regularizer alone."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.paired import BySeed
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.yardsticks import RATE, Yardstick

WEIGHT = "model.regularizer.weight"


class Family:
    """Groups of one regularizer at several weights, the least first.

    Args:
        label: What tells it from other families.
        groups: By weight.
    """

    def __init__(self, label: str, groups: Mapping[float, Group]) -> None:
        self.label = label
        self.groups = dict(sorted(groups.items()))

    @property
    def weights(self) -> list[float]:
        return [*self.groups]

    @cached_property
    def _rates(self) -> dict[float, BySeed]:
        return {weight: RATE.values(group) for weight, group in self.groups.items()}

    def brackets(self, seed: int, rate: float) -> "list[Bracket]":
        """Where between two neighbouring weights a seed's runs have a rate, the least first."""
        known = [(weight, rates[seed]) for weight, rates in self._rates.items() if seed in rates]
        found = []
        for (low, one), (high, other) in pairwise(known):
            if (one - rate) * (other - rate) < 0 or one == rate:
                share = (rate - one) / (other - one) if other != one else 0.0
                found.append(Bracket(low, high, share))
            elif other == rate and high == known[-1][0]:
                found.append(Bracket(low, high, 1.0))
        return found

    def bracket(self, seed: int, rate: float) -> "Bracket | None":
        """The first of them."""
        return next(iter(self.brackets(seed, rate)), None)

    def ambiguous(self, rates: BySeed) -> bool:
        """Whether some seed's runs have the rate at several weights, so that the least is taken."""
        return any(len(self.brackets(seed, rate)) > 1 for seed, rate in rates.items())

    def at_rate(self, yardstick: Yardstick, rates: BySeed) -> BySeed:
        """The yardstick of each seed where the family spends the seed's rate, interpolated."""
        values = {weight: yardstick.values(group) for weight, group in self.groups.items()}
        found = {}
        for seed, rate in rates.items():
            if (between := self.bracket(seed, rate)) is None:
                continue
            one, other = (values[w].get(seed) for w in (between.low, between.high))
            if one is not None and other is not None:
                found[seed] = one + between.share * (other - one)
        return found

    def why_not(self, yardstick: Yardstick, reference: Group) -> str:
        """Why its numbers cannot be held against the reference's; empty if one of them can."""
        reasons = [yardstick.why_not(group, reference) for group in self.groups.values()]
        return "" if "" in reasons else reasons[0]

    def weight_at(self, rates: BySeed) -> float | None:
        """The geometric mean over seeds of the weight at which the family spends the rates."""
        found = [self.bracket(seed, rate) for seed, rate in rates.items()]
        logs = [each.log_weight for each in found if each]
        return math.exp(fmean(logs)) if logs else None

    @property
    def reach(self) -> str:
        """The rates that it has, in words."""
        found = [rate for rates in self._rates.values() for rate in rates.values()]
        if not found:
            return "no rate"
        reach = f"its rates reach from {min(found):.1f} to {max(found):.1f}"
        return f"{reach}, or the runs next to the reference's lack the number"


class Bracket(NamedTuple):
    """Two weights, and where between them a rate lies: 0 at the one, 1 at the other."""

    low: float
    high: float
    share: float

    @property
    def log_weight(self) -> float:
        return math.log(self.low) + self.share * (math.log(self.high) - math.log(self.low))


def families(section: Section) -> list[Family]:
    """The families of at least two weights, in the order of the section."""
    found: dict[frozenset[object], dict[float, Group]] = {}
    for group in section.groups:
        flat = group.configuration.flat
        weight = flat.get(WEIGHT)
        if isinstance(weight, int | float) and weight > 0:
            others = frozenset(item for item in flat.items() if item[0] != WEIGHT)
            found.setdefault(others, {})[float(weight)] = group
    several = [groups for groups in found.values() if len(groups) > 1]
    labels = _labels(section, several)
    return [Family(label, groups) for label, groups in zip(labels, several, strict=True)]


def at_one_weight(section: Section) -> list[str]:
    """Labels of the groups that have a weight, and are of no family, with their rates."""
    within = [group for family in families(section) for group in family.groups.values()]
    told = []
    for group in section.groups:
        if group.configuration.weights and group not in within:
            rate = group.estimate("kl")
            told.append(section.label(group) + (f" (rate {rate.mean:.1f})" if rate else ""))
    return told


def _labels(section: Section, found: Sequence[Mapping[float, Group]]) -> list[str]:
    """Labels of groups without their weights."""
    labels = []
    for groups in found:
        group = next(iter(groups.values()))
        label, name = section.label(group), group.name
        labels.append(label.replace(name, group.configuration.regularizer, 1))
    return labels
