"""Conditions on a label."""

from collections.abc import Sequence

from torch import Tensor, nn
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
        _need_labels("OneHot", classes)
        self.dim = classes

    def forward(self, y: Tensor | None) -> Tensor:
        """Map labels ``(B,)`` to one-hot vectors ``(B, C)``.

        Raises:
            ValueError: There are no labels.
        """
        return one_hot(_labels("OneHot", y), self.dim).float()


class Embedding(Condition):
    """A learned vector for each label, which may be shorter than a one-hot one.

    Args:
        classes: Number of labels.
        shape: Not used.
        features: Number C of features.

    Raises:
        ValueError: The data have no labels, or there is no feature.

    References:
        Mirza and Osindero, Conditional Generative Adversarial Nets, 2014, sec. 4.2 (which learns
        vectors of words). https://arxiv.org/abs/1411.1784
    """

    def __init__(self, classes: int, shape: Sequence[int] = (), features: int = 8) -> None:
        super().__init__()
        _need_labels("Embedding", classes)
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        self.dim = features
        self.vectors = nn.Embedding(classes, features)

    def forward(self, y: Tensor | None) -> Tensor:
        """Map labels ``(B,)`` to their vectors ``(B, C)``.

        Raises:
            ValueError: There are no labels.
        """
        return self.vectors(_labels("Embedding", y))  # type: ignore[no-any-return]


def _need_labels(name: str, classes: int) -> None:
    if classes < 1:
        raise ValueError(f"{name} needs labels, and the data have none: use Unconditional")


def _labels(name: str, y: Tensor | None) -> Tensor:
    if y is None:
        raise ValueError(f"a model with the condition {name} needs labels y, got None")
    return y
