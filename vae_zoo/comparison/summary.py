"""The answer in one sentence: which groups lead, or may lead, by the most yardsticks."""

from collections.abc import Sequence
from typing import NamedTuple

from vae_zoo.comparison.verdict import NAMED, Verdict, margin


class Standing(NamedTuple):
    """How a group stands by several yardsticks.

    Args:
        best: Those by which it is better than every other group.
        tied: Those by which it is told apart neither from the best nor from the reference.
        behind: How far behind which group it is by the others, in words.
        absent: Those by which it cannot be judged.
    """

    best: list[str]
    tied: list[str]
    behind: list[str]
    absent: list[str]

    @classmethod
    def of(cls, label: str, judged: Sequence[Verdict]) -> "Standing":
        found = cls([], [], [], [])
        for verdict in judged:
            title = verdict.yardstick.title
            if label not in verdict.means:
                found.absent.append(title)
            elif verdict.best == label:
                found.best.append(title)
            elif (behind := verdict.behind(label)) is None:
                found.tied.append(title)
            else:
                other, difference = behind
                found.behind.append(f"{margin(difference)} behind {other} by {title}")
        return found

    @property
    def rank(self) -> tuple[int, int]:
        return len(self.best) + len(self.tied), len(self.best)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Say which groups are best, or not told apart from the best, by the most yardsticks.

    Empty where fewer than two yardsticks can judge: the one that can says all there is.
    """
    judged = [verdict for verdict in verdicts if verdict.leading]
    if len(judged) < 2:
        return ""
    labels = dict.fromkeys(label for verdict in judged for label in verdict.means)
    standings = {label: Standing.of(label, judged) for label in labels}
    most = max(standing.rank for standing in standings.values())
    first = [label for label, standing in standings.items() if standing.rank == most]
    if len(first) > 1:
        best, tied = most[1], most[0] - most[1]
        told = _told(str(best) if best else "", tied, len(judged))
        return f"{_named(first, 'groups')} are each {told}."
    [label] = first
    standing = standings[label]
    told = _told(_named(standing.best, "yardsticks"), len(standing.tied), len(judged))
    absent = [f"not judged by {_named(standing.absent, 'yardsticks')}"] * bool(standing.absent)
    unused = next(each.unused(label) for each in judged if label in each.means)
    return f"{label} is {'; '.join([told, *standing.behind, *absent])}{unused}."


def _told(best: str, tied: int, of: int) -> str:
    """By which yardsticks a group is best, and by how many it may be."""
    if not tied:
        return f"best by {best} of {of} yardsticks" if best.isdigit() else f"best by {best}"
    if best:
        more = f"in the lead or not told apart from it by {tied} more of {of} yardsticks"
        return f"best by {best}, and {more}"
    return f"in the lead, or not told apart from it, by {tied} of {of} yardsticks"


def _named(names: Sequence[str], kind: str) -> str:
    if len(names) > NAMED:
        return f"{len(names)} {kind}"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
