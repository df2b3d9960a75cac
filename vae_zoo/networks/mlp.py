"""Perceptrons."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from vae_zoo.arguments import require_widths
from vae_zoo.networks.base import Network, join
from vae_zoo.networks.film import FiLM, Injection, check, run


class MLP(Network):
    """A perceptron of the flattened input and the condition, with ReLU between its layers.

    Args:
        in_shape: Shape of one input.
        out_shape: Shape of one output.
        condition_dim: Number C of features of the condition.
        hidden: Widths of the hidden layers; none makes it affine.
        injection: Whether the condition joins the input, or modulates each hidden layer before its
            ReLU (FiLM, which starts by changing nothing).

    Raises:
        ValueError: A width is not positive, or there is nothing that FiLM could modulate, or by.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        condition_dim: int = 0,
        hidden: Sequence[int] = (256, 256),
        injection: Injection = "concatenation",
    ) -> None:
        super().__init__()
        require_widths("hidden", hidden)
        self.film = check(injection, condition_dim, "hidden", len(hidden))
        widths = [prod(in_shape) + (0 if self.film else condition_dim), *hidden]
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            film = [FiLM(condition_dim, m)] if self.film else []
            layers += [nn.Linear(n, m), *film, nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], prod(out_shape)))
        self.out_shape = tuple(out_shape)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        h = x.flatten(1) if self.film else join(x.flatten(1), c)
        y = run(self.layers, h, c)
        return y.view(len(y), *self.out_shape)
