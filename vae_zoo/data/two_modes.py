"""One number of which two values are right: what a regression must blur."""

import math

import torch
from torch import Tensor

from vae_zoo.data.splits import Split, Support
from vae_zoo.data.synthetic import Synthetic


class TwoModes(Synthetic):
    """x = sin(πy) ± a + σε given y ~ U(-1, 1): two values of x are equally right.

    A regression with a normal likelihood predicts their mean, and at its best loses
    ½ ln(1 + a²/σ²) - ln 2 nats an example where the modes lie apart. A conditional VAE can reach
    the truth, which ``log_likelihood`` knows.

    Args:
        distance: How far a the modes lie from their mean.
        noise: Standard deviation σ of each mode.
        train: Number of training examples; val and test have a quarter as many.
        data_seed: Of the examples, and of nothing else.
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: The distance or the noise is not positive, there are fewer than four examples,
            or the seed is negative.

    References:
        Bishop, Mixture Density Networks, 1994. https://publications.aston.ac.uk/id/eprint/373/
    """

    shape = (1,)
    condition_shape = (1,)
    support: Support = "real"

    def __init__(
        self,
        distance: float = 1.0,
        noise: float = 0.1,
        train: int = 16_000,
        data_seed: int = 0,
        batch_size: int = 200,
    ) -> None:
        super().__init__(train, data_seed, batch_size)
        for name, value in (("distance", distance), ("noise", noise)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive, got {value}")
        self.distance, self.noise = distance, noise

    def draw(self, n: int, generator: torch.Generator) -> Split:
        y = 2 * torch.rand(n, 1, generator=generator) - 1
        side = 2 * torch.randint(2, (n, 1), generator=generator) - 1
        noise = torch.randn(n, 1, generator=generator)
        return Split((math.pi * y).sin() + self.distance * side + self.noise * noise, y)

    def log_likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the true log p(x | y) of examples and conditions ``(N, 1)``, of shape ``(N,)``.

        It is in double precision. Its mean over held-out examples is the best that any model can
        reach, but for chance.
        """
        x, y = x.double(), y.double()
        modes = (math.pi * y).sin() + self.distance * x.new_tensor([-1.0, 1.0])  # (N, 2)
        constant = math.log(2) + math.log(2 * math.pi) / 2 + math.log(self.noise)
        return (-((x - modes) / self.noise).square() / 2).logsumexp(1) - constant
