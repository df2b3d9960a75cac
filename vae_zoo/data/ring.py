"""A ring in the plane, of known density."""

import math

import torch
from torch import Tensor

from vae_zoo.data.splits import Split, Support
from vae_zoo.data.synthetic import Synthetic


class Ring(Synthetic):
    """x = z/10 + z/‖z‖ of z ~ N(0, I₂): a ring whose log-density is known, so that leaks show.

    With ρ = ‖x‖, p(x) = 100 (ρ - 1) exp(-50 (ρ - 1)²) / 2πρ outside the unit circle, and 0 within.
    A model that beats ``log_likelihood`` on held-out points, by more than chance, has a fault in
    its likelihood, or has seen them.

    Args:
        train: Number of training examples; val and test have a quarter as many.
        data_seed: Of the examples, and of nothing else.
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: There are fewer than four examples, or the seed is negative.

    References:
        Doersch, Tutorial on Variational Autoencoders, 2016, fig. 2.
        https://arxiv.org/abs/1606.05908
    """

    shape = (2,)
    support: Support = "real"

    def __init__(self, train: int = 16_000, data_seed: int = 0, batch_size: int = 200) -> None:
        super().__init__(train, data_seed, batch_size)

    def draw(self, n: int, generator: torch.Generator) -> Split:
        z = torch.randn(n, 2, generator=generator)
        return Split(z / 10 + z / z.norm(dim=1, keepdim=True))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return the true log p(x) of points ``(N, 2)``, in double precision, of shape ``(N,)``."""
        radius: Tensor = x.double().norm(dim=1)
        width = (radius - 1).clamp(min=0)
        constant = math.log(100) - math.log(2 * math.pi)
        return width.log() - 50 * width.square() - radius.log() + constant
