"""The answer in one sentence: which groups lead, or may lead, by the most yardsticks."""

from collections.abc import Sequence

from vae_zoo.comparison.verdict import Verdict, number

NAMED = 3  # groups, or yardsticks, of which more are counted


def summary(verdicts: Sequence[Verdict]) -> str:
    """Say which groups are best, or not told apart from the best, by the most yardsticks.

    Empty where fewer than two yardsticks can judge: the one that can says all there is.
    """
    judged = [verdict for verdict in verdicts if verdict.leading]
    if len(judged) < 2:
        return ""
    labels = dict.fromkeys(label for verdict in judged for label in verdict.means)
    counts = {label: sum(label in verdict.leaders for verdict in judged) for label in labels}
    most = max(counts.values())
    first = [label for label, count in counts.items() if count == most]
    of = f"{most} of {len(judged)}"
    if most == len(judged):
        of = "both" if most == 2 else f"all {most}"
    told = f"best, or not told apart from the best, by {of} yardsticks"
    if len(first) > 1:
        return f"{_named(first, 'groups')} are each {told}{_no_other(counts, first)}."
    [label] = first
    unused = next(each.unused(label) for each in judged if label in each.means)
    return f"{label} is {told}{_no_other(counts, first)}{_behind(label, judged)}{unused}."


def _no_other(counts: dict[str, int], first: Sequence[str]) -> str:
    return ", more than any other" if len(first) < len(counts) else ""


def _behind(label: str, judged: Sequence[Verdict]) -> str:
    """By which yardsticks the group is behind another, and how far."""
    told = [
        f"{number(abs(each.leading[label].mean))} behind {each.leader} by {each.yardstick.title}"
        for each in judged
        if label in each.means and label not in each.leaders
    ]
    absent = [each.yardstick.title for each in judged if label not in each.means]
    if absent:
        told.append(f"not judged by {_named(absent, 'others')}")
    return f"; {'; '.join(told)}" if told else ""


def _named(names: Sequence[str], kind: str) -> str:
    if len(names) > NAMED:
        return f"{len(names)} {kind}"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
