"""A sweep file: read, checked, expanded to the parameters of its trials."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vae_zoo.sweep.command import DEFAULT_COMMAND, check_command
from vae_zoo.sweep.validation import check_schema

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """What a sweep file asks for.

    Args:
        name: The folder below ``runs/``.
        command: The command of a trial, with W&B's macros.
        program: What ``${program}`` stands for.
        environment: What the file sets for each trial: its W&B project and entity.
        trials: The parameters of each trial, nested, in order; the last parameter varies fastest.
    """

    name: str
    command: list[str]
    program: str | None
    environment: dict[str, str]
    trials: list[Parameters]


def canonical(parameters: Parameters) -> str:
    """The one JSON text of a trial's parameters: sorted keys, every value as it was."""
    return json.dumps(parameters, sort_keys=True, allow_nan=False)


def read_sweep(file: Path, name: str | None = None) -> Sweep:
    """Read a sweep file and check it; nothing is written.

    Args:
        file: A sweep file as ``wandb sweep`` takes it.
        name: The folder below ``runs/``; by default the file's ``name:``, else its stem.

    Raises:
        ValueError: The file is absent or no YAML, breaks W&B's schema, or is no grid.
    """
    if not file.is_file():
        raise ValueError(f"{file} is no file: give a sweep file, as of `vae-zoo sweep sweep.yaml`")
    try:
        config = _load(file)
        check_schema(config)
        _check_grid(config)
        sweep = Sweep(
            name=_folder_name(name if name is not None else config.get("name", file.stem)),
            command=[str(item) for item in config.get("command") or DEFAULT_COMMAND],
            program=config.get("program"),
            environment={
                f"WANDB_{key.upper()}": config[key]
                for key in ("project", "entity")
                if key in config
            },
            trials=expand(config["parameters"])[: config.get("run_cap")],
        )
        check_command(sweep.command, sweep.program)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    return sweep


def _load(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        for key in _repeated_keys(node, set()):
            line = key.start_mark.line + 1
            raise ValueError(f"the key {key.value!r} is given twice in one block (line {line})")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"no valid YAML: {' '.join(str(error).split())}") from error


def _repeated_keys(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.Node]:
    """Keys that stand twice in one mapping; YAML's loader keeps the last in silence."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in names:
                    yield key
                names.add(key.value)
            yield from _repeated_keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, seen)


def _check_grid(config: dict[str, Any]) -> None:
    for key in ("early_terminate", "scheduler", "metrics", "job", "image_uri"):
        if key in config:
            raise ValueError(f"vae-zoo sweep has no {key}; `wandb sweep` runs this file")
    if config["method"] != "grid":
        raise ValueError(
            f"vae-zoo sweep runs grids, got method: {config['method']}; "
            "`wandb sweep` runs this file"
        )
    if "parameters" not in config:
        raise ValueError("the key 'parameters' is missing: a grid needs at least one")


def expand(parameters: dict[str, Any], path: str = "parameters") -> list[Parameters]:
    """Every combination of the values below ``parameters:``, the last parameter fastest.

    Raises:
        ValueError: A parameter lists no values, one twice, or one that JSON cannot hold.
    """
    choices = [_choices(block, f"{path}.{name}") for name, block in parameters.items()]
    return [dict(zip(parameters, each, strict=True)) for each in itertools.product(*choices)]


def _choices(block: dict[str, Any], path: str) -> list[Any]:
    if "parameters" in block:
        return expand(block["parameters"], f"{path}.parameters")
    if "probabilities" in block or not block.keys() & {"value", "values"}:
        raise ValueError(f"{path}: a grid takes `value` or `values`, got {block!r}")
    choices = block["values"] if "values" in block else [block["value"]]
    seen = set()
    for value in choices:
        text = _lossless(value, path)
        if text in seen:
            raise ValueError(f"{path}.values lists {value!r} twice")
        seen.add(text)
    return list(choices)


def _lossless(value: Any, path: str) -> str:
    """The value's JSON text, from which the same value is read."""
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False)
        same = json.loads(text) == value
    except (TypeError, ValueError):
        same = False
    if not same:
        raise ValueError(
            f"{path}: {value!r} cannot be passed on as JSON. Use numbers, texts (in quotes), "
            "true, false, null, and lists and mappings of them"
        )
    return text


def _folder_name(name: str) -> str:
    """The name, if it is one folder below ``runs/`` and a visible one."""
    if not name.strip() or name[0] in ".-" or not name.isprintable() or {"/", "\\"} & set(name):
        raise ValueError(
            f"the name {name!r} is no name of a folder in runs/: give one with --name, "
            "without slashes, that does not begin with a dot or a hyphen"
        )
    return name
