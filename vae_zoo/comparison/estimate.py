"""A mean over seeds and its standard error."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple


class Estimate(NamedTuple):
    """Mean ± standard error over seeds, in nats; one seed has no error."""

    mean: float
    error: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        count = len(values)
        error = stdev(values) / math.sqrt(count) if count > 1 else None
        return cls(fmean(values), error, count)

    def __str__(self) -> str:
        # Adding 0.0 turns the -0.00 of a rounded small negative into 0.00.
        mean = f"{round(self.mean, 2) + 0.0:.2f}"
        return mean if self.error is None else f"{mean} ± {self.error:.2f}"
