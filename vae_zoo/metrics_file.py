"""``metrics.csv``, where the numbers of a run go in its folder."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from vae_zoo.runs import Run, replace


class MetricsFile(Logger):
    """Appends to a run's ``metrics.csv``, a row for what is logged together.

    Lightning's own CSVLogger deletes the file of a run that is resumed. This one goes on with it,
    and drops the rows that were written after the checkpoint: they will be written again.

    Args:
        run: The run.
        resumed_at: Number of optimizer steps of the checkpoint that it is resumed from, if it is.
    """

    def __init__(self, run: Run, resumed_at: int | None = None) -> None:
        super().__init__()
        self.run = run
        self.columns = ["epoch", "step"]
        self.rows: list[dict[str, Any]] = []
        self.resumed_at = resumed_at

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def version(self) -> str:
        return self.run.id

    @property
    def root_dir(self) -> str:
        return str(self.run.folder)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's folder holds its complete ``config.yaml``."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row: dict[str, Any] = {name: float(value) for name, value in metrics.items()}
        if "epoch" in row:
            row["epoch"] = int(row["epoch"])
        if not self.rows:
            self._start()
        self.rows.append({"step": step, **row})
        if new := [name for name in row if name not in self.columns]:
            self.columns += new
            replace(self.run.metrics_file, self._header() + self._lines(self.rows))
        else:
            with self.run.metrics_file.open("a", newline="") as file:
                file.write(self._lines(self.rows[-1:]))

    def _start(self) -> None:
        """Begin the file anew, with the rows up to the checkpoint of a resumed run."""
        if self.resumed_at is not None:
            for row in self.run.raw_rows():
                if int(row["step"] or 0) < self.resumed_at:
                    self.rows.append(row)
                    self.columns += [name for name in row if name not in self.columns]
        replace(self.run.metrics_file, self._header() + self._lines(self.rows))

    def _header(self) -> str:
        return ",".join(self.columns) + "\n"

    def _lines(self, rows: Sequence[Mapping[str, Any]]) -> str:
        buffer = io.StringIO()
        csv.DictWriter(buffer, self.columns, restval="", lineterminator="\n").writerows(rows)
        return buffer.getvalue()
