"""A trained model, and the data that it was trained on, from the folder of its run."""

import importlib.util
import re
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

OF_TRAINING = {"optimizer", "lr_scheduler", "lr_interval"}  # of the model's options
FILES = {"path", "root", "labels"}  # options of data, whose values such as test.npz are no modules
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def restore(folder: Path, trust: Sequence[str] = ()) -> tuple[VAE, DataModule]:
    """Load the best model of a run, and make its data module, which reads nothing yet.

    A run's folder may be another's: only classes of vae_zoo are imported.

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
    config: dict[str, Any] = {part: run.config.get(part) for part in ("model", "data")}
    if missing := [part for part, given in config.items() if not isinstance(given, dict)]:
        raise ValueError(f"{run.config_file} lacks {' and '.join(missing)}")
    config["model"] = {k: v for k, v in config["model"].items() if k not in OF_TRAINING}
    for name in _imports(config):
        module = name.partition(".")[0]
        if module not in {"vae_zoo", *trust}:
            raise ValueError(
                f"{run.config_file} names {name}, which would run the code of {module}: add "
                f"--trust {module} if that is yours"
            )
    if trust:
        sys.path.insert(0, str(Path.cwd()))
    model, data = _make(config, run)
    load_weights(model, checkpoint(run))
    return model.eval(), data


def _imports(config: object) -> Iterator[str]:
    """Whatever in a configuration might be imported: a path of a module that can be found."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "class_path" and "." in str(value):
                yield str(value)
            if key not in FILES or not isinstance(value, str):
                yield from _imports(value)
    elif isinstance(config, list):
        for value in config:
            yield from _imports(value)
    elif isinstance(config, str) and DOTTED.fullmatch(config):
        module = config.partition(".")[0]
        if module in sys.modules or importlib.util.find_spec(module):
            yield config


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


def checkpoint(run: Run) -> Path:
    """Return the path of best.ckpt, or of last.ckpt while there is no other."""
    best = run.checkpoints / "best.ckpt"
    path = best if best.is_file() else run.last_checkpoint
    if not path.is_file():
        raise FileNotFoundError(f"{run.folder} has no checkpoint yet: {best}")
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, running nothing that it may hold besides tensors and plain numbers.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, or holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu")
        return {"global_step": checkpoint["global_step"], **checkpoint}
    except Exception as error:
        reason = str(error).partition("\n")[0][:100]
        raise ValueError(f"{path} is no checkpoint that can be read: {reason}") from error


def load_weights(model: VAE, path: Path) -> None:
    """Load the weights of a checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, or one of another model.
    """
    try:
        model.load_state_dict(read_checkpoint(path)["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is a checkpoint of another model: {reason}") from error
