"""The combinations of a grid, as many as are asked for."""

import math
from typing import Any

from vae_zoo.sweep.distributions import lossless

Parameters = dict[str, Any]
MOST = 100_000  # trials of a sweep
_Choices = list[Any] | dict[str, Any]  # the values of a parameter, or those of nested ones


def expand(parameters: dict[str, Any], cap: int | None = None) -> list[Parameters]:
    """The combinations of the values below ``parameters:``, the last parameter fastest.

    Args:
        parameters: The block.
        cap: How many at most; the first ones.

    Raises:
        ValueError: A parameter lists no values, one twice, or one that JSON cannot hold, or there
            are too many combinations.
    """
    tree = _choices({"parameters": parameters}, "")
    size = _size(tree)
    count = size if cap is None else min(size, cap)
    check_count(count)
    return [_combination(tree, number) for number in range(count)]


def check_count(count: int) -> None:
    """Refuse more trials than anybody runs.

    Raises:
        ValueError: There are too many.
    """
    if count > MOST:
        raise ValueError(f"run_cap: these are {count:,} trials; at most {MOST:,} can be asked for")


def _choices(block: dict[str, Any], path: str) -> _Choices:
    if "parameters" in block:
        inner = f"{path}.parameters".lstrip(".")
        return {
            name: _choices(each, f"{inner}.{name}") for name, each in block["parameters"].items()
        }
    if "probabilities" in block or not block.keys() & {"value", "values"}:
        raise ValueError(f"{path}: a grid takes `value` or `values`, got {block!r}")
    choices = list(block["values"] if "values" in block else [block["value"]])
    seen = set()
    for value in choices:
        try:
            text = lossless(value)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if text in seen:
            raise ValueError(f"{path}.values lists {value!r} twice")
        seen.add(text)
    return choices


def _size(choices: _Choices) -> int:
    if isinstance(choices, list):
        return len(choices)
    return math.prod(map(_size, choices.values()))


def _combination(choices: _Choices, number: int) -> Any:
    """The combination of that number, whose digits are the numbers of the choices."""
    if isinstance(choices, list):
        return choices[number]
    found = {}
    for name, each in reversed(choices.items()):
        number, digit = divmod(number, _size(each))
        found[name] = _combination(each, digit)
    return dict(reversed(found.items()))
