"""Conditions on an image."""

from collections.abc import Sequence

from torch import Tensor

from vae_zoo.conditions.base import Condition
from vae_zoo.networks import MLP, NetworkFactory


class Image(Condition):
    """An image, or part of one, in the features of a network of its own: c = f(y).

    The network is trained with the rest, through the encoder, the decoder and a prior p(z | c).

    Args:
        classes: Not used.
        shape: Shape ``(C, H, W)`` of y; several images are its channels.
        network: Makes f.
        features: Number C of features.

    Raises:
        ValueError: The data have no image conditions, or there is no feature.

    References:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, 2015.
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
    """

    def __init__(
        self,
        classes: int = 0,
        shape: Sequence[int] = (),
        network: NetworkFactory = MLP,
        features: int = 64,
    ) -> None:
        super().__init__()
        if len(shape) != 3:
            has = f"conditions of shape {tuple(shape)}" if shape else "none"
            raise ValueError(
                f"Image needs conditions that are images (C, H, W), and the data have {has}: "
                "use data such as Completion, or another condition"
            )
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        self.shape, self.dim = tuple(shape), features
        self.network = network(in_shape=self.shape, out_shape=(features,), condition_dim=0)

    def forward(self, y: Tensor | None) -> Tensor:
        """Map images ``(B, *shape)`` to features ``(B, C)``.

        Raises:
            ValueError: There are no images, or others.
        """
        if y is None or tuple(y.shape[1:]) != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(
                f"a model with the condition Image needs images y of shape (B, {wanted}), "
                f"got {None if y is None else tuple(y.shape)}"
            )
        return self.network(y, y.new_empty(1, 0))  # type: ignore[no-any-return]
