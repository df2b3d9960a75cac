"""How the KL divergence is spread over the latent dimensions, for W&B."""

from typing import Any

import torch
import wandb
from lightning import Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from vae_zoo.callbacks.periodic import Periodic
from vae_zoo.evaluation.examples import SplitName
from vae_zoo.evaluation.surgery import factorised, kl_of_dimensions
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.vae import VAE

BINS = 32


class KLHistogram(Periodic):
    """Logs to W&B, as ``kl_of_dimension``, a histogram of E_x KL(q(z_d | x) ‖ p(z_d)) over all d.

    Dimensions near 0 nats are not used. It is of the first batch: of the validation split while the
    model trains, and of the test split, by the checkpoint that is tested, at its end. Where the KL
    is no sum over dimensions, or there is none, as of a deterministic posterior, nothing is logged.

    Args:
        every_n_epochs: How often while training; 0 only at the end.

    Raises:
        ValueError: The number is negative.
    """

    def show(self, trainer: Trainer, model: VAE, split: SplitName) -> None:
        loggers = [one for one in trainer.loggers if isinstance(one, WandbLogger)]
        if not loggers or not trainer.is_global_zero:
            return
        loader = trainer.val_dataloaders if split == "val" else trainer.test_dataloaders
        x, y = next(iter(loader))  # type: ignore[arg-type]
        kl = mean_kl(model, x.to(model.device), None if y is None else y.to(model.device))
        if kl is None:
            return
        histogram = wandb.Histogram(kl.tolist(), num_bins=BINS)
        for logger in loggers:
            metrics: dict[str, Any] = {"kl_of_dimension": histogram, "epoch": trainer.current_epoch}
            logger.log_metrics(metrics, trainer.global_step - 1)


@torch.no_grad()
def mean_kl(model: VAE, x: Tensor, y: Tensor | None) -> Tensor | None:
    """KL(q(z_d | x) ‖ p(z_d)) of each latent dimension, the mean over a batch.

    Args:
        model: The model.
        x: Data, of shape ``(B, *X)``.
        y: Labels ``(B,)``, or conditions ``(B, *Y)``, if any.

    Returns:
        Nats, of shape ``(D,)``, by one sample of each posterior where there is no closed form. None
        where the dimensions of the posterior or of the prior are not independent, or there is none.
    """
    c = model.condition(y).to(model.dtype)
    q, p = model.encode(x, c), model.prior(c)
    if not (isinstance(model.posterior, DiagonalNormal) and factorised(p) and model.latent_dim):
        return None
    try:
        return kl_of_dimensions(q, p).mean(0)
    except NotImplementedError:
        with isolate_rng():
            torch.manual_seed(0)  # the same noise each time
            return kl_of_dimensions(q, p, q.sample()).mean(0)
