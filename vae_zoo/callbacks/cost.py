"""The cost of a training, in its log."""

import math
import time
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from vae_zoo.evaluation.cost import TrainingCost


class Cost(Callback):
    """Logs what the epochs of a training took, without validation and what is drawn after it.

    They are ``cost/…``, one for each number of ``TrainingCost``, and ``cost/…_error`` where it has
    a standard error; and ``cost/threads`` of torch. Epochs that end early do not count. A resumed
    run logs them of the epochs since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metric = TrainingCost()
        self.began = self.paused = 0.0
        self.examples = self.batches = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.metric.to(pl_module.device)  # where processes can add up

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began, self.examples, self.batches = time.perf_counter(), 0, 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self.examples += len(batch[0])
        self.batches += 1

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.paused = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began += time.perf_counter() - self.paused

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.batches == trainer.num_training_batches or math.isinf(trainer.num_training_batches):
            self.metric.update(pl_module, time.perf_counter() - self.began, self.examples)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.metric.update_called:
            return
        metrics: dict[str, float] = {
            "epoch": trainer.current_epoch - 1,
            "cost/threads": torch.get_num_threads(),
        }
        for name, score in self.metric.compute().items():
            metrics[f"cost/{name}"] = score.value
            if score.standard_error is not None:
                metrics[f"cost/{name}_error"] = score.standard_error
        for logger in trainer.loggers:
            logger.log_metrics(metrics, trainer.global_step - 1)
