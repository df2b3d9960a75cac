"""Where a run's numbers go: ``metrics.csv`` in its folder, and Weights & Biases."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import wandb
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from vae_zoo.runs import STAGES, Run, replace
from vae_zoo.scorecard import ScoreCard


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


class WeightsAndBiases(WandbLogger):
    """Logs a run to Weights & Biases, offline where there is no key: no prompt, and no failure.

    Args:
        run: The run, in whose folder the client keeps its files.
        config: The complete configuration: W&B drops later updates of what a sweep has set.
        group: The runs that this one is to be shown with; a run that goes on keeps its own.
        tags: Words to find the run by; likewise.
    """

    def __init__(
        self,
        run: Run,
        config: Mapping[str, Any],
        group: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> None:
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        self._folder = run.folder
        super().__init__(
            name=f"{run.name}/{run.id}",
            save_dir=run.folder,
            version=run.id,
            project=os.environ.get("WANDB_PROJECT", "vae_zoo"),
            config=dict(config),
            group=group,
            tags=None if tags is None else list(tags),
            mode=mode,
            settings=wandb.Settings(silent=mode != "online", init_timeout=30),
        )
        del self._wandb_init["anonymous"]  # the client warns of it, even where it is None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            self._folder.mkdir(parents=True, exist_ok=True)  # or the client writes elsewhere
            try:
                run = super().experiment
            except wandb.Error as error:
                print(f"W&B cannot be reached, so the run stays offline: {error}")
                wandb.teardown()  # or the run's id is still taken
                self._wandb_init["mode"] = "offline"
                run = super().experiment
            run.define_metric("epoch")
            for stage in STAGES:
                run.define_metric(f"{stage}/*", step_metric="epoch")
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Do nothing: the run was begun with its complete configuration."""


def score_metrics(card: ScoreCard) -> dict[str, float]:
    """A card's numbers as ``score/…``, and their standard errors as ``score_error/…``."""
    errors = {name: one.standard_error for name, one in card.scores.items()}
    return {f"score/{name}": one.value for name, one in card.scores.items()} | {
        f"score_error/{name}": error for name, error in errors.items() if error is not None
    }


def add_settings(run: Any, card: ScoreCard) -> None:
    """Keep what a card's numbers were made with in a W&B run's summary, ``score_setting``."""
    run.summary["score_setting"] = {name: dict(p.setting) for name, p in card.parts.items()}


def log_scores(run: Run, card: ScoreCard) -> None:
    """Add a card's numbers to the run on W&B, if it is there, or in its offline files."""
    if not (run.folder / "wandb").is_dir() or os.environ.get("WANDB_MODE") == "disabled":
        return
    try:
        logger = WeightsAndBiases(run, run.config)
        logger.log_metrics(score_metrics(card))
        add_settings(logger.experiment, card)
        wandb.finish()
    except wandb.Error as error:
        print(f"W&B did not take the score card of {run.folder}: {error}")


def _has_key() -> bool:
    if rank_zero_only.rank:  # type: ignore[attr-defined]
        return False
    try:
        return wandb.login(prompt=False, verify=False)
    except wandb.Error:  # a key that is no key
        return False
