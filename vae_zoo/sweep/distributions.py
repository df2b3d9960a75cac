"""The distributions of a sweep file: each turns u, uniform on [0, 1), into a parameter's value.

References:
    Weights & Biases, "Sweep configuration options", distributions (2026).
    https://docs.wandb.ai/models/sweeps/sweep-config-keys
    Weights & Biases, sweeps 0.3.0, params.py (2025), MIT licence. https://github.com/wandb/sweeps
"""

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from vae_zoo.sweep.laws import LAWS, RANGE, Law, clip

_TAIL = 0.001  # left out at each end of an unbounded distribution where the ends are searched


@dataclass(frozen=True)
class Constant:
    """Always the one value."""

    value: Any

    def quantile(self, u: float) -> Any:
        return self.value


@dataclass(frozen=True)
class Categorical:
    """One of the values, all as likely unless ``probabilities`` says otherwise."""

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None

    def quantile(self, u: float) -> Any:
        if self.probabilities is None:
            return self.values[int(u * len(self.values))]
        cumulative = list(accumulate(self.probabilities))
        return self.values[bisect_right(cumulative, u * cumulative[-1])]

    def index(self, value: Any) -> int:
        """Where the value stands; 1, 1.0 and true are three."""
        return [lossless(each) for each in self.values].index(lossless(value))


@dataclass(frozen=True)
class Integers:
    """A whole number from low to high, both of them included."""

    low: int
    high: int

    ends = (0.0, 1.0)

    def quantile(self, u: float) -> int:
        return min(self.low + int(u * (self.high - self.low + 1)), self.high)

    def position(self, value: int) -> float:
        """The middle of all u that give the value."""
        return (value - self.low + 0.5) / (self.high - self.low + 1)


@dataclass(frozen=True)
class Real:
    """A number of a continuous law, rounded to a multiple of ``q`` if there is one.

    As with W&B, the value is an int where ``q`` is one, and may be rounded to beyond min and max.
    """

    law: Law
    q: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The range of u worth a search: all, but for the last thousandths of an infinite range."""
        bounded = math.isfinite(self.law.low) and math.isfinite(self.law.high)
        return (0.0, 1.0) if bounded else (_TAIL, 1 - _TAIL)

    def quantile(self, u: float) -> float:
        x = clip(self.law.ppf(u), self.law.low, self.law.high)  # rounding may step outside
        return x if self.q is None else round(x / self.q) * self.q

    def position(self, value: float) -> float:
        """The inverse of the quantile function: the middle of all u that give the value."""
        if self.q is None:
            return self.law.cdf(value)
        k = round(value / self.q)
        return (self.law.cdf((k - 0.5) * self.q) + self.law.cdf((k + 0.5) * self.q)) / 2


Distribution = Constant | Categorical | Integers | Real


def distribution(block: Mapping[str, Any], path: str) -> Distribution:
    """The distribution of one parameter.

    Args:
        block: What the sweep file says of it. Without a ``distribution``, whole ``min`` and
            ``max`` mean ``int_uniform`` and others ``uniform``.
        path: Its keys, for errors: ``parameters.model.parameters.weight``.

    Raises:
        ValueError: The block is of no distribution.
    """
    try:
        if "value" in block:
            lossless(block["value"])
            return Constant(block["value"])
        return _categorical(block) if "values" in block else _numeric(block)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def lossless(value: Any) -> str:
    """The value's JSON text, from which the same value is read.

    Raises:
        ValueError: There is none.
    """
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False)
        same = json.loads(text) == value
    except (TypeError, ValueError):
        same = False
    if not same:
        raise ValueError(
            f"{value!r} cannot be passed on as JSON. Use numbers, texts (in quotes), "
            "true, false, null, and lists and mappings of them"
        )
    return text


def _categorical(block: Mapping[str, Any]) -> Categorical:
    values, probabilities = block["values"], block.get("probabilities")
    for value in values:
        lossless(value)
    if probabilities is not None:
        if len(probabilities) != len(values):
            raise ValueError(
                f"probabilities should be as many as values, got {len(probabilities)} "
                f"and {len(values)}"
            )
        if min(probabilities) < 0 or not math.isclose(sum(probabilities), 1, abs_tol=1e-6):
            raise ValueError(
                "probabilities should be non-negative and sum to 1, "
                f"got {probabilities} with sum {sum(probabilities):.7g}"
            )
    return Categorical(values, probabilities)


def _numeric(block: Mapping[str, Any]) -> Integers | Real:
    whole = all(isinstance(block.get(key), int) for key in ("min", "max"))
    name = block.get("distribution", "int_uniform" if whole else "uniform")
    if name == "int_uniform":
        low, high = _arguments(name, block, RANGE)
        if not whole:
            raise ValueError(f"int_uniform takes whole numbers, got {low} and {high}")
        return Integers(block["min"], block["max"])
    law, defaults = LAWS[name.removeprefix("q_")]
    if not name.startswith("q_"):
        return Real(law(*_arguments(name, block, defaults)))
    *numbers, q = _arguments(name, block, {**defaults, "q": 1.0})
    return Real(law(*numbers), block.get("q", q))


def _arguments(
    name: str, block: Mapping[str, Any], defaults: Mapping[str, float | None]
) -> list[float]:
    """The numbers that a distribution takes, in the order of its defaults."""
    for key in block:
        if key not in defaults and key != "distribution":
            raise ValueError(f"{name} takes {', '.join(defaults)}, got {key!r}")
    positive = {"sigma", "a", "b", "q", *(["min"] if name.endswith("_values") else [])}
    numbers = {key: block.get(key, default) for key, default in defaults.items()}
    for key, number in numbers.items():
        if number is None:
            raise ValueError(f"{name} needs {key!r}")
        if type(number) not in (int, float) or not math.isfinite(number):
            hint = ". YAML reads 1e-4 as a text: write 1.0e-4" if isinstance(number, str) else ""
            raise ValueError(f"{key} should be a finite number, got {number!r}{hint}")
        if key in positive and number <= 0:
            raise ValueError(f"{key} should be positive, got {number}")
    if "min" in numbers and numbers["min"] >= numbers["max"]:
        raise ValueError(f"min should be below max, got {numbers['min']} and {numbers['max']}")
    return [float(number) for number in numbers.values()]
