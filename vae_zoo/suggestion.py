"""What the user may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``Did you mean grid?``, or nothing where no known word is near."""
    names = {name.casefold(): name for name in sorted(known)}
    near = get_close_matches(str(word).casefold(), names, n=1)
    return f"Did you mean {names[near[0]]}?" if near else ""
