"""What tells the trials of a sweep apart, in a few words each."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from vae_zoo.sweep.grid import Parameters

_Path = tuple[str, ...]
DIGITS = 6  # of a number that somebody wrote


def labels(trials: Sequence[Parameters]) -> list[str]:
    """What each trial varies, in short: ``MMD kernel=imq seed=0``."""
    flat = [dict(_leaves(trial)) for trial in trials]
    counts = Counter((path, json.dumps(value)) for each in flat for path, value in each.items())
    varied = {path: _telling(path) for (path, _), n in counts.items() if n < len(flat)}
    last = Counter(parts[-1] for parts in varied.values())
    names = {
        path: ".".join(parts[-2:]) if last[parts[-1]] > 1 else parts[-1]
        for path, parts in varied.items()
    }
    return [
        " ".join(_word(path, names[path], each[path]) for path in each if path in varied)
        for each in flat
    ]


def _leaves(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, *name.split(".")))
    else:
        yield path, value


def _telling(path: _Path) -> list[str]:
    """The parts of a path that tell something."""
    parts = [part for part in path if part not in ("class_path", "init_args")] or list(path)
    return ["seed" if part == "seed_everything" else part for part in parts]


def _word(path: _Path, name: str, value: Any) -> str:
    """A class by its name alone, other values with theirs."""
    if isinstance(value, str):
        last = value.rpartition(".")[2]
        return last if path[-1] == "class_path" or last[:1].isupper() else f"{name}={value}"
    text = json.dumps(value)
    if isinstance(value, float) and len(text) > DIGITS:  # as a search draws them
        text = f"{value:.4g}"
    return f"{name}={text}"
