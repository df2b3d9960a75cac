"""A parser that finds packaged configs, and complains by an exception instead of its usage."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jsonargparse
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from lightning.pytorch.cli import LightningArgumentParser
from omegaconf import OmegaConf
from omegaconf.resolvers import oc

from vae_zoo.catalogue import FAMILIES
from vae_zoo.errors import check_form
from vae_zoo.packaged import find
from vae_zoo.plain_yaml import read_yaml, read_yaml_file
from vae_zoo.runs import RESERVED, Run

CALLBACKS = "lightning.pytorch.callbacks"
PLATEAU = "lightning.pytorch.cli.ReduceLROnPlateau"  # torch's own, with what it watches
HARMLESS = (  # those which write nowhere and call nothing that they are given
    callbacks.DeviceStatsMonitor,
    callbacks.EarlyStopping,
    callbacks.EMAWeightAveraging,
    callbacks.GradientAccumulationScheduler,
    callbacks.LearningRateMonitor,
    callbacks.ModelSummary,
    callbacks.RichModelSummary,
    callbacks.RichProgressBar,
    callbacks.StochasticWeightAveraging,
    callbacks.Timer,
    callbacks.TQDMProgressBar,
    callbacks.WeightAveraging,
    RichProgressBarTheme,
)
SECRET = re.compile("KEY|TOKEN|SECRET|PASS|CREDENTIAL", re.IGNORECASE)


def import_only(trusted: Sequence[str]) -> None:
    """Let no value name code but of the zoo, torch's optimizers, and harmless callbacks.

    It holds for the whole process, and cannot be taken back.

    Args:
        trusted: Modules besides.

    Raises:
        ValueError: One is no name of a module.
    """
    for module in trusted:
        if not all(part.isidentifier() for part in module.split(".")):
            raise ValueError(f"--trust should name a module, as moments, got {module!r}")
    families = [f"vae_zoo.{name}" for name in (*FAMILIES, "callbacks")]
    harmless = [f"{module}.{c.__name__}" for c in HARMLESS for module in (CALLBACKS, c.__module__)]
    jsonargparse.set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[*families, "torch.optim", PLATEAU, *harmless, *trusted],
    )


def check_config(run: Run) -> None:
    """Refuse a run's config that would have the parser read files besides.

    The parser takes the path of a config wherever it wants a class or a list. No fit writes one
    there: paths are options of data, and of one's own parts.

    Raises:
        ValueError: It would, or holds what no fit has written.
    """
    if "${" in json.dumps(run.config, default=str):  # however it was written
        raise ValueError(f"{run.config_file} holds ${{…}}, which no fit has written there")
    for name in ("config", "ckpt_path", "resume", "trust", "print_config"):
        if run.config.get(name) is not None:
            raise ValueError(
                f"{run.config_file}: {name} is no option of a run's config, got "
                f"{run.config[name]!r:.80}: remove it"
            )
    check_form(run.config)
    for key, value in run.config.items():
        if key.partition(".")[0] in ("trainer", "model", "data"):
            _check_values(run, value, key)


def _check_values(run: Run, value: Any, key: str) -> None:
    if isinstance(value, dict):
        options = value.get("init_args")
        for name, inner in value.items():
            if inner is options and isinstance(options, dict):
                inner = {k: v for k, v in options.items() if not _may_be_path(value, k, v)}
            _check_values(run, inner, f"{key}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_values(run, inner, f"{key}.{number}")
    elif isinstance(value, str):
        for folder in (Path(), run.folder):
            path = folder / os.path.expanduser(value)  # noqa: PTH111 (Path's raises of ~nobody)
            if os.path.exists(path) and not path.is_dir():  # noqa: PTH110 (of a long name)
                raise ValueError(
                    f"{run.config_file}: {key} names a file, {value:.80}, which no fit has written "
                    "there"
                )
        try:
            inner = read_yaml(value)
        except ValueError:
            return
        if isinstance(inner, (dict, list)):
            _check_values(run, inner, key)


def _may_be_path(part: Mapping[str, Any], option: str, value: Any) -> bool:
    """Whether an option of a class is a plain value that may be a file's path."""
    if not isinstance(value, str):
        return False
    package, dot, rest = str(part.get("class_path")).partition(".")
    if package == "vae_zoo" and rest.startswith("data."):
        return option in ("path", "root", "labels")
    return bool(dot) and package not in ("vae_zoo", "torch", "lightning")  # but one's own


def _environment_variable(name: str, *default: str | None) -> str | None:
    """``${oc.env:NAME}`` of a config, but for what may be a secret: a run's config is kept.

    Raises:
        ValueError: It may be one.
    """
    if SECRET.search(name):
        raise ValueError(f"{name} may be a secret, which a run must not keep")
    return oc.env(name, *default)


OmegaConf.register_resolver("oc.env", _environment_variable, replace=True)


class ConfigAction(jsonargparse.ActionConfigFile):  # type: ignore[name-defined, misc]
    """A config by its path, by the name of a packaged one, or written out."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        """Merge the config into what is there."""
        try:
            path = config_path(values)
        except OSError as error:
            raise ComplaintError(f"--config: {error}") from error
        written_out = path[0] == "{"
        try:
            config = read_yaml(path) if written_out else read_yaml_file(Path(path))
        except ValueError as error:
            reason = str(error).removeprefix("no valid YAML: ")
            raise ComplaintError(f"{values:.60} is no valid YAML: {reason}") from error
        if not isinstance(config, dict):
            raise ComplaintError(
                f"{values:.60} should hold a mapping of options, got {config!r:.60}"
            )
        try:
            check_form(config)
            for name in ("resume", "trust"):
                if config.get(name) is not None:
                    raise ValueError(f"{name} is given on the command line alone, as --{name}")
            for name in ("trainer", "model"):
                if name in config and not isinstance(config[name], dict):
                    got = config[name]
                    raise ValueError(f"{name} should be a mapping of options, got {got!r:.60}")
        except ValueError as error:
            raise ComplaintError(f"{values:.60}: {error}") from error
        if written_out and "WANDB_SWEEP_ID" in os.environ:
            # W&B hands a preempted trial out again with all that its run's configuration holds.
            path = json.dumps({k: v for k, v in config.items() if k not in RESERVED})
        super().__call__(parser, cfg, path, option_string)


def config_path(value: str) -> str:
    """Find a config, unless it is written out as JSON."""
    return value.strip() if value.lstrip().startswith("{") else find("configs", value)


class ComplaintError(ValueError):
    """What the parser has to say, before it is put into a sentence."""


class Parser(LightningArgumentParser):
    """A parser that complains by an exception, and not by its usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the complaint.

        Raises:
            ComplaintError: Always.
        """
        raise ComplaintError(message) from ex
