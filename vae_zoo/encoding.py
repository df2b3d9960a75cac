"""``vae-zoo encode``: codes, labels and log-densities of a split, or of a user's own file."""

import math
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from vae_zoo.data import DataModule, Files, Split
from vae_zoo.data.binarization import GreyData
from vae_zoo.data.reading import TABLES, names_in
from vae_zoo.evaluation.examples import SplitName, examples
from vae_zoo.posteriors import Delta
from vae_zoo.restore import restore
from vae_zoo.runs import check_new, replace
from vae_zoo.vae import VAE

ROWS = 256  # of one pass; the noise follows them, so that no option of the data changes it


def write_codes(
    folder: Path,
    output: Path,
    split: SplitName = "test",
    file: Path | None = None,
    labels: str | None = None,
    trust: Sequence[str] = (),
) -> str:
    """Write the codes of examples to an .npz file, whole or not at all.

    Its arrays have a row for each example: ``mean`` of q(z | x), a ``sample`` z of it, and in nats
    ``log_posterior`` log q(z | x), ``log_prior`` log p(z) and ``log_likelihood`` log p(x | z) of
    that sample; ``labels`` and their ``label_names``, or ``conditions``. What is undefined is
    absent.

    Args:
        folder: The run's folder.
        output: The file to write.
        split: The split of the run's data, in the order in which it is stored.
        file: A file or folder of one's own instead; see :class:`vae_zoo.data.Files`.
        labels: The column, the array or the file of its labels.
        trust: Modules of one's own that the run may import.

    Returns:
        A line that says what was written.

    Raises:
        FileExistsError: The output is there already.
        ValueError: The file does not fit the model.
        OSError: A file cannot be read, or not be written.
    """
    if output.suffix != ".npz":
        raise ValueError(f"--output must end in .npz, got {output}")
    check_new(output)
    if file is None and labels is not None:
        raise ValueError(f"--labels are those of a --file, and a split has its own, got {labels}")
    model, data = restore(folder, trust)
    names: Sequence[str] = data.known_names if model.classes else ()
    if file is None:
        x, y = examples(model, data, split)
        codes = encode(model, x, y)
    else:
        own, names = read_file(file, labels, model, data)
        x, y = data.batch(*own)
        codes = encode(model, x, y if model.classes else None)
    if y is not None:
        codes["conditions" if model.condition_shape and file is None else "labels"] = y
    arrays = {name: code.numpy() for name, code in codes.items()}
    if "labels" in arrays and names:
        arrays["label_names"] = np.asarray(names)
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    replace(output, buffer.getvalue())
    n, d = arrays["mean"].shape
    return f"{output}: {n} codes of {d} dimensions: {', '.join(arrays)}"


def read_file(
    path: Path, labels: str | None, model: VAE, data: DataModule
) -> tuple[Split, Sequence[str]]:
    """Read a user's file as data like the run's, in the order in which it stands there.

    Labels mean what those of the run mean: a word of its files, or a number. Grey values are
    changed as those of the run's test split are. The run's own data are not read.

    Returns:
        The examples, and the names of their labels.

    Raises:
        ValueError: It is not like them.
    """
    files = _like(path, labels, model, data)
    if files.shape != model.shape:
        raise ValueError(
            f"{path} has examples of shape {files.shape}, and the model's are of {model.shape}"
        )
    names: Sequence[str] = files.names
    if names and model.classes:
        names = data.known_names or [*map(str, range(model.classes))]
    return files.in_order(names), names


def _like(path: Path, labels: str | None, model: VAE, data: DataModule) -> Files:
    """Take a file as the run took its own."""
    own = data if isinstance(data, Files) else None
    found = names_in(path) if own else []
    if own and labels is None and own.labels in found:
        labels = own.labels
    make = partial(Files, path, labels)
    if path.is_dir() and len(model.shape) == 3:
        size = own.size_of_images if own else None
        make = partial(make, size=size, grayscale=model.shape[0] == 1)
    elif own and path.suffix.lower() in TABLES:
        make = partial(make, ignore=[name for name in own.ignore if name in found])
    files = make()
    if len(files.shape) == 1 < len(model.shape) and files.shape[0] == math.prod(model.shape):
        files = (make := partial(make, shape=model.shape))()  # rows of values
    stored = data.support
    if files.stored != stored and isinstance(data, GreyData):  # grey yet
        stored = data.stored
        changes = {"binarization": data.binarization, "dequantization": data.dequantization}
        make = partial(make, **changes)
    if stored == "tokens":
        raise ValueError(f"{path} cannot be encoded: the model is one of tokens, and not of files")
    return files if files.stored == data.support else make(support=stored)


def encode(model: VAE, x: Tensor, y: Tensor | None) -> dict[str, Tensor]:
    """Return codes of examples, and log-densities of one sample each, in nats.

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(N, *X)``.
        y: Labels ``(N,)`` or conditions ``(N, *Y)``, if any.

    Raises:
        ValueError: The model needs labels.
    """
    if model.condition.dim and y is None:
        raise ValueError("the model is conditional, and the file has no labels: name its --labels")
    with torch.no_grad(), isolate_rng():
        torch.manual_seed(0)
        parts = [
            _encode(model, x[rows], None if y is None else y[rows])
            for rows in (slice(start, start + ROWS) for start in range(0, len(x), ROWS))
        ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _encode(model: VAE, x: Tensor, y: Tensor | None) -> dict[str, Tensor]:
    c = model.condition(y)
    q = model.encode(x, c)
    z = q.rsample()
    codes = {"mean": model.posterior.point(q), "sample": z}
    if not isinstance(q, Delta):
        codes["log_posterior"] = q.log_prob(z)
    codes["log_prior"] = model.prior(c).expand(q.batch_shape).log_prob(z)
    return codes | {"log_likelihood": model.log_likelihood(x, z, c)}
