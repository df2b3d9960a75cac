"""The answer: which group is better by which yardstick, by how much, and what is noise."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.paired import LEAST, Difference, against
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import minus
from vae_zoo.comparison.yardsticks import Yardstick, headlines
from vae_zoo.suggestion import did_you_mean

USUAL = ("KL", (1.0,), "StandardNormal")  # the reference, where there is such a group


class Verdict(NamedTuple):
    """What one yardstick says of the groups of a section.

    Args:
        yardstick: Which.
        means: Of the groups that can be compared, by label, the best first.
        differences: From the reference, by label; absent where they cannot be judged.
        reasons: Why a group has no difference, by label.
        leading: Differences of each other group from the best one.
    """

    yardstick: Yardstick
    means: Mapping[str, float]
    differences: Mapping[str, Difference]
    reasons: Mapping[str, str]
    leading: Mapping[str, Difference]

    @property
    def leader(self) -> str:
        """The group with the best mean."""
        return next(iter(self.means), "")

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
        return any(verdict.differences for verdict in self.verdicts)

    @property
    def best(self) -> str:
        """The group that is better than all others by the ELBO, beyond noise."""
        return next((each.best for each in self.verdicts if each.yardstick.name == "elbo"), "")

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What each yardstick says, in words."""
        told = [(each.yardstick.title, sentence(each, self.reference)) for each in self.verdicts]
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
    """Judge groups, by their labels, by a yardstick."""
    held = groups[reference]
    reasons = {label: yardstick.why_not(group, held) for label, group in groups.items()}
    comparable = {
        label: yardstick.values(group) for label, group in groups.items() if not reasons[label]
    }
    means = {label: fmean(values.values()) for label, values in comparable.items()}
    ordered = dict(sorted(means.items(), key=lambda pair: pair[1], reverse=yardstick.higher))
    others = {label: values for label, values in comparable.items() if label != reference}
    found = against(others, comparable[reference]) if others else {}
    for label in others.keys() - found.keys():
        reasons[label] = f"fewer than {LEAST} seeds in common: no difference can be judged"
    leading = {}
    if leader := next(iter(ordered), None):
        rest = {label: values for label, values in comparable.items() if label != leader}
        leading = against(rest, comparable[leader])
    return Verdict(
        yardstick, ordered, found, {k: reason for k, reason in reasons.items() if reason}, leading
    )


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
        said = f"{leader} leads with {value}, equal within noise to {named}"
        worse = [label for label in verdict.means if label not in {leader, *verdict.tied}]
    else:
        said, worse = f"{leader} is best, {value}", [*verdict.means][1:]
    told = dict.fromkeys([*worse[:1], *({reference} & {*worse})])
    for label in told:
        said += f"; {_margin(verdict.leading[label])} ahead of {label}"
    return f"{said}."


def _margin(difference: Difference) -> str:
    """How far ahead, whichever way is better, with its interval."""
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{_number(abs(difference.mean))} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    """Three digits, and two decimals at least."""
    digits = 2 if abs(value) >= 1 or value == 0 else 4
    return minus(f"{value:.{digits}f}" if digits == 2 else f"{value:.3g}")
