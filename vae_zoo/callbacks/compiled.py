"""Networks that are compiled while they are trained."""

import os
import sys
from shutil import which

from lightning import Callback, Trainer

from vae_zoo.vae import VAE


class Compiled(Callback):
    """Compiles the encoder and the decoder for the training: their parameters keep their names.

    So a checkpoint is the same with and without it, and a run may be resumed either way. What
    follows the training is of all sizes, for each of which they would be compiled anew: it is done
    without.
    """

    @staticmethod
    def check(trainer: Trainer) -> None:
        """Look for the compiler that torch or, for GPUs, Triton will call.

        Raises:
            ValueError: There is none.
        """
        if trainer.strategy.root_device.type == "cuda":
            variable, names = "CC", ["gcc", "clang"]
        else:
            known = {"darwin": "clang++", "win32": "cl"}
            variable, names = "CXX", [known.get(sys.platform, "g++")]
        if variable in os.environ:
            names = [os.environ[variable]]
        if not any(which(name) for name in names):
            raise ValueError(
                f"--compile true needs a compiler, and there is no {' or '.join(names)}: install "
                f"one, name yours in {variable}, or leave --compile out"
            )

    def on_train_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        pl_module.encoder.compile()
        pl_module.decoder.compile()

    def on_train_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        for network in (pl_module.encoder, pl_module.decoder):
            if network._compiled_call_impl is not None:  # fails where torch keeps it elsewhere
                network._compiled_call_impl = None  # there is no public way to undo it
