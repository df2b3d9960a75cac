"""``vae_zoo.compare``: the finished runs below some folders as a pandas table, one row a run."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vae_zoo.comparison.reading import Comparison, read
from vae_zoo.comparison.tidy import Value, rows

LARGE = 2**63  # what pandas' whole numbers stay below


def compare(folders: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """Read the finished runs in or below some folders, one row a run.

    ``compare("runs/demo").groupby("group")["elbo"].agg(["mean", "sem"])`` is the first column of
    what ``vae-zoo compare runs/demo`` prints; `vae_zoo.comparison.tidy` says what the columns are.
    Runs that are unfinished or damaged, or repeat a seed, are left out.

    Args:
        folders: Folders of runs, or folders that hold such folders.

    Raises:
        ValueError: There is no run that can be compared.
    """
    given = [folders] if isinstance(folders, str | Path) else folders
    return frame(read([Path(folder) for folder in given]))


def frame(comparison: Comparison) -> pd.DataFrame:
    """Make the table of a comparison; whole numbers stay whole where some are absent."""
    found = rows(comparison)
    columns = {name: _series([row[name] for row in found]) for name in found[0]}
    return pd.DataFrame(columns)


def _series(values: Sequence[Value]) -> pd.Series:
    types = {type(value) for value in values if value is not None}
    if types == {int} and all(value is None or abs(int(value)) < LARGE for value in values):
        return pd.Series(values, dtype="Int64")
    if types == {str}:
        return pd.Series(values)  # of the type that this pandas has for strings
    return pd.Series(values, dtype=float if types <= {int, float} else object)
