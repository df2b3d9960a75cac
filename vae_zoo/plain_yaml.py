"""YAML of plain values, read with care: whatever a file holds, it is a value or one sentence."""

from pathlib import Path
from typing import Any

import yaml

MOST = 100_000  # values; a config has hundreds


def read_yaml(text: str) -> Any:
    """Read a text in YAML; of Python's own objects nothing is made.

    Raises:
        ValueError: It is no YAML, contains itself, or would fill the memory, as aliases of aliases
            do.
    """
    try:
        value = yaml.safe_load(text)
        size = _size(value, {})
    except RecursionError as error:
        raise ValueError("no valid YAML: a block contains itself, or too many others") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).replace(' in "<unicode string>"', "").split())
        raise ValueError(f"no valid YAML: {reason[:200]}") from error
    # The loader's own ways to say that `!!int x`, `!!bool x` or 2026-99-99 is none.
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"no valid YAML: a value is not of its kind ({error!s:.100})") from error
    if size > MOST:
        raise ValueError(f"no valid YAML: it should be at most {MOST:,} values, aliases counted")
    return value


def read_yaml_file(path: Path) -> Any:
    """Read a file in YAML.

    Raises:
        ValueError: As of :func:`read_yaml`; without the file's name.
        OSError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"no valid YAML: it is no text in UTF-8 (byte {error.start})") from error
    return read_yaml(text)


def _size(value: Any, known: dict[int, int]) -> int:
    """Count the values in a value, each as often as it is referred to."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = 0
        inner = [*value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(each, known) for each in inner)
    elif known[id(value)] == 0:
        raise RecursionError
    return known[id(value)]
