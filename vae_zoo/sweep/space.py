"""A sweep file: read, checked, expanded to the parameters of its trials."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vae_zoo.plain_yaml import read_yaml_file
from vae_zoo.runs import RESERVED, check_name
from vae_zoo.sweep.command import DEFAULT_COMMAND, check_command
from vae_zoo.sweep.grid import Parameters
from vae_zoo.sweep.validation import check_schema

METHODS = ("grid", "random", "bayes")


@dataclass(frozen=True)
class Sweep:
    """What a sweep file asks for.

    Args:
        name: The folder below ``runs/``.
        command: The command of a trial, with W&B's macros.
        program: What ``${program}`` stands for.
        environment: What the file sets for each trial: its W&B project and entity.
        method: ``grid``, ``random`` or ``bayes``.
        space: The block below ``parameters:``.
        run_cap: At most so many trials.
        metric: What trials are judged by, if by anything: ``name`` and ``goal``.
        early_terminate: The block of that name, if any.
    """

    name: str
    command: list[str]
    program: str | None
    environment: dict[str, str]
    method: str
    space: dict[str, Any]
    run_cap: int | None
    metric: dict[str, Any] | None
    early_terminate: dict[str, Any] | None

    @property
    def goal(self) -> str:
        """``minimize`` or ``maximize``."""
        return (self.metric or {}).get("goal", "minimize")  # type: ignore[no-any-return]


def canonical(parameters: Parameters) -> str:
    """The one JSON text of a trial's parameters: sorted keys, every value as it was."""
    return json.dumps(parameters, sort_keys=True, allow_nan=False)


def read_sweep(file: Path, name: str | None = None) -> Sweep:
    """Read a sweep file and check it; nothing is written.

    Args:
        file: A sweep file as ``wandb sweep`` takes it.
        name: The folder below ``runs/``; by default the file's ``name:``, else its stem.

    Raises:
        ValueError: The file is absent or no YAML, breaks W&B's schema, or asks for what cannot be
            done here.
    """
    if not file.is_file():
        raise ValueError(f"{file} is no file: give a sweep file, as of `vae-zoo sweep sweep.yaml`")
    try:
        config = _load(file)
        check_schema(config)
        _check(config)
        check_name(*_named(file, config, name))
        sweep = Sweep(
            name=_named(file, config, name)[1],
            command=[str(item) for item in config.get("command") or DEFAULT_COMMAND],
            program=config.get("program"),
            environment={
                f"WANDB_{key.upper()}": config[key]
                for key in ("project", "entity")
                if key in config
            },
            method=config["method"],
            space=config["parameters"],
            run_cap=config.get("run_cap"),
            metric=config.get("metric"),
            early_terminate=config.get("early_terminate"),
        )
        check_command(sweep.command, sweep.program)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{file}: a block contains itself") from error
    return sweep


def _load(file: Path) -> Any:
    try:
        value = read_yaml_file(file)
        node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
        for key in _repeated_keys(node, set()):
            line = key.start_mark.line + 1
            raise ValueError(f"the key {key.value!r} is given twice in one block (line {line})")
        return value
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


def _check(config: dict[str, Any]) -> None:
    for key in ("scheduler", "metrics", "job", "image_uri"):
        if key in config:
            raise ValueError(f"vae-zoo sweep has no {key}; `wandb sweep` runs this file")
    if config["method"] not in METHODS:
        raise ValueError(
            f"vae-zoo sweep has no method: {config['method']}, but {', '.join(METHODS)}; "
            "`wandb sweep` runs this file"
        )
    if "parameters" not in config:
        raise ValueError("the key 'parameters' is missing: a sweep needs at least one")
    for name in RESERVED & config["parameters"].keys():
        raise ValueError(
            f"parameters.{name}: W&B locks what a sweep sets, and `vae-zoo fit` could not write "
            f"{name} there: choose another name"
        )
    if config["method"] != "grid" and "run_cap" not in config:
        raise ValueError(
            f"method: {config['method']} never comes to an end: say with run_cap: how many trials "
            "there are to be"
        )
    for key, asks in {
        "method": config["method"] == "bayes",
        "early_terminate": "early_terminate" in config,
    }.items():
        if asks and "metric" not in config:
            raise ValueError(f"{key}: {config[key]} needs a metric to judge trials by: say which")
    if config.get("metric", {}).get("impute_while_running", "false") != "false":
        raise ValueError(
            "metric.impute_while_running: vae-zoo sweep judges by the metric of finished trials "
            "alone; `wandb sweep` runs this file"
        )


def _named(file: Path, config: dict[str, Any], name: str | None) -> tuple[str, str]:
    """What names the sweep, and how."""
    if name is not None:
        return "--name", name
    if "name" in config:
        return "name (or --name)", config["name"]
    return "the file's name (or --name)", file.stem
