"""``vae-zoo sample``, ``reconstruct``, ``interpolate`` and ``traverse``."""

import math
from collections.abc import Sequence
from pathlib import Path

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.evaluation.examples import SplitName, read
from vae_zoo.generation.decoded import (
    chosen_examples,
    conditions,
    first,
    interpolate,
    numbered,
    reconstruct,
    sample,
)
from vae_zoo.generation.dimensions import MEASURED, MOST, Dimensions, traverse
from vae_zoo.generation.files import write_made
from vae_zoo.generation.made import COLUMNS
from vae_zoo.restore import restore
from vae_zoo.runs import check_new
from vae_zoo.vae import VAE


def write_samples(
    folder: Path,
    n: int = 16,
    label: str | None = None,
    output: Path | None = None,
    seed: int = 0,
    trust: Sequence[str] = (),
) -> str:
    """Sample the best model of a run, from its own prior.

    Texts are drawn character by character; of all else the mean of p(x | z) is shown. A model of
    labels takes them in turn, one of other conditions those of the first test examples.

    Args:
        folder: The run's folder.
        n: Number of samples.
        label: One label for all, by its name or its number.
        output: A new file, of texts (.txt), pictures (.png) or numbers (.npz). Unless given, texts
            are returned, and all else is written to samples.png, or samples.npz.
        seed: Of the samples.
        trust: Modules of one's own that the run may import.

    Returns:
        The texts, or a line that says what was written.

    Raises:
        OSError: There is no such run, or the file is there, or cannot be written.
        ValueError: A number or the label is not right, or the data are none of such a file.
    """
    if n < 1:
        raise ValueError(f"-n must be at least 1, got {n}")
    if seed < 0:
        raise ValueError(f"--seed must be non-negative, got {seed}")
    check_new(output)
    model, data = restore(folder, trust)
    number = None if label is None else _number(label, model, data)
    y = conditions(model, data, n, number)
    columns = math.ceil(math.sqrt(n))
    if y is not None and model.classes and label is None:
        columns = min(n, model.classes)
    made = sample(model, n, y, columns, data.known_names, seed)
    return write_made(data, made, output, "samples")


def write_reconstructions(
    folder: Path,
    n: int = COLUMNS,
    split: SplitName = "test",
    output: Path | None = None,
    trust: Sequence[str] = (),
) -> str:
    """Reconstruct the first examples of a split by the means of q(z | x), below their originals.

    Args:
        folder: The run's folder.
        n: Number of examples, or all if there are fewer.
        split: Of the run's data.
        output: As of :func:`write_samples`; the pictures' default is reconstructions.png.
        trust: Modules of one's own that the run may import.

    Returns:
        The texts, or a line that says what was written.

    Raises:
        OSError: There is no such run, or the file is there, or cannot be written.
        ValueError: The number is not right, or the data are none of such a file.
    """
    if n < 1:
        raise ValueError(f"-n must be at least 1, got {n}")
    check_new(output)
    model, data = restore(folder, trust)
    made = reconstruct(model, *first(model, data, n, split))
    return write_made(data, made, output, "reconstructions")


def write_interpolation(
    folder: Path,
    between: tuple[int, int] = (0, 1),
    steps: int = 8,
    output: Path | None = None,
    trust: Sequence[str] = (),
) -> str:
    """Decode the codes on a line between those of two test examples, and show them between both.

    Args:
        folder: The run's folder.
        between: The numbers of the two examples in the test split.
        steps: Number of codes, of which the first and the last are those of the examples.
        output: As of :func:`write_samples`; the pictures' default is interpolation.png.
        trust: Modules of one's own that the run may import.

    Returns:
        The texts, or a line that says what was written.

    Raises:
        OSError: There is no such run, or the file is there, or cannot be written.
        ValueError: There is no such example or no code, or the data are none of such a file.
    """
    if steps < 2:
        raise ValueError(f"--steps must be at least 2, got {steps}")
    check_new(output)
    model, data = restore(folder, trust)
    _require_codes(folder, model, "to go between")
    x, y = _named(model, data, between, "--between must name two of")
    made = interpolate(model, x, y, steps, between)
    return write_made(data, made, output, "interpolation")


def write_traversals(
    folder: Path,
    example: int = 0,
    steps: int = 9,
    output: Path | None = None,
    trust: Sequence[str] = (),
) -> str:
    """Change one dimension at a time of the code of a test example, the most used ones first.

    Args:
        folder: The run's folder.
        example: The number of the example in the test split.
        steps: Number of codes of each dimension; of an odd number the middle one is the example's.
        output: As of :func:`write_samples`; the pictures' default is traversals.png.
        trust: Modules of one's own that the run may import.

    Returns:
        The texts, or a line that says what was written.

    Raises:
        OSError: There is no such run, or the file is there, or cannot be written.
        ValueError: There is no such example or no code, or the data are none of such a file.
    """
    if steps < 2:
        raise ValueError(f"--steps must be at least 2, got {steps}")
    check_new(output)
    model, data = restore(folder, trust)
    _require_codes(folder, model, "to change")
    x, y = _named(model, data, [example], "--example must name one of")
    dimensions = Dimensions.of(model, *chosen_examples(model, data, MEASURED))
    made = traverse(model, x, y, dimensions, steps, MOST)
    return write_made(data, made, output, "traversals")


def _require_codes(folder: Path, model: VAE, aim: str) -> None:
    if not model.latent_dim:
        raise ValueError(f"{folder} is a regression: it has no codes {aim}")


def _named(model: VAE, data: DataModule, numbers: Sequence[int], rule: str) -> Batch:
    """Take test examples by their numbers.

    Raises:
        ValueError: There are no such ones.
    """
    size = len(read(model, data).test.x)
    if min(numbers) < 0 or max(numbers) >= size:
        got = " ".join(map(str, numbers))
        raise ValueError(f"{rule} the test examples 0 to {size - 1}, got {got}")
    return numbered(model, data, numbers)


def _number(label: str, model: VAE, data: DataModule) -> int:
    """The number of a label, which a name says before a number does.

    Raises:
        ValueError: There is no such label, or the model knows none.
    """
    if not (model.classes and model.condition.dim):
        raise ValueError(f"--label is of a model with a label as its condition, got {label}")
    names: Sequence[str] = data.known_names
    if label in names:
        return names.index(label)
    if label.isdecimal() and int(label) < model.classes:
        return int(label)
    named = f"one of {', '.join(map(repr, names[:20]))}, or " if names else ""
    raise ValueError(f"--label must be {named}0 to {model.classes - 1}, got {label}")
