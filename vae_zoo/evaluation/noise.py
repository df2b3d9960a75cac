"""Noise that follows the number of an example, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng

from vae_zoo.vae import VAE


@contextmanager
def evaluating(model: VAE) -> Iterator[None]:
    """Leave mode and noise as they were, and compute no gradients."""
    training = model.training
    with torch.no_grad(), isolate_rng():
        try:
            model.eval()
            yield
        finally:
            model.train(training)


def fix_noise(seed: int, number: int) -> None:
    """Draw what follows for one example alone, so that no value depends on the batch size."""
    # Hashed into 32 bits, since torch's generator reads no more of a seed.
    torch.manual_seed(int(np.random.SeedSequence((seed, number)).generate_state(1)[0]))
