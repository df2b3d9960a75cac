"""Whether the program would understand the trials of a sweep, asked before any of them runs."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vae_zoo.sweep.command import fill_command
from vae_zoo.sweep.grid import Parameters
from vae_zoo.sweep.space import Sweep


def check_parameters(sweep: Sweep, trials: Iterable[Parameters]) -> None:
    """Ask ``vae-zoo fit`` itself whether it knows the parameters; other programs are not asked.

    Of trials whose parameters have the same names, classes and types, one is asked for.

    Raises:
        ValueError: A trial would be refused: what is wrong with it, in the program's own words.
    """
    different = {json.dumps(_form(trial), sort_keys=True): trial for trial in trials}.values()
    asked = [words for trial in different if (words := _fit_words(sweep, trial))]
    if not asked:
        return
    answer = subprocess.run(
        [sys.executable, "-m", "vae_zoo.checked"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        last = (answer.stderr.strip() or "no output").splitlines()[-1]
        raise ValueError(f"the parameters could not be checked: {last}")
    complaints = [each for each in json.loads(answer.stdout) if each]
    if complaints:
        raise ValueError(f"a trial would fail: {complaints[0]}")


def _fit_words(sweep: Sweep, trial: Parameters) -> list[str]:
    """The words after the program, if that is ``vae-zoo fit``."""
    line = fill_command(sweep.command, sweep.program, trial, Path("args.json"))
    names = [Path(word).name for word in line]
    start = next((names.index(name) for name in ("vae-zoo", "vae_zoo") if name in names), None)
    if start is None or "fit" not in line[start + 1 :] or "${args_json_file}" in sweep.command:
        return []
    return line[start + 1 :]


def _form(value: Any) -> Any:
    """The names, classes and types of parameters, without their values."""
    if isinstance(value, dict):
        return {
            name: inner if name == "class_path" else _form(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_form(each) for each in value]
    # Of a text the value matters, as the name of a kernel or of a class does.
    return value if isinstance(value, str) else type(value).__name__
