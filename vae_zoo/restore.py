"""A trained model, and the data that it was trained on, from the folder of its run."""

import re
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from vae_zoo.catalogue import FAMILIES
from vae_zoo.conditions import Condition
from vae_zoo.data import DataModule
from vae_zoo.likelihoods import Likelihood
from vae_zoo.networks import Network
from vae_zoo.objectives import Objective
from vae_zoo.posteriors import Posterior
from vae_zoo.priors import Prior
from vae_zoo.regularizers import Regularizer
from vae_zoo.runs import Run
from vae_zoo.vae import VAE

OF_TRAINING = {"optimizer", "lr_scheduler", "lr_interval"}  # of the model's options
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
MADE_HERE = (Regularizer, Objective, DataModule)
MADE_BY_THE_VAE = (Prior, Posterior, Likelihood, Condition, Network)  # which knows the sizes


def restore(folder: Path, trust: Sequence[str] = ()) -> tuple[VAE, DataModule]:
    """Load the best model of a run, and make its data module, which reads nothing yet.

    A run's folder may be another's, so that its config goes through no parser, which would import
    and call what it names: of vae_zoo only the classes of the zoo are made, and of other modules
    only those that are trusted.

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
    options = {name: part for name, part in config["model"].items() if name not in OF_TRAINING}
    if trust:
        sys.path.insert(0, str(Path.cwd()))
    try:
        data = _make(config["data"], trust)
        model = VAE(**{name: _make(part, trust) for name, part in options.items()})
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:  # recursion is one, too
        raise ValueError(f"{run.config_file}: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(data, DataModule):
        raise ValueError(f"{run.config_file}: data must be a class of data modules")
    path = checkpoint(run)
    load_state(data, load_weights(model, path))
    check_finite(model, path)
    return model.eval(), data


def _make(config: Any, trust: Iterable[str]) -> Any:
    """Make what a configuration describes: an object, a class with options, or a plain value."""
    if isinstance(config, list):
        return [_make(part, trust) for part in config]
    if not isinstance(config, dict):
        return config
    if "class_path" not in config:
        return {name: _make(part, trust) for name, part in config.items()}
    if unknown := set(config) - {"class_path", "init_args"}:
        raise ValueError(f"beside class_path there may be init_args alone, got {sorted(unknown)}")
    family = _find(config["class_path"], trust)
    options = _make(config.get("init_args") or {}, trust)
    if not isinstance(options, dict):
        raise ValueError(f"init_args of {family.__name__} must be a mapping, got {options!r:.60}")
    return family(**options) if issubclass(family, MADE_HERE) else partial(family, **options)


def _find(path: Any, trust: Iterable[str]) -> type:
    """Find a class of the zoo, or of a module that is trusted.

    Raises:
        ValueError: There is none of that name, or its module is not trusted.
    """
    if not (isinstance(path, str) and DOTTED.fullmatch(path)):
        raise ValueError(f"class_path must be as vae_zoo.regularizers.KL, got {path!r:.80}")
    module, _, name = path.rpartition(".")
    first = module.partition(".")[0]
    found: Any = None
    if first == "vae_zoo":
        families = [family for family in FAMILIES if f"{module}.".startswith(f"vae_zoo.{family}.")]
        found = next((getattr(import_module(f"vae_zoo.{f}"), name, None) for f in families), None)
    elif first in trust:
        found = getattr(_import(module, path), name, None)
    else:
        raise ValueError(
            f"it names {path}, which would run the code of {first}: add --trust {first} if that "
            "is yours"
        )
    if not (isinstance(found, type) and issubclass(found, (*MADE_HERE, *MADE_BY_THE_VAE))):
        raise ValueError(f"there is no class {path} of a model or of data")
    return found


def _import(module: str, path: str) -> Any:
    """Import a module that is trusted.

    Raises:
        ValueError: It is not there any more, or fails.
    """
    try:
        return import_module(module)
    except Exception as error:  # of a file of the user's own
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        raise ValueError(
            f"{path} cannot be imported here ({reason}): run this where {module}.py is, as it was "
            "when the run was trained"
        ) from error


def check_finite(model: VAE, path: Path) -> None:
    """Refuse weights that a diverged training has left.

    Raises:
        ValueError: A parameter is not finite.
    """
    for name, parameter in [*model.named_parameters(), *model.encoder.named_buffers()]:
        if not parameter.isfinite().all():
            raise ValueError(
                f"{path} holds values that are not finite, in {name}: its training diverged; train "
                "it again with a lower --model.optimizer.lr"
            )


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
        content = torch.load(path, weights_only=True, map_location="cpu")
        return {"global_step": content["global_step"], **content}
    except Exception as error:
        reason = str(error).partition("\n")[0][:100]
        raise ValueError(f"{path} is no checkpoint that can be read: {reason}") from error


def load_weights(model: VAE, path: Path) -> dict[str, Any]:
    """Load the weights of a checkpoint, and return all that it holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, or one of another model.
    """
    try:
        content = read_checkpoint(path)
        model.load_state_dict(content["state_dict"])
        return content
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is a checkpoint of another model: {reason}") from error


def load_state(data: DataModule, checkpoint: dict[str, Any]) -> None:
    """Let data remember what a checkpoint keeps of them, at Lightning's place for it.

    Raises:
        ValueError: The data were read, and are others.
    """
    if isinstance(state := checkpoint.get(type(data).__qualname__), dict):
        data.load_state_dict(state)
