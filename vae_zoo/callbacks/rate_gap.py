"""How far a run is from a rate that it should have."""

import math

from lightning import Callback, LightningModule, Trainer

from vae_zoo.posteriors import Deterministic


class RateGap(Callback):
    """Logs ``val/rate_gap`` = |rate - ``val/kl``|, in nats.

    At the end it is ``best/val_rate_gap``, of the best epoch: a search of a weight minimises that.

    Models of different divergences can be compared where they spend the same rate; which weight
    that takes is not known before.

    Args:
        rate: Nats that the run should spend.

    Raises:
        ValueError: The rate is negative or not finite; later, the posterior has no rate.

    References:
        Alemi et al., Fixing a Broken ELBO, 2018. https://arxiv.org/abs/1711.00464
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < math.inf:
            raise ValueError(f"rate must be finite and non-negative, got {rate}")
        self.rate = rate

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if isinstance(pl_module.posterior, Deterministic):
            raise ValueError(
                "RateGap needs a rate, which a Deterministic posterior lacks: use DiagonalNormal"
            )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        gap = abs(self.rate - trainer.callback_metrics["val/kl"].item())
        metrics = {"epoch": trainer.current_epoch, "val/rate_gap": gap}
        for logger in trainer.loggers:
            logger.log_metrics(metrics, trainer.global_step - 1)
