"""Perceptrons."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from vae_zoo.networks.base import Network, join, positive


class MLP(Network):
    """A perceptron of the flattened input and the condition, with ReLU between its layers.

    Args:
        in_shape: Shape of one input.
        out_shape: Shape of one output.
        condition_dim: Number C of features of the condition.
        hidden: Widths of the hidden layers; none makes it affine.

    Raises:
        ValueError: A width is not positive.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        condition_dim: int = 0,
        hidden: Sequence[int] = (256, 256),
    ) -> None:
        super().__init__()
        positive("hidden", hidden)
        widths = [prod(in_shape) + condition_dim, *hidden]
        layers = [layer for n, m in pairwise(widths) for layer in (nn.Linear(n, m), nn.ReLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], prod(out_shape)))
        self.out_shape = tuple(out_shape)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        y = self.layers(join(x.flatten(1), c))
        return y.view(len(y), *self.out_shape)  # type: ignore[no-any-return]
