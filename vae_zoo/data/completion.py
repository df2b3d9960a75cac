"""Images of which a part is seen, and the rest is to be drawn."""

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.base import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.data.splits import Split, Splits

Quadrants = Literal[1, 2, 3]
HIDDEN = -1.0  # what stands in y for a pixel that is not seen
TINT = torch.tensor([0.1, 0.25, 0.5]).view(3, 1, 1)  # of what is seen, in a picture


class Completion(DataModule):
    """Images of other data, of which y is the quadrants that are seen and x the hidden pixels.

    One quadrant is the lower left, two are the left half, three are all but the lower right. Both
    x, a vector of the hidden pixels, and y, the image with -1 in their place, are cut from the same
    image, after it was binarized, if it is. Labels are left out.

    Args:
        of: Data of images, such as ``MNIST()``; its batch size is this one's.
        quadrants: How many of the four are seen.

    Raises:
        ValueError: There is no such number of quadrants, or the data are no images.

    References:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, 2015, sec. 5.1 (the task, with 1, 2 and 3 quadrants of MNIST).
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
        Pyro, Conditional Variational Auto-encoder (which quadrants). https://pyro.ai/examples/cvae.html
    """

    def __init__(self, of: DataModule, quadrants: Quadrants = 1) -> None:
        super().__init__(of.batch_size)
        if quadrants not in get_args(Quadrants):
            raise ValueError(f"quadrants must be 1, 2 or 3, got {quadrants}")
        if len(of.shape) != 3 or min(of.shape[1:]) < 2:
            raise ValueError(
                "of must be data of images (C, H, W) that have quadrants, got "
                f"{type(of).__name__} of shape {tuple(of.shape)}"
            )
        self.of, self.quadrants, self.support = of, quadrants, of.support
        self.seen = seen(of.shape[-2:], quadrants).expand(of.shape)
        self.shape = (int((~self.seen).sum()),)
        self.condition_shape = of.shape

    def prepare_data(self) -> None:
        self.of.prepare_data()

    def load(self) -> Splits:
        return Splits(*(Split(x) for x, _ in self.of.splits))

    def augment(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        return self.of.augment(x, generator)

    def batch(self, x: Tensor, y: Tensor | None) -> Batch:
        """Cut images into what is hidden, ``(B, *shape)``, and what is seen, ``(B, *Y)``."""
        image, _ = self.of.batch(x, None)
        return image[:, ~self.seen], image.masked_fill(~self.seen, HIDDEN)

    def join(self, x: Tensor, y: Tensor) -> Tensor:
        """Put what is hidden, or generated, and what is seen together into images ``(B, *Y)``."""
        image = y.clone()
        image[:, ~self.seen.to(y.device)] = x.to(y.dtype)
        return image

    def picture(self, x: Tensor, y: Tensor | None) -> Tensor | None:
        """Show whole images, of which what is seen has a tint."""
        image = None if y is None else self.of.picture(self.join(x, y), None)
        if image is None:
            return None
        tinted = image + (1 - image) * TINT.to(image.device)
        return torch.where(self.seen[:1].to(image.device), tinted, image)


def seen(size: tuple[int, ...], quadrants: int) -> Tensor:
    """Tell which pixels ``(H, W)`` are seen; the middle of an odd size is right, or low."""
    low, left = torch.arange(size[0]) >= size[0] // 2, torch.arange(size[1]) < size[1] // 2
    low, left = torch.meshgrid(low, left, indexing="ij")
    return {1: low & left, 2: left, 3: left | ~low}[quadrants]
