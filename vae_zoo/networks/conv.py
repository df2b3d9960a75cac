"""Convolutional networks for images of any size."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from vae_zoo.arguments import require_widths
from vae_zoo.networks.base import Network
from vae_zoo.networks.film import FiLM, Injection, check, run
from vae_zoo.networks.mlp import MLP


class Conv(Network):
    """Strided convolutions that halve an image, or their transposes that double it back.

    From an image it is an encoder, to an image a decoder; the condition joins at the vector's end.

    Args:
        in_shape: Shape ``(C, H, W)`` of an image for an encoder, of codes for a decoder.
        out_shape: Shape of one output: of an image where the input is none.
        condition_dim: Number C of features of the condition.
        channels: Channels after each halving, from the image inwards; none makes it affine.
        injection: Whether the condition joins the vector, or modulates the channels of each hidden
            layer before its ReLU (FiLM, which starts by changing nothing).

    Raises:
        ValueError: Neither side is an image, or the image is too small to be halved so often, or
            there is nothing that FiLM could modulate, or by.

    References:
        Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks, 2016, sec. 3. https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        condition_dim: int = 0,
        channels: Sequence[int] = (32, 64),
        injection: Injection = "concatenation",
    ) -> None:
        super().__init__()
        require_widths("channels", channels)
        self.film = check(injection, condition_dim, "channels", len(channels))
        self.encodes = len(in_shape) == 3
        image = in_shape if self.encodes else out_shape
        sizes = _halvings(image, len(channels))
        widths = [image[0], *channels]
        inner = (widths[-1], *sizes[-1])
        start, end = (inner, out_shape) if self.encodes else (in_shape, inner)
        self.vector = MLP(start, end, 0 if self.film else condition_dim, hidden=())
        layers: list[nn.Module] = []
        if self.encodes:
            for n, m in pairwise(widths):
                layers.append(nn.Conv2d(n, m, kernel_size=4, stride=2, padding=1))
                layers += self._activation(m, condition_dim)
        else:
            steps = zip(pairwise(reversed(widths)), pairwise(reversed(sizes)), strict=True)
            for (m, n), (small, large) in steps:
                layers += self._activation(m, condition_dim)
                layers.append(_doubling(m, n, small, large))
        self.layers = nn.Sequential(*layers)

    def _activation(self, channels: int, condition_dim: int) -> list[nn.Module]:
        return [FiLM(condition_dim, channels), nn.ReLU()] if self.film else [nn.ReLU()]

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        joined = c[:, :0] if self.film else c
        if self.encodes:
            return self.vector(run(self.layers, x, c), joined)  # type: ignore[no-any-return]
        return run(self.layers, self.vector(x, joined), c)


def _halvings(image: Sequence[int], times: int) -> list[tuple[int, int]]:
    """Sizes ``(H, W)`` of an image that is halved so many times, rounded down."""
    if len(image) != 3 or min(image[1:]) < 2**times:
        raise ValueError(
            f"Conv with {times} channels halves an image (C, H, W) {times} times, which "
            f"{tuple(image)} does not allow: give fewer channels, or use MLP"
        )
    return [(image[1] >> i, image[2] >> i) for i in range(times + 1)]


def _doubling(n: int, m: int, small: tuple[int, int], large: tuple[int, int]) -> nn.Module:
    odd = (large[0] - 2 * small[0], large[1] - 2 * small[1])  # what the halving rounded off
    return nn.ConvTranspose2d(n, m, kernel_size=4, stride=2, padding=1, output_padding=odd)
