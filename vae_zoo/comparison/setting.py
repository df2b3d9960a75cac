"""The settings of a part of score cards, in words, and where they forbid a comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vae_zoo.comparison.configuration import text
from vae_zoo.scorecard import Part, ScoreCard

# Of more codes, means over them are surer, and no other; the posterior's family may limit them.
AVERAGED = {"aggregate": ("codes",)}
LIKELIHOODS = ("likelihood", "importance", "annealing")  # of p(x), or of p(x | c)
Settings = Sequence[Mapping[str, Any]]


def setting_of(name: str, part: Part, card: ScoreCard) -> dict[str, Any]:
    """All that a number depends on beside the run: equal settings can be compared."""
    given = {"of": "p(x|c)" if card.conditional else "p(x)"} if name in LIKELIHOODS else {}
    without = AVERAGED.get(name, ())
    kept = {key: value for key, value in part.setting.items() if key not in without}
    return kept | given | {"checkpoint": card.checkpoint}


def words(setting: Mapping[str, Any]) -> str:
    """``1,000 examples, noise seed 0, kernel imq``, without best.ckpt, of which all is."""
    return ", ".join(
        _said(key, value)
        for key, value in setting.items()
        if (key, value) != ("checkpoint", "best.ckpt")
    )


def _said(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        value = " ".join(text(each) for each in value)
    if key == "n" and isinstance(value, int):
        return f"{value:,} example{'s' * (value != 1)}"
    name = "noise seed" if key == "seed" else key.replace("_", " ")
    return f"{name} {text(value)}"


def usual(settings: Settings) -> dict[str, Any]:
    """What most have at each key."""
    found: dict[str, Counter[str]] = {}
    values: dict[tuple[str, str], Any] = {}
    for setting in settings:
        for key, value in setting.items():
            found.setdefault(key, Counter())[repr(value)] += 1
            values[key, repr(value)] = value
    return {key: values[key, count.most_common(1)[0][0]] for key, count in found.items()}


def different(setting: Mapping[str, Any], common: Mapping[str, Any]) -> str:
    """What a setting has that most have not, in words; empty if it can be compared with theirs.

    A key that one of them lacks made none of its numbers.
    """
    keys = [key for key, value in setting.items() if value != common.get(key, value)]
    pairs = [(_said(key, setting[key]), _said(key, common[key])) for key in keys]
    return ", ".join(f"{here}, not {there}" for here, there in pairs)
