"""What a contract says of a part of a model."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """Whether a property holds.

    Args:
        holds: None where the property does not apply, or is a figure without a threshold.
        figure: What was found, or why the property does not apply.
        expected: What was expected.
    """

    holds: bool | None
    figure: str
    expected: str


class Property(NamedTuple):
    """A property of a part: its name, and the parts of a :class:`Verdict`."""

    name: str
    holds: bool | None
    figure: str
    expected: str
