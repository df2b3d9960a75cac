"""Text from elsewhere, without what would act on a terminal or turn the direction of writing."""

from collections.abc import Mapping
from typing import Any


def printable(text: str) -> str:
    """Write what cannot be printed, but for line breaks, as Python would."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def printable_tree(value: Any) -> Any:
    """The same of all texts of a tree as YAML or JSON holds it, those of its keys too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable_tree(key): printable_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable_tree(item) for item in value]
    return value
