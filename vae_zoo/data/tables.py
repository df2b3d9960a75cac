"""Tables: .csv and .parquet, one example a row."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from vae_zoo.data.contents import Part
from vae_zoo.suggestion import did_you_mean

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read_table(path: Path, labels: str | None, ignore: Sequence[str]) -> Part:
    """Read the columns of a table, of which one may hold labels, and others be left out.

    Raises:
        ValueError: It cannot be read, has no such column, or a column holds no numbers.
    """
    table = read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    names = table.column_names
    for option, name in [("ignore", name) for name in ignore] + [("labels", labels)]:
        if name is not None and name not in names:
            found = did_you_mean(name, names) or f"It has {_listed(names)}."
            raise ValueError(f"{option}: {path} has no column {name}. {found}")
    columns = {name: table.column(name) for name in names if name not in {labels, *ignore}}
    if not columns:
        raise ValueError(f"{path} has no column left for the examples")
    if "" in columns:  # pandas' index, which says nothing of an example
        raise ValueError(
            f"{path} has a column without a name: leave it out with --data.ignore '[\"\"]'"
        )
    words = [name for name, column in columns.items() if not _numeric(column.type)]
    if words:
        raise ValueError(
            f"{path} holds no numbers in {_listed(words)}: name a column of labels with "
            "--data.labels, and leave columns out with --data.ignore '[a, b]'"
        )
    x = np.column_stack([_values(path, name, column) for name, column in columns.items()])
    return Part(x, None if labels is None else _labels(path, labels, table.column(labels)))


def read_csv(path: Path) -> pa.Table:
    """Read a .csv file, whose first line names the columns unless it is of numbers.

    The numbers 0, 1, 2 and so on are names, as pandas gives them.

    Raises:
        ValueError: It cannot be read.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline().strip().split(",")
    numbers = all(NUMBER.fullmatch(name.strip()) for name in first)
    unnamed = numbers and first != [str(number) for number in range(len(first))]
    try:
        table = csv.read_csv(path, csv.ReadOptions(autogenerate_column_names=unnamed))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _unreadable(path, error) from error
    return _distinct(path, table)


def _read_parquet(path: Path) -> pa.Table:
    try:
        return _distinct(path, parquet.ParquetFile(path).read())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise _unreadable(path, error) from error


def _distinct(path: Path, table: pa.Table) -> pa.Table:
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path} names columns alike: {_listed(twice)}")
    return table


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} cannot be read: {' '.join(str(error).split())[:160]}")


def _numeric(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def _values(path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    values: np.ndarray = _filled(path, name, column).to_numpy()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{path} holds {values[row]} in column {name}, row {row + 1}: fill it in, leave the "
            f"row out, or the column with --data.ignore '[{name}]'"
        )
    return values.astype(np.uint8) if values.dtype == bool else values


def _labels(path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    words = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not words and not pa.types.is_integer(kind) and not pa.types.is_boolean(kind):
        raise ValueError(f"labels: column {name} of {path} should hold integers or words: {kind}")
    return np.asarray(_filled(path, name, column).to_pylist())


def _filled(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise ValueError(
            f"{path} has {column.null_count} empty cells in column {name}, first in row {row + 1}: "
            f"fill them in, leave the rows out, or the column with --data.ignore '[{name}]'"
        )
    return column


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) if not name.strip() else name for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
