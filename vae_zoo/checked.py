"""``python -m vae_zoo.checked``: whether the words of many ``vae-zoo fit`` would be understood.

A sweep asks before its first trial. It writes the words of each as JSON, a list of lists, and reads
a list of complaints, null where there is none. One process imports torch once for all of them.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

from vae_zoo.fit import CLI, quieten


class _UnderstoodError(Exception):
    """All words were parsed: no more is wanted."""


class _Parsing(CLI):
    def parse_arguments(self, parser: Any, args: Any) -> None:
        super().parse_arguments(parser, args)
        raise _UnderstoodError


def complaint(words: Sequence[str]) -> str | None:
    """What is wrong with the words after ``vae-zoo``, as far as parsing can tell."""
    try:
        _Parsing(words, None, ExitStack())
    except (ValueError, OSError) as error:
        return str(error)
    except _UnderstoodError:
        pass
    return None


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    quieten()
    with redirect_stdout(sys.stderr):
        complaints = [complaint(words) for words in json.load(sys.stdin)]
    json.dump(complaints, sys.stdout)
