"""A number of a score card, with its error."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Score(NamedTuple):
    """A number ± its standard error; None where it has none, as the mean of one example."""

    value: float
    standard_error: float | None = None

    @property
    def finite(self) -> bool:
        return math.isfinite(self.value) and math.isfinite(self.standard_error or 0.0)

    @classmethod
    def of_sums(cls, count: int, total: float, squares: float) -> "Score":
        """Take the mean of n numbers from their sum and that of their squares."""
        mean = total / count
        if count == 1:
            return cls(mean, None)
        variance = max(squares - count * mean**2, 0.0) / (count - 1)
        return cls(mean, math.sqrt(variance / count))

    @classmethod
    def jackknifed(cls, value: float, without: Sequence[float]) -> "Score":
        """Take a number, and what it is without each of G groups of the examples in turn.

        References:
            Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, eq. 3.4, where a
            group counts as one observation. https://doi.org/10.1137/1.9781611970319
        """
        mean = sum(without) / len(without)
        spread = sum((one - mean) ** 2 for one in without)
        return cls(value, math.sqrt(spread * (len(without) - 1) / len(without)))
