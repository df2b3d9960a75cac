"""What a user's file holds: examples and labels as they stand there, in its own splits or in none.

Images are read in :mod:`vae_zoo.data.image_folder`, tables in :mod:`vae_zoo.data.tables`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vae_zoo.suggestion import did_you_mean

MAPPED = 2**30  # bytes of a .npy file, above which it is not read into memory
ALL = "all"  # the split of a file that has none
WORDS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


class Part(NamedTuple):
    """Examples, as they stand in a file.

    Args:
        x: One a row.
        y: Their labels, integers or words, if there are any.
        note: What was taken for what, to be said to the user.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    note: str = ""


Contents = dict[str, Part]  # by split: train, perhaps val and test; or ALL


def read_npy(path: Path) -> np.ndarray:
    """Read the array of a .npy file; one of more than ``MAPPED`` bytes stays on the disk.

    Raises:
        ValueError: It cannot be read, or holds objects.
    """
    with _loaded(path, mapped=path.stat().st_size > MAPPED) as array:
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{path} holds several arrays: name it .npz")
        return array


def read_npz(path: Path, labels: str | None) -> Contents:
    """Read the arrays of an .npz file: x and y, or x_train, y_train, x_test and so on.

    Args:
        path: The file.
        labels: Name of the labels, y unless given.

    Raises:
        ValueError: It cannot be read, or its names do not say what is what.
    """
    with _loaded(path) as arrays:
        if isinstance(arrays, np.ndarray):
            raise ValueError(f"{path} holds one array: name it .npy")
        splits = {split: _named(arrays.files, words) for split, words in WORDS.items()}
        if not splits["train"] and (others := [*filter(None, splits.values())]):
            raise ValueError(
                f"{path} has {' and '.join(others)} and no x_train to train on: name the examples "
                "x, and they are split"
            )
        if not splits["train"]:
            return {ALL: _single(path, arrays, labels)}
        return {
            split: Part(_array(path, arrays, name), _labels_of(path, arrays, labels, WORDS[split]))
            for split, name in splits.items()
            if name
        }


def names_of_arrays(path: Path) -> list[str]:
    """The names of the arrays of an .npz."""
    with _loaded(path) as arrays:
        return [] if isinstance(arrays, np.ndarray) else arrays.files


def read_labels(path: Path) -> np.ndarray:
    """Read labels from a .npy file, or from a .csv file of one column."""
    if path.suffix.lower() == ".npy":
        return read_npy(path)
    from vae_zoo.data.tables import read_csv  # imports pyarrow, as this module need not

    table = read_csv(path)
    if table.num_columns != 1:
        raise ValueError(
            f"{path} should hold one column, the labels, got {', '.join(table.column_names)}"
        )
    return np.asarray(table.column(0).to_pylist())


def check_labels(where: str, y: np.ndarray, examples: int) -> np.ndarray:
    """Return labels ``(N,)``, which must be integers or words, one for each example.

    Raises:
        ValueError: They are not.
    """
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.dtype.kind not in "iubU" or y.shape != (examples,):
        raise ValueError(
            f"{where}: labels must be integers or words, one for each of {examples} examples, got "
            f"{y.dtype} of shape {y.shape}"
        )
    if y.dtype.kind == "U" and (empty := np.char.strip(y) == "").any():
        raise ValueError(
            f"{where}: the label of example {empty.argmax()} (counted from 0) is "
            f"{str(y[empty.argmax()])!r}: fill it in, or leave the example out"
        )
    return y


@contextmanager
def _loaded(path: Path, mapped: bool = False) -> "Iterator[np.ndarray | np.lib.npyio.NpzFile]":
    with path.open("rb") as file:
        try:
            if mapped:  # copy-on-write, as torch wants arrays that could be written to
                loaded = np.load(path, mmap_mode="c", allow_pickle=False)
            else:
                loaded = np.load(file, allow_pickle=False)
        except Exception as error:  # of a broken header numpy raises whatever comes
            raise _unreadable(path, error) from error
        yield loaded


def _array(path: Path, arrays: "np.lib.npyio.NpzFile", name: str) -> np.ndarray:
    try:
        array: np.ndarray = arrays[name]
    except Exception as error:  # likewise
        raise _unreadable(path, error) from error
    return array


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())
    if "allow_pickle" in reason or "pickled" in reason:
        reason = "it is no array of numbers or words, and Python's own objects are never opened"
    return ValueError(f"{path} cannot be read: {reason[:120]}")


def _named(names: Sequence[str], words: Sequence[str], kind: str = "x") -> str | None:
    """The array of a split: x_train or, of examples, train."""
    for word in words:
        wanted = {f"{kind}_{word}", word} if kind == "x" else {f"{kind}_{word}"}
        for name in names:
            if name.lower() in wanted or name in wanted:
                return name
    return None


def _labels_of(
    path: Path, arrays: "np.lib.npyio.NpzFile", labels: str | None, words: Sequence[str]
) -> np.ndarray | None:
    name = _named(arrays.files, words, labels or "y")
    if name is None and labels:
        raise ValueError(
            f"labels: {path} has no array {labels}_{words[0]}, but {', '.join(arrays.files)}"
        )
    return None if name is None else _array(path, arrays, name)


def _single(path: Path, arrays: "np.lib.npyio.NpzFile", labels: str | None) -> Part:
    names = arrays.files
    if labels is not None and labels not in names:
        raise ValueError(
            f"labels: {path} has no array {labels}, but {', '.join(names)}. "
            f"{did_you_mean(labels, names)}".rstrip()
        )
    y = labels or ("y" if "y" in names else None)
    rest = [name for name in names if name != y]
    if "x" not in rest and len(rest) != 1:
        raise ValueError(
            f"{path} should name its examples x, or x_train, x_val and x_test, got "
            f"{', '.join(names) or 'no arrays'}"
        )
    x = _array(path, arrays, "x" if "x" in rest else rest[0])
    return Part(x, None if y is None else _array(path, arrays, y))
