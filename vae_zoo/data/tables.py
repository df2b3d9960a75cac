"""Tables: .csv and .parquet, one example a row."""

import re
from collections.abc import Mapping, Sequence
from csv import reader
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from vae_zoo.data.contents import Part
from vae_zoo.suggestion import did_you_mean

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NOT_UTF_8 = "it is not in UTF-8, in which it should be saved"
MARKS = {";": "semicolons", "\t": "tabs"}
MISSING = {*csv.ConvertOptions().null_values, "inf", "-inf", "Inf", "-Inf"}


def read_table(path: Path, labels: str | None, ignore: Sequence[str]) -> Part:
    """Read the columns of a table, of which one may hold labels, and others be left out.

    Raises:
        ValueError: It cannot be read, has no such column, or a column holds no numbers.
    """
    table = read_columns(path)
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
            f"{path} has a column without a name: leave it out of the file, or of a training with "
            "--data.ignore '[\"\"]'"
        )
    words = [name for name, column in columns.items() if not _numeric(column.type)]
    if words:
        raise _no_numbers(path, {name: columns[name] for name in words})
    x = np.column_stack([_values(path, name, column) for name, column in columns.items()])
    y = None if labels is None else _labels(path, labels, table.column(labels))
    unnamed = path.suffix.lower() == ".csv" and names == [f"f{i}" for i in range(len(names))]
    return Part(x, y, "no header" if unnamed else f"columns {_listed([*columns])}")


def read_columns(path: Path) -> pa.Table:
    """Read a table, which must have rows.

    Raises:
        ValueError: It cannot be read, or has none.
    """
    table = read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    if not table.num_rows:
        raise ValueError(f"{path} has no rows, but the columns {_listed(table.column_names)}")
    return table


def read_csv(path: Path) -> pa.Table:
    """Read a .csv file, whose first line names the columns unless it holds a number.

    The numbers 0, 1, 2 and so on are names, as pandas gives them, with its index or without.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError as error:
        raise _unreadable(path, NOT_UTF_8) from error
    if "," not in line and (mark := next((mark for mark in ";\t" if mark in line), "")):
        raise _unreadable(path, f"it looks separated by {MARKS[mark]}, and should be by commas")
    first = [cell.strip() for cell in next(reader([line]), [])]
    try:
        table = csv.read_csv(path, csv.ReadOptions(autogenerate_column_names=_is_data(first)))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _unreadable(path, error) from error
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise _unreadable(path, NOT_UTF_8)
    return _distinct(path, table)


def _is_data(first: Sequence[str]) -> bool:
    """Whether the first line is an example, and not names."""
    numbers = [str(number) for number in range(len(first))]
    if first in (numbers, ["", *numbers[:-1]]):
        return False
    missing = all(cell in MISSING for cell in first) and any(first)
    return missing or any(NUMBER.fullmatch(cell) for cell in first)


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


def _no_numbers(path: Path, columns: Mapping[str, pa.ChunkedArray]) -> ValueError:
    """Name a word that stands among numbers, or else the columns."""
    for name, column in columns.items():
        cells = column.to_pylist() if pa.types.is_string(column.type) else []
        words = {
            row: cell
            for row, cell in enumerate(cells, 1)
            if cell.strip() not in MISSING and not NUMBER.fullmatch(cell.strip())
        }
        if words and 2 * len(words) < len(cells):
            row, word = next(iter(words.items()))
            return ValueError(
                f"{path} holds {word!r} among the numbers of column {name}, in row {row}: mend it, "
                "or leave the row out"
            )
    return ValueError(
        f"{path} holds no numbers in {_listed([*columns])}: name a column of labels (--data.labels "
        "of fit, --labels of encode), and leave others out (of the file, or of a training with "
        f"--data.ignore '[{next(iter(columns))}]')"
    )


def _unreadable(path: Path, error: Exception | str) -> ValueError:
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
            f"row out, or the column of a training with --data.ignore '[{name}]'"
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
            "fill them in, leave the rows out, or the column of a training with --data.ignore "
            f"'[{name}]'"
        )
    return column


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) if not name.strip() else name for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
