"""Groups: runs that differ in nothing but their seed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from vae_zoo.comparison.cards import read_card
from vae_zoo.comparison.configuration import Configuration
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.runs import Run
from vae_zoo.scorecard import ScoreCard

SYMBOLS = {"KL": "β"}  # of a regularizer's weight; λ for all others


@dataclass(frozen=True)
class Member:
    """A finished run and what it was made of."""

    run: Run
    configuration: Configuration

    @cached_property
    def summary(self) -> dict[str, float]:
        return self.run.summary

    @property
    def card(self) -> ScoreCard | None:
        """Its score card, None where there is none that can be read."""
        return self._card_or_reason[0]

    @property
    def why_no_card(self) -> str:
        return self._card_or_reason[1]

    @cached_property
    def _card_or_reason(self) -> tuple[ScoreCard | None, str]:
        return read_card(self.run)


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed, the lowest seed first."""

    members: tuple[Member, ...]

    @property
    def configuration(self) -> Configuration:
        return self.members[0].configuration

    @property
    def seeds(self) -> list[str]:
        seeds = [member.configuration.seed for member in self.members]
        return ["unknown" if seed is None else str(seed) for seed in seeds]

    @property
    def weight(self) -> str:
        """The weight of the regularizer, the outer one first where one wraps another."""
        return ", ".join(f"{weight:g}" for weight in self.configuration.weights)

    @property
    def name(self) -> str:
        """Regularizer and weight: ``KL β=4``, ``Annealed(MMD) λ=10``."""
        regularizer = self.configuration.regularizer
        symbol = SYMBOLS.get(regularizer.rpartition("(")[2].rstrip(")"), "λ")
        return f"{regularizer} {symbol}={self.weight}" if self.weight else regularizer

    def estimate(self, term: str) -> Estimate | None:
        """Mean of a term on the test split at best.ckpt, None where it is not defined."""
        values = [member.summary.get(f"test/{term}") for member in self.members]
        known = [value for value in values if value is not None]
        return Estimate.of(known) if len(known) == len(values) else None

    def why_absent(self, term: str) -> str:
        if self.configuration.posterior == "Deterministic":
            return "no density: the posterior is deterministic"
        return f"not every run of this group logged {term}"

    def curve(self, term: str) -> dict[float, Estimate]:
        """Means of a validation term by epoch, where every seed has one."""
        if term not in self._curves:
            self._curves[term] = self._curve(term)
        return self._curves[term]

    @cached_property
    def _curves(self) -> dict[str, dict[float, Estimate]]:
        return {}

    def _curve(self, term: str) -> dict[float, Estimate]:
        curves = [
            {
                row["epoch"]: row[f"val/{term}"]
                for row in member.run.rows
                if "epoch" in row and math.isfinite(row.get(f"val/{term}", math.nan))
            }
            for member in self.members
        ]
        # An epoch that only some seeds reached would move the mean for no reason but their absence.
        shared = set.intersection(*(set(curve) for curve in curves))
        return {epoch: Estimate.of([curve[epoch] for curve in curves]) for epoch in sorted(shared)}


def group(members: Iterable[Member]) -> tuple[list[Group], dict[Member, Member]]:
    """Put runs into groups.

    Returns:
        The groups, and each run that repeats a seed of its group with the run that it repeats: it
        is no independent sample, and would make the standard error too small. The one with a score
        card stays.
    """
    found: dict[frozenset[object], list[Member]] = {}
    repeats: dict[Member, Member] = {}
    for member in members:
        same = found.setdefault(frozenset(member.configuration.flat.items()), [])
        seed = member.configuration.seed
        twin = next((other for other in same if other.configuration.seed == seed), None)
        if twin is None or seed is None:
            same.append(member)
        elif member.card and not twin.card:
            same[same.index(twin)], repeats[twin] = member, member
        else:
            repeats[member] = twin
    ordered = [sorted(same, key=lambda one: one.configuration.seed or 0) for same in found.values()]
    return [Group(tuple(same)) for same in ordered], repeats
