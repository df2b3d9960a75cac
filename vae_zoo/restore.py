"""A trained model, and the data that it was trained on, from the folder of its run."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from vae_zoo.catalogue import FAMILIES
from vae_zoo.data import DataModule
from vae_zoo.errors import explain
from vae_zoo.parser import ComplaintError, Parser
from vae_zoo.runs import Run
from vae_zoo.vae import VAE

TRUSTED = frozenset({"vae_zoo", "torch", "lightning"})


def restore(folder: Path, trust: Sequence[str] = ()) -> tuple[VAE, DataModule]:
    """Load the best model of a run, and make its data module, which reads nothing yet.

    A run's folder may be another's: only classes of vae_zoo, torch and lightning are imported.

    Args:
        folder: The run's folder, ``runs/<name>/<id>``.
        trust: Modules besides, of one's own, such as ``mine``.

    Returns:
        The model, in evaluation mode on the CPU, and the data.

    Raises:
        FileNotFoundError: There is no such run, or it has no checkpoint.
        ValueError: It names a class of a module that is not trusted, or does not fit together.
    """
    run = Run(folder)
    if not run.config_file.is_file():
        raise FileNotFoundError(f"{folder} is no run: it has no config.yaml")
    config = {part: run.config.get(part) for part in ("model", "data")}
    if missing := [part for part, given in config.items() if not given]:
        raise ValueError(f"{run.config_file} lacks {' and '.join(missing)}")
    for name in _classes(config):
        module = name.split(".")[0]
        if "." in name and module not in {*TRUSTED, *trust}:
            raise ValueError(
                f"{run.config_file} names {name}, which would run the code of {module}: add "
                f"--trust {module} if that is yours"
            )
    if trust:
        sys.path.insert(0, str(Path.cwd()))
    model, data = _make(config, run)
    _load(model, run)
    return model.eval(), data


def _classes(config: object) -> Iterator[str]:
    """Every class that a configuration names."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "class_path" and isinstance(value, str):
                yield value
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)


def _make(config: dict[str, Any], run: Run) -> tuple[VAE, DataModule]:
    for family in FAMILIES:  # imported, so that their short names are known
        module = importlib.import_module(f"vae_zoo.{family}")
        for name in getattr(module, "__all__", ()):
            getattr(module, name)
    parser = Parser(parser_mode="omegaconf+")
    parser.add_lightning_class_args(VAE, "model")
    parser.add_subclass_arguments(DataModule, "data")
    try:
        made = parser.instantiate_classes(parser.parse_object(config))
    except ComplaintError as complaint:
        options = [action.dest for action in parser._actions]
        raise ValueError(
            f"{run.config_file}: {explain(str(complaint), {}, options)}"
        ) from complaint
    return made.model, made.data


def _load(model: VAE, run: Run) -> None:
    """Load the weights of best.ckpt, or of last.ckpt while there is no other."""
    best = run.checkpoints / "best.ckpt"
    path = best if best.is_file() else run.last_checkpoint
    if not path.is_file():
        raise FileNotFoundError(f"{run.folder} has no checkpoint yet: {best}")
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
        model.load_state_dict(state)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} cannot be loaded: {reason}") from error
