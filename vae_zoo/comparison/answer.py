"""The answer: which group is better by which yardstick, by how much, and what is noise."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.paired import LEAST, BySeed, Difference, against
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import minus
from vae_zoo.comparison.yardsticks import RATE, Yardstick, headlines
from vae_zoo.suggestion import did_you_mean

FEW = f"fewer than {LEAST} seeds in common: no difference can be judged"
COLLAPSED = 0.5  # nats of rate, below which a code says next to nothing
USUAL = ("KL", (1.0,), "StandardNormal")  # the reference, where there is such a group


class Verdict(NamedTuple):
    """What one yardstick says of the groups of a section.

    Args:
        yardstick: Which.
        means: Of the groups that can be compared, by label, the best first.
        differences: From the reference, by label; absent where they cannot be judged.
        reasons: Why a group has no difference, by label.
        leading: Differences of each other group from the best one.
        examples: Number of those that the score cards' number is of, if it is one.
        rate: Of the best group, nats.
    """

    yardstick: Yardstick
    means: Mapping[str, float]
    differences: Mapping[str, Difference]
    reasons: Mapping[str, str]
    leading: Mapping[str, Difference]
    examples: int | None = None
    rate: float | None = None

    @property
    def leader(self) -> str:
        """The group with the best mean."""
        return next(iter(self.means), "")

    @property
    def left(self) -> int:
        """How many groups have no such number, too few seeds, or one that is of another kind."""
        return len(self.reasons.keys() - self.means.keys())

    @property
    def tied(self) -> list[str]:
        """Groups that may be as good as the leader, for all that the seeds say."""
        others = [label for label in self.means if label != self.leader]
        return [
            label
            for label in others
            if label not in self.leading or not self.leading[label].beyond_noise
        ]

    @property
    def best(self) -> str:
        """The leader, if it is better than every other group beyond noise; else nothing."""
        return self.leader if len(self.means) > 1 and not self.tied else ""


class Answer(NamedTuple):
    """The verdicts of a section.

    Args:
        reference: Label of the group that others are held against.
        verdicts: One for each yardstick.
    """

    reference: str
    verdicts: Sequence[Verdict]

    @property
    def judged(self) -> bool:
        """Whether seeds are enough to judge any difference."""
        return any(verdict.leading for verdict in self.verdicts)

    @property
    def too_few(self) -> bool:
        """Whether nothing is judged, since groups have too few seeds in common."""
        few = any(FEW in verdict.reasons.values() for verdict in self.verdicts)
        return few and not self.judged

    @property
    def best(self) -> str:
        """The group that is better than all others by the ELBO, beyond noise."""
        return next((each.best for each in self.verdicts if each.yardstick.name == "elbo"), "")

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What each yardstick says, in words."""
        told = [(_heading(each), sentence(each, self.reference)) for each in self.verdicts]
        return [(title, words) for title, words in told if words]


def answers(sections: Sequence[Section], reference: str = "") -> list[Answer]:
    """Judge the groups of each section by the yardsticks that they have.

    Args:
        sections: The sections.
        reference: Label of the group that others are held against; where a section has none of
            that name, and by default, KL at weight 1, or else the one with the best ELBO.

    Raises:
        ValueError: No section has such a group.
    """
    labels = [section.label(group) for section in sections for group in section.groups]
    if reference and reference not in labels:
        meant = did_you_mean(reference, labels) or f"Known: {', '.join(labels)}"
        raise ValueError(f"--reference: there is no group {reference!r}. {meant}")
    return [_answer(section, reference) for section in sections]


def _answer(section: Section, reference: str) -> Answer:
    groups = {section.label(group): group for group in section.groups}
    if reference not in groups:
        reference = next((k for k, group in groups.items() if _is_usual(group)), next(iter(groups)))
    return Answer(reference, [judge(each, groups, reference) for each in headlines(section.groups)])


def _is_usual(group: Group) -> bool:
    made = group.configuration
    return (made.regularizer, made.weights, made.prior) == USUAL


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
    found = _against(judged, reference)
    for label in judged.keys() - found.keys() - {reference}:
        reasons[label] = FEW if reference in judged else f"{reference} has none to be held against"
    leader = next(iter(ordered), "")
    told = {label: reason for label, reason in reasons.items() if reason}
    leading = _against(judged, leader)
    rates = RATE.values(groups[leader]) if leader else {}
    rate = fmean(rates.values()) if rates else None
    return Verdict(yardstick, ordered, found, told, leading, yardstick.examples(base), rate)


def _base(yardstick: Yardstick, groups: Mapping[str, Group], reference: str) -> str:
    """The group with which others must be comparable: the reference, if it can be judged."""
    order = [reference, *groups]
    for least in (LEAST, 1):
        for label in order:
            if len(yardstick.values(groups[label])) >= least:
                return label
    return reference


def _against(judged: Mapping[str, BySeed], label: str) -> dict[str, Difference]:
    if label not in judged:
        return {}
    others = {name: values for name, values in judged.items() if name != label}
    return against(others, judged[label])


def sentence(verdict: Verdict, reference: str) -> str:
    """A verdict in words, with its numbers."""
    unit = f" {verdict.yardstick.number.unit}".rstrip()
    leader = verdict.leader
    if not leader:
        return ""
    value = f"{_number(verdict.means[leader])}{unit}"
    if len(verdict.means) == 1:
        return f"{leader}: {value}."
    if not verdict.leading:
        return f"{leader} has the best mean, {value}, of too few seeds to judge it."
    if verdict.tied:
        many = len(verdict.tied) > 3
        named = f"{len(verdict.tied)} others" if many else ", ".join(verdict.tied)
        said = f"{leader} leads with {value}, not told apart from {named}"
        worse = [label for label in verdict.means if label not in {leader, *verdict.tied}]
    else:
        said, worse = f"{leader} is best, {value}", [*verdict.means][1:]
    told = dict.fromkeys([*worse[:1], *({reference} & {*worse})])
    for label in told:
        said += f"; {_margin(verdict.leading[label])} ahead of {label}"
    if verdict.rate is not None and verdict.rate < COLLAPSED:
        said += f". Its codes are hardly used: rate {_number(verdict.rate)} nats"
    if verdict.left:
        said += (
            f". Of {len(verdict.means)} groups: {verdict.left} more cannot be judged beside them"
        )
    return f"{said}."


def _heading(verdict: Verdict) -> str:
    """The yardstick, and of how many examples it is, where that is said."""
    count = f" (n = {verdict.examples:,})" if verdict.examples else ""
    return f"{verdict.yardstick.title}{count}"


def _margin(difference: Difference) -> str:
    """How far ahead, whichever way is better, with its interval."""
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{_number(abs(difference.mean))} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    """Three digits, and two decimals at least."""
    digits = 2 if abs(value) >= 1 or value == 0 else 4
    return minus(f"{value:.{digits}f}" if digits == 2 else f"{value:.3g}")
