"""Samples, reconstructions and interpolations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.evaluation.examples import SplitName, examples, read
from vae_zoo.evaluation.noise import evaluating
from vae_zoo.generation.made import COLUMNS, Made, rows_of
from vae_zoo.vae import VAE


def first(model: VAE, data: DataModule, n: int, split: SplitName = "test") -> Batch:
    """Take the first n examples of a split, or all if there are fewer, to the model's device."""
    size = len(getattr(read(model, data), split).x)
    return numbered(model, data, range(min(n, size)), split)


def numbered(
    model: VAE, data: DataModule, numbers: Sequence[int], split: SplitName = "test"
) -> Batch:
    """Take examples of a split by their numbers, to the model's device.

    Raises:
        ValueError: There are no such ones.
    """
    stored = getattr(read(model, data), split)
    if min(numbers) < 0 or max(numbers) >= len(stored.x):
        got = " ".join(map(str, numbers))
        raise ValueError(f"examples must be some of 0 to {len(stored.x) - 1}, got {got}")
    x, y = data.batch(*stored.take(torch.tensor(numbers)))
    return x.to(model.device), None if y is None else y.to(model.device)


def chosen_examples(model: VAE, data: DataModule, n: int) -> Batch:
    """Take n test examples from anywhere, the same each time, to the model's device."""
    x, y = examples(model, data, "test", n)
    return x.to(model.device), None if y is None else y.to(model.device)


def sample(
    model: VAE,
    n: int,
    y: Tensor | None = None,
    columns: int = COLUMNS,
    names: Sequence[str] = (),
    seed: int = 0,
) -> Made:
    """Decode samples of the model's own prior.

    Args:
        model: The model.
        n: Number of samples.
        y: Labels ``(n,)``, or conditions ``(n, *Y)``, of a conditional model.
        columns: Of a picture.
        names: Names of the labels, by their numbers.
        seed: Of the samples.
    """
    with evaluating(model):
        torch.manual_seed(seed)
        x = model.sample(n, y)
    titles = [f"sample {i}" for i in range(n)]
    if y is not None and model.classes:
        known = names or range(model.classes)
        titles = [f"{title}, label {known[i]}" for title, i in zip(titles, y.tolist(), strict=True)]
    return Made(x, y, titles, rows_of(n, columns))


def conditions(
    model: VAE, data: DataModule, n: int, label: int | None = None, split: SplitName = "test"
) -> Tensor | None:
    """What n samples are conditioned on: a label, or all in turn, or what examples have.

    Returns:
        Labels ``(n,)``, or conditions ``(n, *Y)``; None if the data have neither, or the model
        knows no labels.
    """
    if model.classes and model.condition.dim:
        labels = torch.arange(n) % model.classes if label is None else torch.full((n,), label)
        return labels.to(model.device)
    if not model.condition_shape:
        return None
    _, y = first(model, data, n, split)
    return None if y is None else y[torch.arange(n) % len(y)]


def reconstruct(model: VAE, x: Tensor, y: Tensor | None) -> Made:
    """Decode the means of q(z | x); on a picture they stand below their originals.

    Args:
        model: The model.
        x: Examples ``(N, *X)``.
        y: Their labels ``(N,)`` or conditions ``(N, *Y)``, if any.
    """
    with evaluating(model):
        both = torch.stack([x, model.reconstruct(x, y)], dim=1).flatten(0, 1)
    titles = [f"{what} {i}" for i in range(len(x)) for what in ("example", "reconstruction")]
    blocks = rows_of(len(x), COLUMNS)
    rows = [[2 * i + below for i in block] for block in blocks for below in (0, 1)]
    return Made(both, None if y is None else y.repeat_interleave(2, 0), titles, rows)


def interpolate(
    model: VAE, x: Tensor, y: Tensor | None, steps: int, numbers: Sequence[int]
) -> Made:
    """Decode the codes on a line between those of two examples, for one or several such pairs.

    A code is the mean of q(z | x). The line is straight: it has meaning under any prior, and the
    means of a normal posterior are no samples of N(0, I), whose norm an arc would keep. The
    condition is that of the first example throughout, so that the code alone changes.

    Args:
        model: The model.
        x: Examples ``(2P, *X)``: the two of the first pair, those of the second, and so on.
        y: Their labels ``(2P,)`` or conditions ``(2P, *Y)``, if any.
        steps: Number of codes, of which the first and the last are those of the examples.
        numbers: Those of the examples, for titles.
    """
    weights = torch.linspace(0, 1, steps, device=x.device).unsqueeze(1)
    with evaluating(model):
        c = model.condition(y).to(model.dtype).expand(len(x), -1)
        z = model.posterior.point(model.encode(x, c)).unsqueeze(1)
        codes = torch.lerp(z[::2], z[1::2], weights.to(z)).flatten(0, 1)  # (P steps, D)
        decoded = model.decode(codes, c[::2].repeat_interleave(steps, 0))
        between = model.likelihood.point(decoded)
    between = between.view(-1, steps, *x.shape[1:])
    start, end = (x[at::2].unsqueeze(1).to(between) for at in (0, 1))
    shown = torch.cat([start, between, end], dim=1)  # (P, steps + 2, *X)
    if y is not None:
        of_start = [2 * (i // (steps + 2)) for i in range(shown.shape[0] * (steps + 2))]
        index = torch.tensor(of_start, device=y.device)
        index[steps + 1 :: steps + 2] += 1  # the examples at the right
        y = y[index]
    titles = []
    for one, other in zip(numbers[::2], numbers[1::2], strict=True):
        between_them = [f"at {weight:.2f}" for weight in weights[:, 0].tolist()]
        titles += [f"test example {one}", *between_them, f"test example {other}"]
    return Made(shown.flatten(0, 1), y, titles, rows_of(len(titles), steps + 2))
