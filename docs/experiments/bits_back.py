"""Bits back: a code of images by a VAE, as long as its -ELBO."""

import math
from collections.abc import Callable
from typing import Any

import constriction
import numpy as np
import torch
from torch import Tensor

from vae_zoo import VAE

REACH = 16.0  # of the bins, in the prior's standard deviations
LEAST = 2.0**-24  # probability of a bin, which the coder adds to that of N(0, I)
DRAWN = 50  # codes of each image
BORROWED = 200  # words of 32 bits, of chance, that the first images choose their codes by


class BitsBack:
    """Codes of images in one stack, by p(z), p(x | z) and q(z | x) over bins of z.

    To push an image, its z is *popped* by q(z | x): what lies on the stack chooses it, and can be
    had back. Then x is pushed by p(x | z), and z by p(z). A push lengthens the stack by -log₂ of a
    probability and a pop shortens it by as much, so that an image takes -log₂ p(x, z)/q(z | x)
    bits. In the mean that is -ELBO / ln 2, if what lies on the stack is as good as chance: the code
    of the image before, which is so as far as q(z) is p(z).

    Args:
        model: With the prior N(0, I), to which the coder's comes up but for `LEAST`, a
            DiagonalNormal posterior, and coins for pixels.
        width: Of a bin.
        words: What lies on the stack at first, whole numbers of 32 bits.

    References:
        Townsend, Bird and Barber, Practical Lossless Compression with Latent Variables using Bits
        Back Coding, 2019, sec. 2.5. https://arxiv.org/abs/1901.04866
    """

    def __init__(self, model: VAE, width: float, words: np.ndarray) -> None:
        self.model, self.width, self.stack = model, width, constriction.stream.stack.AnsCoder(words)
        self.reach = round(REACH / width)
        self.bins, self.coins = (
            constriction.stream.model.QuantizedGaussian(-self.reach, self.reach),
            constriction.stream.model.Bernoulli(perfect=False),
        )

    @property
    def bits(self) -> int:
        """Length of the stack."""
        return int(self.stack.num_valid_bits())

    def push(self, x: Tensor) -> None:
        """Code an image ``X``, with bits back."""
        self.push_both(x, self.stack.decode(self.bins, *self.posterior(x)))

    def push_naively(self, x: Tensor) -> None:
        """Code an image with the bin of the mean of q(z | x): no bits come back."""
        mean, _ = self.posterior(x)
        self.push_both(x, np.rint(mean).clip(-self.reach, self.reach).astype(np.int32))

    def push_both(self, x: Tensor, bins: np.ndarray) -> None:
        """Push x by p(x | z), then z by p(z)."""
        pixels = x.flatten().numpy().astype(np.int32)
        self.stack.encode_reverse(pixels, self.coins, self.pixels(bins))
        self.stack.encode_reverse(bins, self.bins, *self.prior)

    def pop(self) -> Tensor:
        """Decode the last image, and give back the bits that chose its code."""
        bins = self.stack.decode(self.bins, *self.prior)
        pixels = self.stack.decode(self.coins, self.pixels(bins))
        x = torch.from_numpy(pixels).float().view(self.model.shape)
        self.stack.encode_reverse(bins, self.bins, *self.posterior(x))
        return x

    @property
    def prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of p(z), in bins."""
        zeros = np.zeros(self.model.latent_dim)
        return zeros, zeros + 1 / self.width

    @torch.no_grad()
    def posterior(self, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Those of q(z | x)."""
        q = self.model.encode(x[None], torch.zeros(1, 0))
        mean, std = (part[0].double().numpy() / self.width for part in (q.mean, q.stddev))
        return mean, std

    @torch.no_grad()
    def pixels(self, bins: np.ndarray) -> np.ndarray:
        """Probabilities of a 1, of z in the middle of its bin."""
        z = torch.from_numpy(bins * self.width).float()[None]
        p: Any = self.model.decode(z, torch.zeros(1, 0))
        found: np.ndarray = p.mean.double().flatten().numpy()
        return found


def code_length(images: Tensor, coder: BitsBack, push: Callable[[Tensor], None]) -> float:
    """Bits that an image adds to the stack, in the mean."""
    before = coder.bits
    for image in images:
        push(image)
    return (coder.bits - before) / len(images)


def lengths(model: VAE, images: Tensor, width: float, seed: int) -> tuple[float, float]:
    """Code images with bits back and without, and decode them.

    Returns:
        Bits an image.

    Raises:
        ArithmeticError: Other images came back, or other bits.
    """
    generator = np.random.default_rng(seed)
    words = generator.integers(1, 2**32, size=BORROWED, dtype=np.uint32)
    coder, naive = BitsBack(model, width, words), BitsBack(model, width, words)
    found = code_length(images, coder, coder.push), code_length(images, naive, naive.push_naively)
    decoded = torch.stack([coder.pop() for _ in images]).flip(0)
    left = coder.stack.get_compressed()
    if not (torch.equal(decoded, images) and np.array_equal(left, words)):
        raise ArithmeticError(f"with bins of {width:g}, what was decoded is not what was coded")
    return found


def length_on_chance(model: VAE, images: Tensor, width: float, seed: int) -> float:
    """Bits that an image adds with bits back to a stack of its own, of pure chance."""
    generator, added = np.random.default_rng(seed), []
    for image in images:
        words = generator.integers(1, 2**32, size=BORROWED, dtype=np.uint32)
        coder = BitsBack(model, width, words)
        added.append(code_length(image[None], coder, coder.push))
    return float(np.mean(added))


def prior_bits(bins: Tensor, width: float) -> Tensor:
    """Bits that the coder takes for each bin of z by p(z), none of which has less than 2^-24."""
    far, count = bins.abs().double(), 2 * round(REACH / width) + 1
    low, high = (torch.special.ndtr(-(far + edge) * width) for edge in (0.5, -0.5))
    found: Tensor = -((high - low) * (1 - count * LEAST) + LEAST).log2()
    return found


@torch.no_grad()
def saved_by_least(model: VAE, images: Tensor, width: float, seed: int) -> float:
    """Bits an image that codes z ~ q(z | x) take less by the coder's p(z) than by N(0, I)."""
    torch.manual_seed(seed)
    z = model.encode(images, images.new_zeros(len(images), 0)).sample(torch.Size([DRAWN]))
    bins = (z / width).round().double()
    nats = (bins * width).square() / 2 + math.log(2 * math.pi) / 2 - math.log(width)
    return float((nats / math.log(2) - prior_bits(bins, width)).sum(-1).mean())
