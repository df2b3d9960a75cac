"""Run folders as training leaves them, with numbers that a test can compute again."""

import math
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from vae_zoo.evaluation.score import Score
from vae_zoo.scorecard import Part, ScoreCard

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


Numbers = dict[str, float | tuple[float, float | None]]  # by name, with or without an error
POINT = "no density: the posterior is deterministic"
SETTINGS: dict[str, dict[str, Any]] = {
    "importance": {"n": 1000, "seed": 0, "samples": 500},
    "annealing": {"n": 50, "seed": 0, "chains": 16, "steps": 1000},
    "aggregate": {"n": 1000, "seed": 0, "ceiling": 6.908},
    "yardsticks": {"n": 1000, "seed": 0, "kernel": "imq", "widths": [0.1, 1.0], "projections": 500},
    "holes": {"n": 1000, "seed": 0, "features": "MLP", "accuracy": 0.97},
    "samples": {"n": 1000, "seed": 0, "features": "MLP", "accuracy": 0.97, "neighbours": 5},
    "cost": {"threads": 2},
}


def part_of_card(
    name: str, numbers: Numbers, absent: dict[str, str] | None = None, **setting: Any
) -> Part:
    """Make a part with its usual setting, some of it changed."""
    scores = {
        key: Score(*(one if isinstance(one, tuple) else (one,))) for key, one in numbers.items()
    }
    made = SETTINGS.get(name, {"n": 1000, "seed": 0}) | setting
    return Part(made if scores else {}, scores, absent or {}, {"recipe": 1})


def write_card(folder: Path, conditional: bool = False, **parts: Part | Numbers) -> None:
    """Write a score card; a part of plain numbers is in its usual setting."""
    whole = {
        name: part if isinstance(part, Part) else part_of_card(name, part)
        for name, part in parts.items()
    }
    card = ScoreCard("best.ckpt", "0" * 64, "test", conditional, parts=whole)
    card.write(folder / "scorecard.json")


def parts_of(distortion: float, rate: float, noise: random.Random, point: bool) -> dict[str, Part]:
    """All parts of a card that such a run may have; of points, what has no density is absent."""

    def near(value: float, error: float = 0.02) -> tuple[float, float]:
        return value * (1 + noise.gauss(0, error)), abs(value) * error

    elbo, dimensions = -distortion - rate, 8
    used = [noise.expovariate(1.0) * (i < rate / 1.5) for i in range(dimensions)]
    floor = {"fid": 0.02, "kid": 0.0001, "precision": 0.9, "recall": 0.9, "density": 1.0}
    floor["coverage"] = 0.97
    quality: Numbers = {}
    for of, loss in (("samples", 4.0), ("reconstructions", 1.5), ("train", 0.0)):
        for i, (name, best) in enumerate(floor.items()):
            change = 1 + (distortion * loss if i < 2 else -loss / 10)
            quality[f"{name}/{of}"] = near(best * change) if loss else (best, best / 20)
    radii = {f"distance_at_radius/{r}": near(0.4 + r / 5) for r in (0.5, 1, 2)}
    dense = not point
    absent = {} if dense else {"": POINT}
    likelihood = {"reconstruction": near(distortion)}
    likelihood |= (
        {"elbo": near(elbo), "kl": near(rate), "bits_per_dimension": near(-elbo / 64 / math.log(2))}
        if dense
        else {}
    )
    ais, gap = {"ais": near(elbo + 2.0), "bdmc_gap": near(0.4)}, near(2.0)
    gaps = {"posterior_gap": gap, "approximation_gap": near(0.7), "amortisation_gap": near(1.3)}
    aggregate = {
        "mutual_information": near(rate * 0.8),
        "aggregate_kl": near(rate * 0.2),
        "surgery_rate": near(rate),
        "total_correlation": near(0.9),
        "dimension_wise_kl": near(0.5),
        "prior_log_ratio": near(1.5),
        **{f"kl_of_dimension/{i}": (value, 0.01) for i, value in enumerate(used)},
    }
    prior = {"prior_samples": near(elbo * 1.6)}
    weighted = {"importance_sampling": near(elbo + 1.2), "effective_samples": near(80.0, 0.2)}
    units = {"active_units": (float(sum(value > 0.1 for value in used)), 0.0)}
    codes = {
        "mmd": near(0.0004 * rate, 0.3),
        "sliced_wasserstein": near(0.04),
        "stein_discrepancy": near(0.3),
    }
    return {
        "likelihood": part_of_card("likelihood", likelihood, absent),
        "importance": part_of_card("importance", prior | (weighted if dense else {}), absent),
        "annealing": part_of_card("annealing", ais | (gaps if dense else {}), absent),
        "aggregate": part_of_card("aggregate", units | (aggregate if dense else {}), absent),
        "yardsticks": part_of_card("yardsticks", codes),
        "holes": part_of_card(
            "holes",
            {"two_sample_accuracy": near(0.61), **radii, "distance_at_radius/test": (0.31, 0.01)},
        ),
        "samples": part_of_card("samples", quality),
        "probes": part_of_card("probes", {"linear_probe": near(0.9), "knn": near(0.93)}),
        "factors": part_of_card("factors", {}, {"": "the factors of the data are not known"}),
        "cost": part_of_card(
            "cost",
            {
                "parameters": 165_456.0,
                "epoch_seconds": near(0.31),
                "examples_per_second": near(4500.0),
                "peak_memory": 412.3,
            },
        ),
    }


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


POINTS = part("posteriors", "Deterministic")
ZOO: list[tuple[dict[str, Any], float, float]] = [
    ({"regularizer": part("regularizers", "KL", weight=0.5)}, 11.4, 9.6),
    ({"regularizer": KL}, 13.9, 6.1),
    ({"regularizer": part("regularizers", "KL", weight=4.0)}, 19.6, 2.2),
    ({"regularizer": MMD}, 10.7, 12.4),
    ({"regularizer": SLICED}, 11.9, 10.8),
    ({"prior": part("priors", "MixtureOfNormals", components=10)}, 13.1, 6.3),
]


def write_zoo(folder: Path, seeds: int = 3, zoo: list[Any] = ZOO) -> Path:
    """Write the demo: six groups, each with some seeds, and their score cards."""
    noise = random.Random(0)
    for i, (model, distortion, rate) in enumerate(zoo):
        for seed in range(seeds):
            reconstruction = distortion + noise.gauss(0, 0.15)
            kl = rate + noise.gauss(0, 0.1)
            point = model.get("posterior") == POINTS
            dense = {} if point else {"elbo": -reconstruction - kl, "kl": kl}
            run = write_run(
                folder / f"run{i}{seed}",
                configuration(seed, model=model),
                reconstruction=reconstruction,
                **dense,
            )
            parts = parts_of(reconstruction, kl, random.Random(f"{i}{seed}"), point)
            write_card(run, **parts)
    return folder


class Folder:
    """A folder that tests fill with runs."""

    part = staticmethod(part)
    part_of_card = staticmethod(part_of_card)
    card = staticmethod(write_card)

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
