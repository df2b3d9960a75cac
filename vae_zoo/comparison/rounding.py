"""Digits that say something: as many for a column of numbers as their errors bear."""

import math
from collections.abc import Iterable
from statistics import median_high
from typing import NamedTuple

from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.style import minus

FINE = 6  # decimals from which powers of ten are easier to read
LONG = 9  # digits of whole numbers, likewise
WIDE = 5  # digits of the usual number, where there are errors or fractions
POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Rounding(NamedTuple):
    """How the numbers of a column are written: with so many decimals, or by powers of ten."""

    decimals: int
    scientific: bool = False

    @classmethod
    def of(cls, estimates: Iterable[Estimate], least: int = 0) -> "Rounding":
        """Show 3 digits of the usual number, 1 of the smallest, and the first of the usual error.

        A number within its error of 0 counts as large as its error.

        Args:
            estimates: The column.
            least: Decimals that it has at least.
        """
        column = list(estimates)
        sizes = [size for each in column if (size := _size(each))]
        errors = [each.error for each in column if each.error]
        if sizes and _exponent(max(sizes)) >= LONG:
            return cls(2, scientific=True)
        if not errors and all(each.mean.is_integer() for each in column):
            return cls(least)
        typical = _exponent(median_high(sizes))
        if typical >= WIDE:
            return cls(2, scientific=True)
        decimals = max(least, 2 - typical, -_exponent(min(sizes)))
        if errors:
            # Half of it: 0.16 has two digits that matter, 0.61 one. More than four digits of the
            # number nobody reads.
            decimals = max(decimals, min(-_exponent(median_high(errors) / 2), 3 - typical))
        return cls(2, scientific=True) if decimals > FINE else cls(decimals)

    def show(self, each: Estimate) -> str:
        """Write a number and its error."""
        if not self.scientific:
            return minus(self._pair(each.mean, each.error))
        if not (size := _size(each)):
            return "0"
        power = _exponent(size)
        pair = self._pair(_shift(each.mean, power), each.error and _shift(each.error, power))
        return minus(f"({pair})" if each.error else pair) + f"·10{str(power).translate(POWERS)}"

    def _pair(self, mean: float, error: float | None) -> str:
        value = self._plain(mean)
        if error is None or (error == 0.0 and self.decimals == 0):
            return value
        least = 10.0**-self.decimals
        rounded_away = 0.0 < error < least / 2
        return f"{value} ± {f'<{self._plain(least)}' if rounded_away else self._plain(error)}"

    def _plain(self, value: float) -> str:
        # Adding 0.0 turns -0.0 into 0.0. Whole numbers are counts, which thousands part.
        rounded = round(value, self.decimals) + 0.0
        return f"{rounded:.{self.decimals}f}" if self.decimals else f"{rounded:,.0f}"


def _size(each: Estimate) -> float:
    return max(abs(each.mean), each.error or 0.0)


def _exponent(size: float) -> int:
    return math.floor(math.log10(size))


def _shift(value: float, power: int) -> float:
    """Divide by a power of ten, in two steps: that of the smallest floats is one of none."""
    half = power // 2
    return value / 10.0**half / 10.0 ** (power - half)
