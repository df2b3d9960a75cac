"""What is shown of a model from time to time while it trains, and at its end."""

from abc import ABC, abstractmethod

from lightning import Callback, Trainer

from vae_zoo.evaluation.examples import SplitName
from vae_zoo.vae import VAE


class Periodic(Callback, ABC):
    """Shows the validation split every so many epochs, and the test split at the end.

    Args:
        every_n_epochs: How often while training; 0 only at the end.

    Raises:
        ValueError: The number is negative.
    """

    def __init__(self, every_n_epochs: int = 10) -> None:
        super().__init__()
        if every_n_epochs < 0:
            raise ValueError(f"every_n_epochs must be non-negative, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs

    @abstractmethod
    def show(self, trainer: Trainer, model: VAE, split: SplitName) -> None:
        """Show it of a split."""

    def on_validation_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        due = self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if due and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.show(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.show(trainer, pl_module, "test")
