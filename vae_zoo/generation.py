"""``vae-zoo sample`` and ``vae-zoo interpolate``: texts, pictures or numbers of a trained model."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_zoo.callbacks.pictures import grid, paragraphs
from vae_zoo.data import DataModule
from vae_zoo.evaluation.examples import read
from vae_zoo.evaluation.noise import evaluating
from vae_zoo.restore import restore
from vae_zoo.runs import check_new, replace
from vae_zoo.vae import VAE


class Made(NamedTuple):
    """What a model made.

    Args:
        x: Of shape ``(N, *X)``.
        y: Labels ``(N,)`` or conditions ``(N, *Y)``, if any.
        titles: A title for each.
        columns: Of a picture.
    """

    x: Tensor
    y: Tensor | None
    titles: list[str]
    columns: int


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
    y = _conditions(model, data, n, label)
    with evaluating(model):
        torch.manual_seed(seed)
        x = model.sample(n, y)
    titles, columns = [f"sample {i}" for i in range(n)], math.ceil(math.sqrt(n))
    if y is not None and model.classes:
        names = data.known_names or range(model.classes)
        titles = [f"{title}, label {names[i]}" for title, i in zip(titles, y.tolist(), strict=True)]
        columns = columns if label is not None else min(n, model.classes)
    return _write(data, Made(x, y, titles, columns), output, "samples")


def write_interpolation(
    folder: Path,
    between: tuple[int, int] = (0, 1),
    steps: int = 8,
    output: Path | None = None,
    trust: Sequence[str] = (),
) -> str:
    """Decode the codes on a line between those of two test examples, and show them between both.

    A code is the mean of q(z | x). The line is straight: it has meaning under any prior, and the
    means of a normal posterior are no samples of N(0, I), whose norm an arc would keep. The
    condition is that of the first example throughout, so that the code alone changes.

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
    if not model.latent_dim:
        raise ValueError(f"{folder} is a regression: it has no codes to go between")
    split = read(model, data).test
    if min(between) < 0 or max(between) >= len(split.x):
        raise ValueError(
            f"--between must name two of the test examples 0 to {len(split.x) - 1}, got "
            f"{between[0]} {between[1]}"
        )
    x, y = data.batch(*split.take(torch.tensor(between)))
    weights = torch.linspace(0, 1, steps)
    with evaluating(model):
        c = model.condition(y)
        z, end = model.posterior.point(model.encode(x, c))
        codes = torch.lerp(z, end, weights.unsqueeze(1))
        decoded = model.likelihood.point(model.decode(codes, c[:1].expand(steps, -1)))
    x = torch.cat([x[:1], decoded, x[1:]])
    y = None if y is None else torch.cat([y[:1].repeat_interleave(steps + 1, 0), y[1:]])
    titles = [f"test example {between[0]}", *(f"at {weight:.2f}" for weight in weights.tolist())]
    titles.append(f"test example {between[1]}")
    return _write(data, Made(x, y, titles, len(x)), output, "interpolation")


def _conditions(model: VAE, data: DataModule, n: int, label: str | None) -> Tensor | None:
    """What n samples are conditioned on."""
    if model.classes and model.condition.dim:
        if label is None:
            return torch.arange(n) % model.classes
        return torch.full((n,), _number(label, data.known_names, model.classes))
    if label is not None:
        raise ValueError(f"--label is of a model with a label as its condition, got {label}")
    if not model.condition_shape:
        return None
    _, y = data.batch(*read(model, data).test.cut(0, n))
    return None if y is None else y[torch.arange(n) % len(y)]


def _number(label: str, names: Sequence[str], classes: int) -> int:
    """The number of a label, which a name says before a number does.

    Raises:
        ValueError: There is no such label.
    """
    if label in names:
        return names.index(label)
    if label.isdecimal() and int(label) < classes:
        return int(label)
    named = f"one of {', '.join(map(repr, names[:20]))}, or " if names else ""
    raise ValueError(f"--label must be {named}0 to {classes - 1}, got {label}")


def _write(data: DataModule, made: Made, output: Path | None, stem: str) -> str:
    """Write what was made, or return it if it is text, and no file is asked for."""
    pictures, texts = data.picture(made.x, made.y), data.texts(made.x)
    written = None if texts is None else paragraphs(made.titles, texts)
    if written is not None and output is None:
        return written.rstrip("\n")
    default = f"{stem}.npz" if pictures is None else f"{stem}.png"
    path = output or Path(default)
    check_new(path)
    content: str | bytes
    if path.suffix == ".npz":
        content = _npz(made)
    elif path.suffix == ".png" and pictures is not None:
        content = _png(pictures, made.columns)
    elif path.suffix == ".txt" and written is not None:
        content = written
    else:
        kinds = [*[".txt"] * (texts is not None), *[".png"] * (pictures is not None), ".npz"]
        raise ValueError(f"--output must end in {' or '.join(kinds)} for such data, got {path}")
    replace(path, content)
    return f"{path}: {made.titles[0]} to {made.titles[-1]}"


def _png(pictures: Tensor, columns: int) -> bytes:
    lacking = -len(pictures) % columns
    blank = pictures.new_ones(lacking, *pictures.shape[1:])
    buffer = BytesIO()
    grid(torch.cat([pictures, blank]), columns).save(buffer, format="png")
    return buffer.getvalue()


def _npz(made: Made) -> bytes:
    arrays = {"x": made.x.numpy()} | ({} if made.y is None else {"y": made.y.numpy()})
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
