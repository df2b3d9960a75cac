"""What runs are grouped by on W&B: the short words of a configuration, beside its full tree."""

from collections.abc import Mapping
from typing import Any

from vae_zoo.comparison.configuration import class_of, regularizer_name, regularizer_weights

BLOCK = "zoo"  # of a run's configuration on W&B; no option of `vae-zoo fit` is called so


def columns(config: Mapping[str, Any]) -> dict[str, str | float]:
    """Say in short words what a run is, without what it lacks.

    A regularizer has those that it wraps in its name: ``Annealed(MMD)``. The weight is absent where
    there are several, as of a sum.

    Args:
        config: The complete configuration, as ``config.yaml`` has it.
    """
    model, seed = config["model"], config.get("seed_everything")
    weights = [*regularizer_weights(model["regularizer"])]
    found = {
        "regularizer": regularizer_name(model["regularizer"]),
        **{part: class_of(model.get(part)) for part in ("prior", "posterior", "likelihood")},
        "data": class_of(config["data"]),
        "latent_dim": model.get("latent_dim"),
        "weight": weights[0] if len(weights) == 1 else None,
        "seed": None if isinstance(seed, bool) else seed,
    }
    return {name: one for name, one in found.items() if one not in (None, "")}
