"""A probability for each of 256 levels."""

import torch
from torch import Tensor
from torch.distributions import Categorical as CategoricalDistribution
from torch.distributions import Distribution, Independent

from vae_zoo.likelihoods.base import Likelihood
from vae_zoo.precision import at_least_single

LEVELS = 256


class Categorical(Likelihood):
    """P(x | z) = softmax(l)ₓ by pixel, over 256 levels without an order, from their logits l.

    The decoder returns 256 numbers a pixel: a perceptron then has 256 times as many last weights,
    which convolutions have not.

    References:
        van den Oord, Kalchbrenner and Kavukcuoglu, Pixel Recurrent Neural Networks, 2016.
        https://arxiv.org/abs/1601.06759
    """

    supports = frozenset({"256 levels"})

    @property
    def params(self) -> tuple[int, ...]:
        return (LEVELS * self.shape[0], *self.shape[1:])

    def forward(self, params: Tensor) -> Distribution:
        logits = at_least_single(params).view(len(params), LEVELS, *self.shape)
        return Levels(logits.movedim(1, -1), len(self.shape))


class Levels(Independent):  # type: ignore[type-arg]
    """Independent levels 0, 1/255, …, 1.

    Args:
        logits: Of each level, of shape ``(B, *X, 256)``.
        dims: Number of dimensions of an example.
    """

    def __init__(self, logits: Tensor, dims: int) -> None:
        levels = CategoricalDistribution(logits=logits, validate_args=False)
        super().__init__(levels, dims, validate_args=False)

    @property
    def mean(self) -> Tensor:
        probabilities: Tensor = self.base_dist.probs
        levels = torch.linspace(
            0, 1, LEVELS, dtype=probabilities.dtype, device=probabilities.device
        )
        return (probabilities * levels).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        numbers = (value * (LEVELS - 1)).round()
        return super().log_prob(numbers)  # type: ignore[no-any-return, no-untyped-call]

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        numbers = super().sample(torch.Size(sample_shape))
        return numbers.to(self.base_dist.logits.dtype) / (LEVELS - 1)
