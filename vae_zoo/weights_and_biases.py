"""Where the numbers of a run go on Weights & Biases, online or into files that can be sent."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from vae_zoo.charts import define_charts
from vae_zoo.columns import BLOCK, columns
from vae_zoo.runs import Run, replace
from vae_zoo.scorecard import ScoreCard

KEPT = Path("wandb") / "vae_zoo.json"  # in the run's folder


class WeightsAndBiases(WandbLogger):
    """Logs a run to Weights & Biases, offline where there is no key: no prompt, and no failure.

    Args:
        run: The run, in whose folder the client keeps its files.
        config: The complete configuration; empty for a run that has it there already. Beside it
            stands ``zoo``, what runs are grouped by. In a trial of W&B's own sweeps it is under
            ``resolved``, beside what the sweep gave: a grid knows by that which trials are done.
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
        patience = _patience()  # before the client reads it
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        self._run = run
        super().__init__(
            name=f"{run.name}/{run.id}",
            save_dir=run.folder,
            version=run.id,
            project=kept(run).get("project") or os.environ.get("WANDB_PROJECT", "vae_zoo"),
            config=_sent(config),
            group=group,
            tags=None if tags is None else list(tags),
            mode=mode,
            settings=wandb.Settings(
                silent=mode != "online", init_timeout=30, finish_timeout=patience
            ),
        )
        del self._wandb_init["anonymous"]  # the client warns of it, even where it is None
        self._lost = False  # whether the client's process has died

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            self._run.folder.mkdir(parents=True, exist_ok=True)  # or the client writes elsewhere
            try:
                run = super().experiment
            except wandb.Error as error:
                print(f"W&B cannot be reached, so the run stays offline: {error}")
                wandb.teardown()  # or the run's id is still taken
                self._wandb_init["mode"] = "offline"
                run = super().experiment
            keep(self._run, project=run.project)
            define_charts(run)
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Do nothing: the run was begun with its complete configuration."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._unless_lost(lambda: super(WeightsAndBiases, self).log_metrics(metrics, step))

    @rank_zero_only
    def log_image(
        self, key: str, images: list[Any], step: int | None = None, **kwargs: Any
    ) -> None:
        self._unless_lost(
            lambda: super(WeightsAndBiases, self).log_image(key, images, step, **kwargs)
        )

    @rank_zero_only
    def log_card(self, card: ScoreCard, step: int | None = None) -> None:
        """Log a card's numbers, and in the summary, ``score_setting``, what they were made with."""

        def log() -> None:
            super(WeightsAndBiases, self).log_metrics(score_metrics(card), step)
            settings = {name: dict(part.setting) for name, part in card.parts.items()}
            self.experiment.summary["score_setting"] = settings
            keep(self._run, card=_digest(card))

        self._unless_lost(log)

    def _unless_lost(self, log: Callable[[], None]) -> None:
        """Log, as long as there is a client: a run does not end with it."""
        if self._lost:
            return
        try:
            log()
        except ConnectionError:
            self._lost = True
            print("the process of W&B's client has ended: the run goes on without it")


def _sent(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as W&B has it: what a sweep set may not be set again."""
    if not config:
        return {}
    tree = {"resolved": dict(config)} if "WANDB_SWEEP_ID" in os.environ else dict(config)
    return tree | {BLOCK: columns(config)}


def score_metrics(card: ScoreCard) -> dict[str, float]:
    """A card's numbers as ``score/…``, and their standard errors as ``score_error/…``."""
    errors = {name: one.standard_error for name, one in card.scores.items()}
    return {f"score/{name}": one.value for name, one in card.scores.items()} | {
        f"score_error/{name}": error for name, error in errors.items() if error is not None
    }


def log_scores(run: Run, card: ScoreCard) -> None:
    """Add a card's numbers to the run on W&B, if it is there, or in its offline files; once."""
    if not _is_there(run) or kept(run).get("card") == _digest(card):
        return
    try:
        WeightsAndBiases(run, {}).log_card(card)  # it has its configuration
    except wandb.Error as error:
        print(f"W&B did not take the score card of {run.folder}: {error}")
    finally:
        finish(exit_code=0)  # or the next run's would be added to this one


def finish(exit_code: int) -> bool:
    """Tell W&B that the run has ended, if there is one; say whether the client lived to take it."""
    if wandb.run is None:
        return True
    try:
        wandb.finish(exit_code=exit_code)
        return True
    except ConnectionError:
        with suppress(ConnectionError):
            wandb.teardown()  # or it fails when Python exits, with a traceback
        wandb.run = None
        return False


def hand_back(run: Run) -> None:
    """Have W&B give a trial that was preempted to an agent again.

    What ends a job may have ended the client before: then another one says it.
    """
    if wandb.run is None:
        return
    with suppress(ConnectionError):
        wandb.run.mark_preempting()
    if not finish(exit_code=1):
        os.environ.pop("WANDB_SERVICE", None)  # of an agent, whose own client is gone
        with suppress(wandb.Error, ConnectionError):
            WeightsAndBiases(run, run.config).experiment.mark_preempting()
        finish(exit_code=1)


def kept(run: Run) -> dict[str, Any]:
    """What is known of the run on W&B: its ``project``, and which ``card`` it has."""
    try:
        content = json.loads((run.folder / KEPT).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def keep(run: Run, **facts: str) -> None:
    """Remember facts of the run on W&B, if it is there."""
    if _is_there(run):
        replace(run.folder / KEPT, json.dumps(kept(run) | facts))


def _is_there(run: Run) -> bool:
    return os.environ.get("WANDB_MODE") != "disabled" and (run.folder / "wandb").is_dir()


def _digest(card: ScoreCard) -> str:
    numbers = json.dumps([card.sha256, score_metrics(card)])
    return hashlib.sha256(numbers.encode()).hexdigest()


def _patience() -> float:
    """Seconds that a run waits at its end for a server; by default the client waits for ever.

    Raises:
        ValueError: What the environment has is no such number.
    """
    given = os.environ.get("WANDB_FINISH_TIMEOUT", "300")
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(
            "WANDB_FINISH_TIMEOUT should be a number of seconds, or 0 for as long as it takes, got "
            f"{given!r}"
        )
    return seconds


def _has_key() -> bool:
    if rank_zero_only.rank:  # type: ignore[attr-defined]
        return False
    try:
        return wandb.login(prompt=False, verify=False)
    except wandb.Error:  # a key that is no key
        return False
