"""A mean over seeds and its standard error."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from vae_zoo.evaluation.score import Score


class Estimate(NamedTuple):
    """Mean ± standard error over seeds; of one seed, the error that it has by itself, if any."""

    mean: float
    error: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        count, mean = len(values), fmean(values)
        if count == 1:
            return cls(mean, None, count)
        # 30 times as fast as statistics.stdev, which a page of many curves waits for.
        variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
        return cls(mean, math.sqrt(variance / count), count)

    @classmethod
    def of_scores(cls, scores: Sequence[Score]) -> "Estimate":
        """Take the mean over seeds, or the one score with its error over examples."""
        if len(scores) == 1:
            return cls(*scores[0], 1)
        return cls.of([score.value for score in scores])

    def __str__(self) -> str:
        # Adding 0.0 turns the -0.00 of a rounded small negative into 0.00.
        mean = f"{round(self.mean, 2) + 0.0:.2f}"
        return mean if self.error is None else f"{mean} ± {self.error:.2f}"
