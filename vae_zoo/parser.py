"""A parser that finds packaged configs, and complains by an exception instead of its usage."""

import json
import os
from pathlib import Path
from typing import Any, NoReturn

import jsonargparse
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from vae_zoo.packaged import find
from vae_zoo.runs import RESERVED


class ConfigAction(jsonargparse.ActionConfigFile):  # type: ignore[name-defined, misc]
    """A config by its path, by the name of a packaged one, or written out."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        """Merge the config into what is there."""
        path = config_path(values)
        written_out = path[0] == "{"
        try:
            config = yaml.safe_load(path if written_out else Path(path).read_text())
        except yaml.YAMLError as error:
            raise ComplaintError(f"{values:.60} is no valid YAML: {error}") from error
        if not isinstance(config, dict):
            raise ComplaintError(
                f"{values:.60} should hold a mapping of options, got {config!r:.60}"
            )
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
