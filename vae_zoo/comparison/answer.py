"""The answer: which group is better by which yardstick, by how much, and what is noise."""

from collections.abc import Sequence
from typing import NamedTuple

from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.summary import summary
from vae_zoo.comparison.verdict import FEW, Verdict, heading, judge, sentence
from vae_zoo.comparison.yardsticks import headlines
from vae_zoo.suggestion import did_you_mean

USUAL = ("KL", (1.0,), "StandardNormal")  # the reference, where there is such a group


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
    def balance(self) -> str:
        """What the yardsticks say together, in a sentence."""
        return summary(self.verdicts)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What each yardstick says, in words."""
        told = [(heading(each), sentence(each)) for each in self.verdicts]
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
        longer = [label for label in labels if label.startswith(f"{reference} · ")]
        meant = f"Did you mean {' or '.join(longer[:3])}?" if longer else ""
        meant = meant or did_you_mean(reference, labels) or f"Known: {', '.join(labels)}"
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
