"""Differences between groups over the seeds that they share, and which of them are noise."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

LEVEL = 0.05  # of a difference that counts
LEAST = 3  # seeds, with fewer of which no difference is judged
BySeed = Mapping[int, float]


class Difference(NamedTuple):
    """A group's number minus another's, over the seeds that both have.

    Args:
        mean: Mean of the differences of single seeds.
        low: Lower end of its interval, which holds the true mean in 95 of 100 cases.
        high: Upper end.
        p: Of a two-sided paired t-test; by Holm where several differences are judged together.
        seeds: How many both have.
        slack: How far a bound may be off: a smaller difference counts as noise.
    """

    mean: float
    low: float
    high: float
    p: float
    seeds: int
    slack: float = 0.0

    @property
    def beyond_noise(self) -> bool:
        return self.p < LEVEL and abs(self.mean) > self.slack


def paired(values: BySeed, reference: BySeed) -> Difference | None:
    """Compare two groups seed by seed; None with fewer than three seeds in common.

    The interval is Student's. That of a bootstrap over n seeds is too narrow: for normal
    differences its 95 % hold 75 % of the time with 3 seeds, 84 % with 5 and 89 % with 10.

    References:
        Student, "The Probable Error of a Mean", 1908. https://doi.org/10.2307/2331554
        Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, sec. 3.2.
        https://arxiv.org/abs/1411.5279
    """
    from scipy import stats  # half a second, that a page of single runs need not wait for

    shared = sorted(values.keys() & reference.keys())
    if len(shared) < LEAST:
        return None
    found = [values[seed] - reference[seed] for seed in shared]
    mean, error = fmean(found), stdev(found) / math.sqrt(len(found))
    free = len(found) - 1
    reach = float(stats.t.ppf(1 - LEVEL / 2, free)) * error
    ratio = abs(mean) / error if error else math.inf if mean else 0.0
    p = float(2 * stats.t.sf(ratio, free))
    return Difference(mean, mean - reach, mean + reach, p, len(found))


def against(groups: Mapping[str, BySeed], reference: BySeed) -> dict[str, Difference]:
    """Compare groups with a reference, those that can be, and correct for their number by Holm."""
    found = {name: paired(values, reference) for name, values in groups.items()}
    known = {name: each for name, each in found.items() if each}
    corrected = holm([each.p for each in known.values()])
    return {
        name: each._replace(p=p) for (name, each), p in zip(known.items(), corrected, strict=True)
    }


def holm(ps: Sequence[float]) -> list[float]:
    """Correct p-values so that one in twenty families, and not of tests, errs at 0.05.

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979, sec. 3.
        https://www.jstor.org/stable/4615733
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    corrected, least = [0.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = least
    return corrected
