"""Recurrent networks."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from vae_zoo.arguments import require_widths
from vae_zoo.networks.base import Network, join


class GRU(Network):
    """An affine map of the last state of a gated recurrent unit, and of the condition.

    It is an encoder. A decoder of sequences is any other network, to the features that the
    likelihood ``Tokens`` wants.

    Args:
        in_shape: Shape ``(T, V)`` of a sequence of T vectors, such as one-hot tokens.
        out_shape: Shape of one output.
        condition_dim: Number C of features of the condition.
        hidden: Width of the state.
        bidirectional: Whether another one reads the sequence from its end: the two last states then
            stand for both ends alike.

    Raises:
        ValueError: The input is no sequence, or the width is not positive.

    References:
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder for Statistical
        Machine Translation, 2014, sec. 2.3. https://arxiv.org/abs/1406.1078
        Schuster and Paliwal, Bidirectional Recurrent Neural Networks, 1997.
        https://doi.org/10.1109/78.650093
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        condition_dim: int = 0,
        hidden: int = 256,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        if len(in_shape) != 2:
            raise ValueError(
                "GRU encodes sequences, of shape (T, V), and has an input of shape "
                f"{tuple(in_shape)}: use it as the encoder of data such as Text, or MLP"
            )
        require_widths("hidden", [hidden])
        self.gru = nn.GRU(in_shape[1], hidden, batch_first=True, bidirectional=bidirectional)
        states = 2 * hidden if bidirectional else hidden
        self.affine = nn.Linear(states + condition_dim, prod(out_shape))
        self.out_shape = tuple(out_shape)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        _, last = self.gru(x)  # (directions, B, hidden)
        h = join(torch.cat([*last], dim=1), c)
        return self.affine(h).view(len(x), *self.out_shape)  # type: ignore[no-any-return]
