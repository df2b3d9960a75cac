"""What the user may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``Did you mean grid?``, or nothing where no known word is near."""
    near = get_close_matches(str(word), sorted(known), n=1)
    return f"Did you mean {near[0]}?" if near else ""
