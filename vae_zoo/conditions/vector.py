"""Conditions on a vector."""

from collections.abc import Sequence

from torch import Tensor

from vae_zoo.conditions.base import Condition


class Vector(Condition):
    """A real vector as it is, c = y: what was measured beside x, say.

    It is not standardised: let the data be of order one.

    Args:
        classes: Not used.
        shape: Shape ``(C,)`` of y.

    Raises:
        ValueError: The data have no vectors to condition on.
    """

    def __init__(self, classes: int = 0, shape: Sequence[int] = ()) -> None:
        super().__init__()
        if len(shape) != 1 or shape[0] < 1:
            has = (
                f"conditions of shape {tuple(shape)}" if shape else "labels" if classes else "none"
            )
            use = "Image" if len(shape) == 3 else "OneHot" if classes else "Unconditional"
            raise ValueError(
                f"Vector needs conditions that are vectors (C,), and the data have {has}: "
                f"use --model.condition {use}, or data such as TwoModes"
            )
        self.dim = shape[0]

    def forward(self, y: Tensor | None) -> Tensor:
        """Return vectors ``(B, C)`` as they are.

        Raises:
            ValueError: There are no vectors, or others.
        """
        if y is None or y.dim() != 2 or y.shape[1] != self.dim:
            got = None if y is None else tuple(y.shape)
            raise ValueError(
                f"a model with the condition Vector needs vectors y of shape (B, {self.dim}), "
                f"got {got}"
            )
        return y
