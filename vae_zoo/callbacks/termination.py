"""The end of a training on several devices that is told to end."""

import signal
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import distributed


class Termination(Callback):
    """Ends a training on several devices between two batches, the same on all, once one is told to.

    Lightning's own handler of SIGTERM waits, wherever it is called, for processes that are then
    waiting for something else.
    """

    def __init__(self) -> None:
        self.told = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self._hear)  # until Lightning restores the one before

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self._end(trainer)

    def on_validation_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self._end(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end(trainer)

    def _hear(self, *_: Any) -> None:
        self.told = True

    def _end(self, trainer: Trainer) -> None:
        if trainer.world_size < 2:
            return
        told = torch.tensor(self.told, dtype=torch.int, device=trainer.strategy.root_device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        if told:
            raise SIGTERMException
