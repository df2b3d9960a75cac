"""The command line of a trial: W&B's macros, filled in as its agent does.

References:
    Weights & Biases, "Sweep configuration options", section "command" (2026).
    https://docs.wandb.ai/models/sweeps/sweep-config-keys
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from vae_zoo.sweep.validation import suggest

DEFAULT_COMMAND = ["${env}", "${interpreter}", "${program}", "${args}"]
_MACROS = (
    "env",
    "interpreter",
    "program",
    "args",
    "args_no_hyphens",
    "args_no_equals",
    "args_no_boolean_flags",
    "args_append_hydra",
    "args_override_hydra",
    "args_json",
    "args_json_file",
)
_ENVIRONMENT = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
_MACRO = re.compile(r"\$\{([^}]*)\}")


def check_command(command: list[str], program: str | None) -> None:
    """Refuse what W&B's agent would drop or pass on unfilled.

    Raises:
        ValueError: A macro is unknown or part of an item, or ``${program}`` has no program.
    """
    for item in command:
        rest = _ENVIRONMENT.sub("", item)  # the one macro that may stand within an item
        for name in _MACRO.findall(rest):
            if name not in _MACROS:
                known = ["${envvar:NAME}", *(f"${{{each}}}" for each in _MACROS)]
                raise ValueError(f"command: unknown macro ${{{name}}}. {suggest(item, known)}")
            if rest != f"${{{name}}}":
                raise ValueError(f"command: ${{{name}}} should be an item of its own, got {item!r}")
        if item == "${program}" and program is None:
            raise ValueError("the key 'program' is missing: the command uses ${program}")


def fill_command(
    command: list[str], program: str | None, parameters: dict[str, Any], json_file: Path
) -> list[str]:
    """The command line of one trial.

    Args:
        command: The items, macros among them.
        program: What ``${program}`` stands for.
        parameters: The trial's parameters, nested.
        json_file: What ``${args_json_file}`` stands for; the caller writes it.
    """
    filled = {
        "env": ["/usr/bin/env"],
        # The agent takes the first `python` on PATH, which may lack this package.
        "interpreter": [sys.executable],
        "program": [program or ""],
        "args_json_file": [str(json_file)],
        **_arguments(parameters),
    }
    line: list[str] = []
    for item in command:
        macro = _MACRO.fullmatch(item)
        if macro and macro[1] in filled:
            line += filled[macro[1]]
        else:  # an unset variable leaves its name, as the agent does
            line.append(_ENVIRONMENT.sub(lambda m: os.environ.get(m[1], m[1]), item))
    return line


def _arguments(parameters: dict[str, Any]) -> dict[str, list[str]]:
    """The parameters in each form that a macro offers, names in alphabetical order."""
    pairs = sorted(parameters.items())
    equal = [f"{name}={value}" for name, value in pairs]
    return {
        "args": [f"--{each}" for each in equal],
        "args_no_hyphens": equal,
        "args_no_equals": [part for name, value in pairs for part in (f"--{name}", str(value))],
        "args_no_boolean_flags": [
            f"--{name}" if value is True else f"--{name}={value}"
            for name, value in pairs
            if value is not False
        ],
        "args_append_hydra": [f"+{each}" for each in equal],
        "args_override_hydra": [f"++{each}" for each in equal],
        "args_json": [json.dumps(dict(pairs))],
    }
