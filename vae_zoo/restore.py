"""A trained model, and the data that it was trained on, from the folder of its run."""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from vae_zoo.catalogue import FAMILIES
from vae_zoo.checkpoints import (
    check_finite,
    checkpoint,
    load_state,
    load_weights,
    of_version,
    read_checkpoint,
)
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


class Loaded(NamedTuple):
    """What a run left.

    Args:
        model: Its best model, in evaluation mode on the CPU.
        data: The data that it was trained on, which are read when they are first asked for.
        run: Its folder.
    """

    model: VAE
    data: DataModule
    run: Run


def load(folder: str | Path, trust: Sequence[str] = ()) -> Loaded:
    """Load the best model of a run, with its data.

    In a notebook::

        model, data, run = vae_zoo.load("runs/demo/1a2b3c4d")
        vae_zoo.pictures.traversals(model, data)

    No code is imported that the run's folder names, but for the zoo's own and what is trusted.

    Args:
        folder: The run's folder, ``runs/<name>/<id>``.
        trust: Modules of one's own, such as ``["mine"]``.

    Raises:
        FileNotFoundError: There is no such run, or it has no checkpoint.
        ValueError: It names a class of a module that is not trusted, or does not fit together.
    """
    trust = [trust] if isinstance(trust, str) else trust
    return Loaded(*restore(Path(folder), trust), Run(Path(folder)))


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
    run.check_links()
    if not run.config_file.is_file():
        raise FileNotFoundError(f"{folder} is no run: it has no config.yaml")
    config: dict[str, Any] = {part: run.config.get(part) for part in ("model", "data")}
    if missing := [part for part, given in config.items() if not isinstance(given, dict)]:
        raise ValueError(f"{run.config_file} lacks {' and '.join(missing)}")
    options = {name: part for name, part in config["model"].items() if name not in OF_TRAINING}
    if trust:
        run.import_own(trust)
    try:
        data = _make(config["data"], trust)
        model = VAE(**{name: _make(part, trust) for name, part in options.items()})
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:  # recursion is one, too
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{run.config_file}: {reason}{_trained_by(run)}") from error
    if not isinstance(data, DataModule):
        raise ValueError(f"{run.config_file}: data must be a class of data modules")
    path = checkpoint(run)
    load_state(data, load_weights(model, path))
    check_finite(model, path)
    return model.eval(), data


def _trained_by(run: Run) -> str:
    """Say that another version of vae_zoo trained the run, if one did."""
    try:
        return of_version(read_checkpoint(checkpoint(run)))
    except (OSError, ValueError):
        return ""


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
            f"it names {path}, which would run the code of {first}: add --trust {first}, or "
            f"trust=['{first}'] in a notebook, if that is yours"
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
