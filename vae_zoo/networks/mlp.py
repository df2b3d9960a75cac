"""Perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Literal

from torch import Tensor, nn

from vae_zoo.arguments import require_widths
from vae_zoo.networks.base import Network, join
from vae_zoo.networks.film import FiLM, Injection, check, run

Activation = Literal["relu", "tanh", "glu"]
ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "glu": nn.GLU,
}


class MLP(Network):
    """A perceptron of the flattened input and the condition.

    Args:
        in_shape: Shape of one input.
        out_shape: Shape of one output.
        condition_dim: Number C of features of the condition.
        hidden: Widths of the hidden layers; none makes it affine.
        injection: Whether the condition joins the input, or modulates each hidden layer before its
            activation (FiLM, which starts by changing nothing).
        activation: Between the layers: ``relu``, ``tanh``, or ``glu``, a unit times the sigmoid of
            another, of twice as many weights (Dauphin et al., Language Modeling with Gated
            Convolutional Networks, 2017, eq. 1, https://arxiv.org/abs/1612.08083; the gated layers
            of the VampPrior's paper).

    Raises:
        ValueError: A width is not positive, there is no such activation, or nothing that FiLM could
            modulate, or by.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        condition_dim: int = 0,
        hidden: Sequence[int] = (256, 256),
        injection: Injection = "concatenation",
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        require_widths("hidden", hidden)
        if activation not in ACTIVATIONS:
            choices = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation must be one of {choices}, got {activation!r}")
        self.film = check(injection, condition_dim, "hidden", len(hidden))
        widths = [prod(in_shape) + (0 if self.film else condition_dim), *hidden]
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            units = 2 * m if activation == "glu" else m
            film = [FiLM(condition_dim, units)] if self.film else []
            layers += [nn.Linear(n, units), *film, ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], prod(out_shape)))
        self.out_shape = tuple(out_shape)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        h = x.flatten(1) if self.film else join(x.flatten(1), c)
        y = run(self.layers, h, c)
        return y.view(len(y), *self.out_shape)
