"""Numbers among the arguments of a constructor, and what is wrong with those that are refused."""

import math
from collections.abc import Sequence


def require_positive(name: str, value: float) -> None:
    """Refuse a scale or the like that is not positive.

    Raises:
        ValueError: It is not positive and finite.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")


def require_widths(name: str, widths: Sequence[int]) -> None:
    """Refuse layers without units.

    Raises:
        ValueError: A width is not positive.
    """
    if any(width < 1 for width in widths):
        raise ValueError(f"{name} must be positive widths, got {list(widths)}")


def require_samples(samples: int) -> None:
    """Refuse to estimate from no sample.

    Raises:
        ValueError: There is none.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
