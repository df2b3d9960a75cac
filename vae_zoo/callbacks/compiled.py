"""Networks that are compiled while they are trained."""

from lightning import Callback, Trainer

from vae_zoo.vae import VAE


class Compiled(Callback):
    """Compiles the encoder and the decoder for the training: their parameters keep their names.

    So a checkpoint is the same with and without it, and a run may be resumed either way. What
    follows the training is of all sizes, for each of which they would be compiled anew: it is done
    without.
    """

    def on_train_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        pl_module.encoder.compile()
        pl_module.decoder.compile()

    def on_train_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        for network in (pl_module.encoder, pl_module.decoder):
            network._compiled_call_impl = None  # as torch keeps it, and has no way to undo it
