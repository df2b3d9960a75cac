"""Noise that follows an example itself, and neither its place in a batch nor the device."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

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


def example_keys(x: Tensor, y: Tensor | None = None) -> Tensor:
    """Hash each example, with its label or condition, into a number that is its own.

    The same examples have the same keys in any batch, on any device and in any order.

    Args:
        x: Examples ``(B, *X)``.
        y: Labels ``(B,)`` or conditions ``(B, *Y)``, if any.

    Returns:
        Integers of 63 bits, of shape ``(B,)``, on the device of ``x``.
    """
    columns = [part.detach().cpu().numpy() for part in (x, y) if part is not None]
    rows = zip(*columns, strict=True)
    hashed = [blake2b(b"".join(part.tobytes() for part in row), digest_size=8) for row in rows]
    numbers = [int.from_bytes(one.digest(), "big") >> 1 for one in hashed]
    return torch.tensor(numbers, dtype=torch.long, device=x.device)


def distinct(keys: Tensor, seen: Counter[int]) -> Tensor:
    """Tell examples that are alike apart, by numbering them: their noise must not be the same.

    Args:
        keys: Of examples, ``(B,)``.
        seen: How often each key came before, which is counted on.

    Returns:
        Keys of which none came before, ``(B,)``.
    """
    numbers = []
    for key in keys.tolist():
        again = seen[key]
        seen[key] += 1
        text = f"{key} {again}".encode()
        number = int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1
        numbers.append(number if again else key)
    return torch.tensor(numbers, dtype=torch.long, device=keys.device)


def fix_noise(seed: int, *numbers: int) -> None:
    """Draw what follows for one example alone, by its key, so that no value depends on others."""
    # Hashed into 32 bits, since torch's generator reads no more of a seed.
    number = int(np.random.SeedSequence((seed, *numbers)).generate_state(1)[0])
    torch.default_generator.manual_seed(number)
    # torch.manual_seed takes 0.2 ms where there is no GPU, to seed one later.
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(number)


def sample_posteriors(
    model: VAE, params: Tensor, keys: Sequence[int], seed: int, samples: int
) -> Tensor:
    """Sample q(z | x) of each example by noise of its own; gradients reach the parameters.

    Args:
        model: The model.
        params: Parameters of the posteriors, ``model.encoder(x, c)``, of shape ``(B, *params)``.
        keys: The examples' keys.
        seed: Of the noise.
        samples: Number K of samples of each.

    Returns:
        Codes, of shape ``(K, B, D)``.
    """
    codes = []
    for one, key in zip(params.split(1), keys, strict=True):  # type: ignore[no-untyped-call]
        fix_noise(seed, key)
        codes.append(model.posterior(one).rsample((samples,)))
    return torch.cat(codes, dim=1)


def sample_prior(model: VAE, c: Tensor, seed: int) -> Tensor:
    """Sample the model's own prior, p(z), or p(z | c) of each condition.

    Args:
        model: The model.
        c: Features of conditions ``(N, C)``, ``model.condition(y)``.
        seed: Of the samples.

    Returns:
        Codes, of shape ``(N, D)``.
    """
    fix_noise(seed)
    return model.prior(c).expand((len(c),)).sample()  # type: ignore[no-any-return]
