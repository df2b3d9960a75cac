"""Max-sliced Wasserstein distance: one projection, chosen to show the most."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import normalize

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import require_examples
from vae_zoo.regularizers.wasserstein import order_label, require_order, sliced_wasserstein
from vae_zoo.sampling import directions, draw, gather


def steepest_direction(
    x: Tensor, y: Tensor, starts: Tensor, order: float, steps: int, lr: float
) -> Tensor:
    """Find the direction along which two samples are farthest apart, by ascent on the sphere.

    Steps along the normalised gradient shorten from ``lr`` to nothing; the best that is passed
    counts. The gradient is written out, since a validation has no autograd.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: As many samples of the second, of shape ``(N, D)``.
        starts: Unit vectors to start from, of shape ``(P, D)``.
        order: Power p of the distance.
        steps: Number of steps.
        lr: Length of the first step; a unit vector turns by up to 45° at 1.

    Returns:
        A unit vector, of shape ``(1, D)``.
    """
    along, passed, distances = starts, [], []
    for step in range(steps + 1):
        quantiles_x, ranks_x = (x @ along.T).sort(dim=0)
        quantiles_y, ranks_y = (y @ along.T).sort(dim=0)
        gaps = quantiles_x - quantiles_y
        passed.append(along)
        distances.append(gaps.abs().pow(order).mean(0))
        slopes = gaps.sign() * gaps.abs().pow(order - 1)
        gradient = torch.zeros_like(slopes).scatter_(0, ranks_x, slopes).T @ x
        gradient = gradient - torch.zeros_like(slopes).scatter_(0, ranks_y, slopes).T @ y
        length = lr * (1 - step / (steps + 1))
        along = normalize(along + length * normalize(gradient, dim=1), dim=1)
    best = torch.cat(distances).argmax().view(1)
    return torch.cat(passed).index_select(0, best)


class MaxSlicedWasserstein(Regularizer):
    """max_θ W_pᵖ(θ·z, θ·y), z of q(z) and y of the prior, along the direction that tells most.

    The direction is found anew for each batch by ascent, and the gradient taken along it. In many
    dimensions samples of one distribution differ much along some direction: mind the bias.

    Args:
        weight: Factor λ on the divergence.
        starts: Number of directions from which the ascent starts.
        steps: Number of its steps.
        lr: Length of the first step, on the unit sphere.
        order: Power p of the distance; 2 is the squared 2-Wasserstein distance.

    Raises:
        ValueError: The weight or the steps are negative, there is no start, the learning rate is
            not positive, or the order below 1.

    References:
        Deshpande et al., Max-Sliced Wasserstein Distance and its Use for GANs, 2019.
        https://arxiv.org/abs/1904.05877
    """

    biased = True

    def __init__(
        self,
        weight: float = 1.0,
        starts: int = 5,
        steps: int = 10,
        lr: float = 1.0,
        order: float = 2.0,
    ) -> None:
        super().__init__(weight)
        if starts < 1:
            raise ValueError(f"starts must be at least 1, got {starts}")
        if steps < 0:
            raise ValueError(f"steps must be non-negative, got {steps}")
        if not 0 < lr < math.inf:
            raise ValueError(f"lr must be positive, got {lr}")
        require_order(order)
        self.starts, self.steps, self.lr, self.order = starts, steps, lr, order

    @property
    def label(self) -> str:
        return f"MaxSlicedWasserstein{order_label(self.order)} λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        x, y = gather(z), gather(draw(p))
        require_examples(len(x), 2, "MaxSlicedWasserstein")
        starts = directions(self.starts, like=z)  # equal on all ranks, and so is what they find
        ascent = (self.order, self.steps, self.lr)
        along = steepest_direction(x.detach(), y.detach(), starts, *ascent)
        return sliced_wasserstein(x, y, along, self.order)
