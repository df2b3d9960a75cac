"""What a training costs: seconds, examples and memory."""

import math
import sys
import time
from statistics import fmean, stdev

import torch
from lightning import Callback, LightningModule, Trainer


class Cost(Callback):
    """Logs what the epochs of a training took, without validation and what is drawn after it.

    They are ``cost/epoch_seconds`` and its ``cost/epoch_seconds_error``, a mean and a standard
    error over epochs but the first, in which all warms up; ``cost/examples_per_second`` of all
    devices together; ``cost/threads`` of torch; and ``cost/peak_memory`` in MiB, of the process or
    of what torch took on a GPU. A resumed run logs them of the epochs since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.examples = 0
        self.began = self.paused = self.away = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began, self.away = time.perf_counter(), 0.0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.paused = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.away += time.perf_counter() - self.paused

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds.append(time.perf_counter() - self.began - self.away)
        size = getattr(trainer.datamodule, "batch_size", 0)  # type: ignore[attr-defined]
        batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        self.examples = batches * size * trainer.world_size

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds = self.seconds[1:] or self.seconds
        if not seconds:
            return
        metrics: dict[str, float] = {
            "epoch": trainer.current_epoch - 1,
            "cost/epoch_seconds": fmean(seconds),
            "cost/threads": torch.get_num_threads(),
        }
        if len(seconds) > 1:
            metrics["cost/epoch_seconds_error"] = stdev(seconds) / math.sqrt(len(seconds))
        if self.examples:
            metrics["cost/examples_per_second"] = self.examples / fmean(seconds)
        if (memory := peak_memory(pl_module.device)) is not None:
            metrics["cost/peak_memory"] = memory
        for logger in trainer.loggers:
            logger.log_metrics(metrics, trainer.global_step - 1)


def peak_memory(device: torch.device) -> float | None:
    """Return MiB, of the process so far, or of what torch took on a GPU; None where unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
