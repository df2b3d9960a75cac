"""Run folders as training leaves them, with numbers that a test can compute again."""

import math
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

EPOCHS = 40


def part(family: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": f"vae_zoo.{family}.{name}", "init_args": arguments}


KL, MMD, SLICED = (
    part("regularizers", "KL", weight=1.0),
    part("regularizers", "MMD", weight=10.0, kernel="imq", scales=[0.1, 1.0]),
    part("regularizers", "SlicedWasserstein", weight=10.0, projections=50),
)


def configuration(seed: int | None = 0, **changes: Any) -> dict[str, Any]:
    """A complete configuration; ``model`` in ``changes`` replaces single parts of the model."""
    model = {
        "shape": [1, 8, 8],
        "classes": 10,
        "latent_dim": 8,
        "regularizer": KL,
        "prior": "vae_zoo.priors.StandardNormal",
        "posterior": part("posteriors", "DiagonalNormal"),
        "likelihood": part("likelihoods", "Bernoulli"),
        "condition": part("conditions", "Unconditional"),
        "encoder": part("networks", "MLP", hidden=[256, 256]),
    }
    return {
        "name": "demo",
        "seed_everything": seed,
        "trainer": {"max_epochs": EPOCHS},
        "data": part("data", "Digits", batch_size=64),
        **changes,
        "model": model | changes.get("model", {}),
    }


def curve(last: dict[str, float], epoch: int) -> dict[str, float]:
    """Terms that approach their last values, as in training."""
    to_go = math.exp(-epoch / 6)
    return {name: value * (1 + 0.8 * to_go) for name, value in last.items()}


def write_metrics(file: Path, test: dict[str, float], epochs: int = EPOCHS) -> None:
    """Sparse rows: train and val of each epoch apart, then the test split; absent stays empty."""
    rows: list[dict[str, float]] = []
    for epoch in range(epochs):
        where = {"epoch": epoch, "step": 20 * (epoch + 1)}
        for stage in ("train", "val"):
            terms = curve(test, epoch)
            rows.append(where | {f"{stage}/{name}": value for name, value in terms.items()})
    if epochs == EPOCHS:
        rows.append({f"test/{name}": value for name, value in test.items()})
        rows.append({"best/val_loss": test["loss"]})
    columns = ["epoch", "step", *sorted({name for row in rows for name in row} - {"epoch", "step"})]
    lines = [",".join(str(row.get(name, "")) for name in columns) for row in rows]
    file.write_text("\n".join([",".join(columns), *lines]) + "\n")


def write_images(folder: Path, seed: int) -> None:
    folder.mkdir()
    noise = random.Random(seed)
    for name, height in (("reconstructions", 2), ("samples", 4)):
        image = Image.new("L", (80, 10 * height))
        for x in range(80):
            for y in range(10 * height):
                inside = 1 < x % 10 < 8 and 1 < y % 10 < 8
                image.putpixel((x, y), noise.randint(120, 255) if inside else 20)
        image.save(folder / f"{name}.png")


def write_run(folder: Path, config: dict[str, Any], epochs: int = EPOCHS, **test: float) -> Path:
    """Write a run's folder; ``test`` are the terms of the test split, loss and penalty by default.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    rest = {"penalty": 2.0, "loss": test.get("reconstruction", 0.0) + 2.0}
    write_metrics(folder / "metrics.csv", rest | test, epochs)
    write_images(folder / "images", config["seed_everything"] or 0)
    return folder


ZOO: list[tuple[dict[str, Any], float, float]] = [
    ({"regularizer": part("regularizers", "KL", weight=0.5)}, 11.4, 9.6),
    ({"regularizer": KL}, 13.9, 6.1),
    ({"regularizer": part("regularizers", "KL", weight=4.0)}, 19.6, 2.2),
    ({"regularizer": MMD}, 10.7, 12.4),
    ({"regularizer": SLICED}, 11.9, 10.8),
    ({"prior": part("priors", "MixtureOfNormals", components=10)}, 13.1, 6.3),
]


def write_zoo(folder: Path, seeds: int = 3) -> Path:
    """Write the demo: six groups, each with some seeds."""
    noise = random.Random(0)
    for i, (model, distortion, rate) in enumerate(ZOO):
        for seed in range(seeds):
            reconstruction = distortion + noise.gauss(0, 0.15)
            kl = rate + noise.gauss(0, 0.1)
            write_run(
                folder / f"run{i}{seed}",
                configuration(seed, model=model),
                elbo=-reconstruction - kl,
                reconstruction=reconstruction,
                kl=kl,
            )
    return folder


class Folder:
    """A folder that tests fill with runs."""

    part = staticmethod(part)

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self,
        run: str,
        seed: int | None = 0,
        *,
        epochs: int = EPOCHS,
        data: dict[str, Any] | None = None,
        terms: dict[str, float] | None = None,
        **model: Any,
    ) -> Path:
        """Write a run with some parts of the model changed."""
        changes = {"data": data} if data else {}
        known = {"elbo": -20.0, "reconstruction": 14.0, "kl": 6.0} if terms is None else terms
        config = configuration(seed, model=model, **changes)
        return write_run(self.path / run, config, epochs, **known)


@pytest.fixture
def runs(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "demo")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_zoo(tmp_path_factory.mktemp("runs") / "demo")
