"""What runs are judged by: the ELBO, and the numbers of the score card that have a better end."""

from collections.abc import Iterable
from statistics import fmean
from typing import NamedTuple

from vae_zoo.comparison.groups import Group, Member
from vae_zoo.comparison.measured import Measured
from vae_zoo.comparison.paired import BySeed
from vae_zoo.comparison.setting import different
from vae_zoo.evaluation.numbers import OWN_PRIOR, PARTS, Number

# By which the answer is told in words, where runs have them.
HEADLINES = (
    ("likelihood", "elbo"),
    ("annealing", "ais"),
    ("aggregate", "aggregate_kl"),
    ("yardsticks", "sliced_wasserstein"),
    ("samples", "fid/samples"),
    ("probes", "linear_probe"),
)

NEAR = 0.5  # nats below its ceiling, where the mutual information says no more than that
CEILING = "the mutual information is at its ceiling, and the number no more than the rate less that"
MEASURED = (("likelihood", "elbo"), ("likelihood", "kl"))  # by every run, card or not


class Yardstick(NamedTuple):
    """A number by which one run is better than another.

    Args:
        part: Of the score card; ELBO and rate are those of the test, which every run has.
        name: In that part.
    """

    part: str
    name: str

    @property
    def number(self) -> Number:
        return PARTS[self.part][self.name.partition("/")[0]]

    @property
    def title(self) -> str:
        of = self.name.partition("/")[2]
        return f"{self.number.title} of {of}" if of else self.number.title

    @property
    def higher(self) -> bool:
        return self.number.better == "higher"

    def is_worse(self, difference: float) -> bool:
        """Whether a number is worse than another, by their difference."""
        return difference < 0 if self.higher else difference > 0

    def values(self, group: Group) -> BySeed:
        """The number of each run of a group, by its seed."""
        found = {member.configuration.seed: self.value(member) for member in group.members}
        return {
            seed: value for seed, value in found.items() if seed is not None and value is not None
        }

    def value(self, member: Member) -> float | None:
        """The number of one run, None where it has none."""
        if (self.part, self.name) in MEASURED:
            return member.summary.get(f"test/{self.name}")
        part = member.card.parts.get(self.part) if member.card else None
        score = part.scores.get(self.name) if part else None
        return score.value if score else None

    def examples(self, group: Group) -> int | None:
        """How many examples the number of a group's score cards is of; None where unknown."""
        if (self.part, self.name) in MEASURED:
            return None
        count = Measured(group, self.part).setting.get("n")
        return count if isinstance(count, int) else None

    def slack(self, group: Group) -> float:
        """How far the number of a group may be off besides: AIS by the gap of its two bounds."""
        if (self.part, self.name) != ("annealing", "ais"):
            return 0.0
        gaps = Yardstick(self.part, "bdmc_gap").values(group)
        return fmean(gaps.values()) if gaps else 0.0

    def why_not(self, group: Group, other: Group) -> str:
        """Why the numbers of two groups cannot be compared; empty if they can."""
        for each in (group, other):
            if not self.values(each):
                return self._why_absent(each)
        if self.name == "aggregate_kl" and _at_ceiling(group):
            return CEILING
        if self.number.comparable == OWN_PRIOR:
            here, there = (g.configuration.flat.get("model.latent_dim") for g in (group, other))
            if here != there:
                return f"of {here} latent dimensions, not {there}"
        if (self.part, self.name) in MEASURED:
            return ""
        one, two = Measured(group, self.part), Measured(other, self.part)
        return different(one.setting, two.setting)

    def _why_absent(self, group: Group) -> str:
        if (self.part, self.name) in MEASURED:
            return group.why_absent(self.name)
        return Measured(group, self.part).why_absent(self.name)


RATE = Yardstick("likelihood", "kl")
INFORMATION = Yardstick("aggregate", "mutual_information")


def _at_ceiling(group: Group) -> bool:
    """Whether codes tell examples apart so well that KL(q(z)‖p) is the rate less a constant."""
    ceiling = Measured(group, "aggregate").setting.get("ceiling")
    found = INFORMATION.values(group)
    return bool(found) and isinstance(ceiling, float) and fmean(found.values()) > ceiling - NEAR


def headlines(groups: Iterable[Group]) -> list[Yardstick]:
    """The yardsticks of the answer that some group has."""
    groups = list(groups)
    found = [Yardstick(*pair) for pair in HEADLINES]
    return [each for each in found if any(each.values(group) for group in groups)]
