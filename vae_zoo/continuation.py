"""What a resumed training needs, besides a checkpoint, to end as an undisturbed one."""

from lightning import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


def count_epochs_once(trainer: Trainer) -> None:
    """Keep a training that ``max_steps`` ends from counting the epoch that it resumes after twice.

    Lightning takes such an epoch for unfinished, ends it again, and then trains on the batches of
    the next but one: https://github.com/Lightning-AI/pytorch-lightning/issues/19617
    """
    trainer.fit_loop._iteration_based_training()  # it is private: fail where it is no more
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]


def stay_stopped(trainer: Trainer) -> None:
    """Train no further epoch where early stopping had ended the training before the interrupt."""
    for callback in trainer.early_stopping_callbacks:
        if callback.stopping_reason is EarlyStoppingReason.NOT_STOPPED:
            continue
        trainer.should_stop = True
        if trainer.is_global_zero and trainer.current_epoch >= (trainer.min_epochs or 0):
            print(
                f"early stopping has ended this training after {trainer.current_epoch} epochs: "
                f"{callback.stopping_reason_message}"
            )


def step_plateaus(trainer: Trainer) -> None:
    """Step what lowers the learning rate on a plateau, after an epoch that was validated.

    Lightning would do it once ``last.ckpt`` is written, which would lack it.

    Raises:
        ValueError: Nothing of the name that it watches is logged.
    """
    for config in trainer.lr_scheduler_configs:
        if config.reduce_on_plateau and config.interval == "epoch":
            metrics = trainer.callback_metrics
            if config.monitor not in metrics:
                raise ValueError(
                    f"model.lr_scheduler.monitor: there is no {config.monitor}, but "
                    f"{', '.join(name for name in metrics if '/' in name)}"
                )
            trainer.lightning_module.lr_scheduler_step(config.scheduler, metrics[config.monitor])


def keep_averages(trainer: Trainer) -> None:
    """Leave the averaged weights in place, once they are trained.

    Lightning would exchange them for the last ones when it loads a checkpoint to be tested.
    """
    trainer.callbacks = [c for c in trainer.callbacks if not isinstance(c, WeightAveraging)]  # type: ignore[attr-defined]
