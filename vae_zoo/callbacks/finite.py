"""A loss or a gradient that is not finite: the training stops, or goes on without that step."""

import math
import warnings
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from lightning import Callback, Trainer
from torch import Tensor, distributed, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from vae_zoo.data.loaders import Shuffled
from vae_zoo.runs import Run
from vae_zoo.terms import Terms
from vae_zoo.vae import VAE

PATIENCE = 100  # steps in a row that may be skipped: after so many, nothing is trained any more
SHOWN = 5  # examples of a batch that are named


class Step(NamedTuple):
    """Where in a training a batch was.

    Args:
        number: Of optimizer steps before.
        epoch: Its epoch.
        batch: Its place in the epoch.
    """

    number: int
    epoch: int
    batch: int

    def __str__(self) -> str:
        return f"step {self.number} (batch {self.batch} of epoch {self.epoch})"


class Finite(Callback):
    """Stops a training whose loss is not finite, or goes on without the steps where it is not.

    The error names the term, the step, and the examples of its batch. No checkpoint is written of
    weights that are not finite. On one CPU the loss of every step is looked at before it changes
    the weights. A GPU would wait for that, and processes for one another: there the losses of
    ``log_every_n_steps`` steps are looked at together, and before anything is saved or evaluated.

    To skip steps, gradients are looked at in every step, on every device, and of all processes
    alike: one with a loss or a gradient that is not finite changes neither weights nor buffers.
    Schedules move on. How many steps were skipped is logged as ``train/skipped``.

    Args:
        on_nan: What to do: ``stop`` or ``skip``.
    """

    def __init__(self, on_nan: Literal["stop", "skip"] = "stop") -> None:
        super().__init__()
        self.skips = on_nan == "skip"
        self.skipped = self.in_a_row = 0
        self.at_once = False
        self.began = 0  # number of steps before the epoch
        self.owners: list[tuple[nn.Module, str]] = []  # of buffers, which may be exchanged
        self.buffers: list[Tensor] = []  # before the step

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped, "in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.skipped, self.in_a_row = state_dict["skipped"], state_dict["in_a_row"]

    def on_fit_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        if self.skips and getattr(trainer.precision_plugin, "scaler", None) is not None:
            raise ValueError(
                "on_nan: with trainer.precision 16-mixed, the scaler of the gradients skips steps "
                "by itself: use bf16-mixed, or stop, got skip"
            )
        pl_module.mean_terms["train"].finite_only = self.skips
        self.at_once = pl_module.device.type == "cpu" and trainer.world_size == 1

    def on_train_epoch_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.began = trainer.global_step
        if self.skips:
            self.owners = [(part, name) for part in pl_module.modules() for name in part._buffers]

    def on_train_batch_start(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, batch: Any, batch_idx: int
    ) -> None:
        if self.skips and batch_idx % trainer.accumulate_grad_batches == 0:
            self.buffers = [part._buffers[name].clone() for part, name in self.owners]  # type: ignore[union-attr]

    def on_before_backward(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, loss: Tensor
    ) -> None:
        if self.skips:
            # The gradient tells all processes, since it is averaged over them.
            loss.register_hook(lambda g: torch.where(loss.isfinite(), g, math.nan))  # type: ignore[no-untyped-call]
        elif self.at_once and not math.isfinite(loss.item()):
            self._look_at_weights(trainer, pl_module, self._step(trainer, 1))
            self._stop(trainer, self._cause(trainer, pl_module))

    def on_before_optimizer_step(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, optimizer: Optimizer
    ) -> None:
        if not self.skips:
            return
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if math.isfinite(get_total_norm(gradients).item()):
            self.in_a_row = 0
            return
        self.skipped += 1
        self.in_a_row += 1
        cause = self._cause(trainer, pl_module) or self._of_gradients(trainer, pl_module)
        if self.in_a_row == PATIENCE:
            raise FloatingPointError(
                f"{PATIENCE} steps in a row were skipped, the last one since {cause}"
            )
        if self.skipped == 1 and trainer.is_global_zero:
            warnings.warn(f"a step is skipped, and more may be: {cause}", stacklevel=2)
        optimizer.zero_grad(set_to_none=True)  # what has no gradient makes no step
        with torch.no_grad():
            for (part, name), before in zip(self.owners, self.buffers, strict=True):
                part._buffers[name].copy_(before)  # type: ignore[union-attr]

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if len(pl_module.mean_terms["train"].kept) >= trainer.log_every_n_steps:  # type: ignore[attr-defined]
            self._look(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._look(trainer, pl_module)
            self._look_at_weights(trainer, pl_module, self._step(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self._look(trainer, pl_module)
        if self.skips:
            metrics = {"train/skipped": float(self.skipped), "epoch": trainer.current_epoch}
            for logger in trainer.loggers:
                logger.log_metrics(metrics, trainer.global_step - 1)

    def on_save_checkpoint(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == "fit":
            self._look(trainer, pl_module)
            self._look_at_weights(trainer, pl_module, self._step(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        if self.skipped and trainer.is_global_zero:
            what = "step was" if self.skipped == 1 else "steps were"
            print(f"{self.skipped} {what} skipped: a loss or gradient was not finite")

    def _look(self, trainer: Trainer, model: VAE) -> None:
        """Stop, on all processes, where a loss that is kept on one of them is not finite.

        Raises:
            FloatingPointError: One is not.
        """
        if not (self.at_once or self.skips):  # which look at every step
            self._stop(trainer, self._cause(trainer, model))

    def _look_at_weights(self, trainer: Trainer, model: VAE, after: Step) -> None:
        """Stop where a weight is not finite.

        Args:
            trainer: The trainer.
            model: The model.
            after: The last step that changed the weights.

        Raises:
            FloatingPointError: One is not.
        """
        weight = next((n for n, p in model.named_parameters() if not p.isfinite().all()), None)
        cause = f"{weight} is not finite after {after}, whose loss is: its gradient is not"
        self._stop(trainer, None if weight is None else cause)

    def _stop(self, trainer: Trainer, cause: str | None) -> None:
        if not trainer.strategy.reduce_boolean_decision(cause is not None, all=False):
            return
        if trainer.world_size > 1:
            causes: list[str | None] = [None] * trainer.world_size
            distributed.all_gather_object(causes, cause)
            cause = next(filter(None, causes))
        if not trainer.is_global_zero:
            raise SystemExit(1)  # one process says why
        last = Run(Path(trainer.default_root_dir)).last_checkpoint
        after = f"; after the last checkpoint by `--resume {last.parents[1]}`"
        raise FloatingPointError(
            f"{cause}. Lower --model.optimizer.lr or the weight of the regularizer, or let "
            f"`--on_nan skip` go on without such steps{after if last.is_file() else ''}"
        )

    def _step(self, trainer: Trainer, ago: int = 0) -> Step:
        """Say where the batch is, or was some batches ago."""
        batch = trainer.fit_loop.batch_idx - ago
        number = self.began + batch // trainer.accumulate_grad_batches
        return Step(number, trainer.current_epoch, batch)

    def _cause(self, trainer: Trainer, model: VAE) -> str | None:
        """Say which of the losses that are kept is the first that is not finite, if one is."""
        kept = model.mean_terms["train"].kept
        if not kept:
            return None
        losses = torch.stack([t.loss if t.critic is None else t.loss + t.critic for t in kept])
        bad = losses.isfinite().logical_not().nonzero().flatten().tolist()
        if not bad:
            return None
        first = bad[0]
        step = self._step(trainer, len(kept) - 1 - first)
        cause = f"the loss of {step} is {losses[first].item()}: {_of_terms(kept[first], model)}"
        return cause + _of_data(trainer, step, _examples(kept[first]))

    def _of_gradients(self, trainer: Trainer, model: VAE) -> str:
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        bad = [name for name, g in gradients.items() if not g.isfinite().all()]
        of = f", as of {bad[0]}" if bad else ": it is too large"
        return f"the loss of {self._step(trainer)} is finite, but not its gradient{of}"


def _of_terms(terms: Terms, model: VAE) -> str:
    """Name the terms of a batch that are not finite."""
    names = {
        "reconstruction": terms.reconstruction,
        "kl": terms.kl,
        f"penalty ({model.regularizer.label})": terms.penalty,
        "critic": terms.critic,
    }
    bad = [n for n, term in names.items() if term is not None and not term.isfinite().all()]
    return " and ".join(bad) or type(model.objective).__name__


def _examples(terms: Terms) -> Tensor:
    """Say which examples of a batch have terms that are not finite, as numbers ``(n,)``."""
    rows = terms.reconstruction if terms.kl is None else terms.reconstruction + terms.kl
    return rows.isfinite().logical_not().nonzero().flatten().cpu()


def _of_data(trainer: Trainer, step: Step, rows: Tensor) -> str:
    """Name the training examples of a batch that have terms, or hold values, that are not finite.

    The order and noise of a batch follow from the seed and the epoch, so it need not be kept.

    Args:
        trainer: The trainer.
        step: Where the batch was.
        rows: The examples of the batch whose terms are not finite.
    """
    loader = trainer.train_dataloader
    if not isinstance(loader, Shuffled):
        return ""
    numbers = loader.numbers(step.batch)
    x, y = next(islice(loader, step.batch, None))
    finite = x.flatten(1).isfinite().all(1)
    if y is not None:
        finite &= y.flatten(1).isfinite().all(1) if y.dim() > 1 else y.isfinite()
    said = ""
    if len(rows):
        said = f", of {len(rows)} of {len(numbers)} training examples ({_shown(numbers[rows])})"
    if finite.all():
        return f"{said}; the data of the batch are finite"
    return f"{said}; the data of the training examples {_shown(numbers[~finite])} are not finite"


def _shown(numbers: Tensor) -> str:
    more = ", …" if len(numbers) > SHOWN else ""
    return ", ".join(str(number) for number in numbers[:SHOWN].tolist()) + more
