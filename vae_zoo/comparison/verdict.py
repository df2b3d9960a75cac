"""What one yardstick says of several groups: which is better, by how much, and what is noise."""

from collections.abc import Mapping
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.paired import LEAST, BySeed, Difference, against
from vae_zoo.comparison.style import minus
from vae_zoo.comparison.yardsticks import RATE, Yardstick

FEW = f"fewer than {LEAST} seeds in common: no difference can be judged"
NAMED = 4  # groups, of which more are counted
COLLAPSED = 0.5  # nats of rate, below which a code says next to nothing


class Verdict(NamedTuple):
    """What one yardstick says of the groups of a section.

    Args:
        yardstick: Which.
        reference: The group that others are held against.
        means: Of the groups that can be compared, by label, the best first.
        differences: From the reference, by label; absent where they cannot be judged.
        reasons: Why a group has no difference, by label.
        leading: Differences of each other group from the best one.
        examples: Number of those that the score cards' number is of, if it is one.
        rates: Mean rates of the groups that can be compared and have one, nats.
    """

    yardstick: Yardstick
    reference: str
    means: Mapping[str, float]
    differences: Mapping[str, Difference]
    reasons: Mapping[str, str]
    leading: Mapping[str, Difference]
    examples: int | None = None
    rates: Mapping[str, float] = MappingProxyType({})

    @property
    def leader(self) -> str:
        """The group with the best mean."""
        return next(iter(self.means), "")

    @property
    def left(self) -> int:
        """How many groups have no such number, too few seeds, or one that is of another kind."""
        return len(self.reasons.keys() - self.means.keys())

    @property
    def leaders(self) -> set[str]:
        """The leader, and all that may be as good."""
        return {self.leader, *self.tied}

    @property
    def tied(self) -> list[str]:
        """Groups that may be as good as the leader, for all that the seeds say."""
        others = [label for label in self.means if label != self.leader]
        return [
            label
            for label in others
            if label not in self.leading or not self.leading[label].beyond_noise
        ]

    def behind(self, label: str) -> tuple[str, Difference] | None:
        """A group that one is told apart from as worse, and by how much.

        It is the leader or, where that is not told apart from it, the reference: of two groups as
        far behind, the one that varies more may be told apart from the reference alone. The
        reference is behind whichever is better than it.
        """
        if label in self.leading and self.leading[label].beyond_noise:
            return self.leader, self.leading[label]
        for other, each in self.differences.items():
            worse = self.yardstick.is_worse(each.mean)
            if each.beyond_noise and label == (other if worse else self.reference):
                return self.reference if worse else other, each
        return None

    def unused(self, label: str) -> str:
        """A sentence more, where a group's codes have collapsed to the prior."""
        rate = self.rates.get(label, COLLAPSED)
        if rate >= COLLAPSED:
            return ""
        return f". Its codes are hardly used: rate {number(rate)} nats"

    @property
    def best(self) -> str:
        """The leader, if it is better than every other group beyond noise; else nothing."""
        return self.leader if len(self.means) > 1 and not self.tied else ""


def judge(yardstick: Yardstick, groups: Mapping[str, Group], reference: str) -> Verdict:
    """Judge groups, by their labels, by a yardstick: of them those that have seeds enough."""
    base = groups[_base(yardstick, groups, reference)]
    reasons = {label: yardstick.why_not(group, base) for label, group in groups.items()}
    comparable = {
        label: yardstick.values(group) for label, group in groups.items() if not reasons[label]
    }
    several = {label: values for label, values in comparable.items() if len(values) >= LEAST}
    judged = several or comparable
    for label in comparable.keys() - judged.keys():
        reasons[label] = FEW
    means = {label: fmean(values.values()) for label, values in judged.items()}
    ordered = dict(sorted(means.items(), key=lambda pair: pair[1], reverse=yardstick.higher))
    slacks = {label: yardstick.slack(groups[label]) for label in judged}
    found = _against(judged, reference, yardstick, slacks)
    for label in judged.keys() - found.keys() - {reference}:
        reasons[label] = FEW if reference in judged else f"{reference} has none to be held against"
    leader = next(iter(ordered), "")
    told = {label: reason for label, reason in reasons.items() if reason}
    leading = _against(judged, leader, yardstick, slacks)
    spent = {label: RATE.values(groups[label]) for label in judged}
    rates = {label: fmean(rate.values()) for label, rate in spent.items() if rate}
    return Verdict(
        yardstick, reference, ordered, found, told, leading, yardstick.examples(base), rates
    )


def _base(yardstick: Yardstick, groups: Mapping[str, Group], reference: str) -> str:
    """The group with which others must be comparable: the reference, if it can be judged."""
    order = [reference, *groups]
    for least in (LEAST, 1):
        for label in order:
            if len(yardstick.values(groups[label])) >= least:
                return label
    return reference


def _against(
    judged: Mapping[str, BySeed], label: str, yardstick: Yardstick, slacks: Mapping[str, float]
) -> dict[str, Difference]:
    """Compare with a group; of lower bounds, the worse one may be better by its gap."""
    if label not in judged:
        return {}
    others = {name: values for name, values in judged.items() if name != label}
    return {
        name: each._replace(slack=slacks[name if yardstick.is_worse(each.mean) else label])
        for name, each in against(others, judged[label]).items()
    }


def sentence(verdict: Verdict) -> str:
    """A verdict in words, with its numbers."""
    unit = f" {verdict.yardstick.number.unit}".rstrip()
    leader = verdict.leader
    if not leader:
        return ""
    value = f"{number(verdict.means[leader])}{unit}"
    if len(verdict.means) == 1:
        return f"{leader}: {value}.{_others(verdict)}"
    if not verdict.leading:
        return f"{leader} has the best mean, {value}, of too few seeds to judge it."
    if verdict.tied:
        many = len(verdict.tied) > NAMED
        named = f"{len(verdict.tied)} others" if many else ", ".join(verdict.tied)
        said = f"{leader} leads with {value}, not told apart from {named}"
        worse = [label for label in verdict.means if label not in verdict.leaders]
    else:
        said, worse = f"{leader} is best, {value}", [*verdict.means][1:]
    told = dict.fromkeys([*worse[:1], *({verdict.reference} & {*worse})])
    for label in told:
        said += f"; {margin(verdict.leading[label])} ahead of {label}"
    said += verdict.unused(leader)
    return f"{said}.{_others(verdict)}"


def _others(verdict: Verdict) -> str:
    """How many groups cannot be judged, and why, where there is one reason."""
    reasons = {why for label, why in verdict.reasons.items() if label not in verdict.means}
    if not reasons:
        return ""
    why = f": {reasons.pop().partition(':')[0]}" if len(reasons) == 1 else ""
    return f" {verdict.left} more cannot be judged{why}."


def heading(verdict: Verdict) -> str:
    """The yardstick, and of how many examples it is, where that is said."""
    count = f" (n = {verdict.examples:,})" if verdict.examples else ""
    return f"{verdict.yardstick.title}{count}"


def margin(difference: Difference) -> str:
    """How far ahead, whichever way is better, with its interval."""
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{number(abs(difference.mean))} [{number(low)}, {number(high)}]"


def number(value: float) -> str:
    """Three digits, and two decimals at least."""
    digits = 2 if abs(value) >= 1 or value == 0 else 4
    return minus(f"{value:.{digits}f}" if digits == 2 else f"{value:.3g}")
