"""What a model made, and how it lies on a picture."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

COLUMNS = 10  # of a picture


class Made(NamedTuple):
    """What a model made.

    Args:
        x: Of shape ``(N, *X)``.
        y: Labels ``(N,)`` or conditions ``(N, *Y)``, if any.
        titles: A title for each.
        rows: Of a picture, by their numbers.
        row_titles: Titles of the rows, if they have any.
        column_titles: Titles of the columns, if they have any.
        corner: What the columns are.
    """

    x: Tensor
    y: Tensor | None
    titles: list[str]
    rows: list[list[int]]
    row_titles: Sequence[str] = ()
    column_titles: Sequence[str] = ()
    corner: str = ""


def rows_of(n: int, columns: int) -> list[list[int]]:
    """Fill rows with n numbers; the last may be shorter."""
    return [[*range(start, min(start + columns, n))] for start in range(0, n, columns)]
