"""Conditions on a label."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import one_hot

from vae_zoo.conditions.base import Condition


class OneHot(Condition):
    """A label as a one-hot vector: the conditional VAE.

    Args:
        classes: Number C of labels.
        shape: Not used.

    Raises:
        ValueError: The data have no labels.

    References:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, 2015.
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
    """

    def __init__(self, classes: int, shape: Sequence[int] = ()) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError("OneHot needs labels, and the data have none: use Unconditional")
        self.dim = classes

    def forward(self, y: Tensor | None) -> Tensor:
        """Map labels ``(B,)`` to one-hot vectors ``(B, C)``.

        Raises:
            ValueError: There are no labels.
        """
        if y is None:
            raise ValueError("a model with the condition OneHot needs labels y, got None")
        return one_hot(y, self.dim).float()
