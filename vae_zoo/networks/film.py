"""A condition that scales and shifts what a layer returns."""

from typing import Literal, get_args

from torch import Tensor, nn

Injection = Literal["concatenation", "film"]


class FiLM(nn.Module):
    """(1 + γ(c)) h + β(c), feature by feature, with γ and β affine in c and 0 at the start.

    Args:
        condition_dim: Number C of features of the condition.
        features: Number F of units or channels that are modulated.

    References:
        Perez, Strub, de Vries, Dumoulin and Courville, FiLM: Visual Reasoning with a General
        Conditioning Layer, 2018, sec. 2. https://arxiv.org/abs/1709.07871
    """

    def __init__(self, condition_dim: int, features: int) -> None:
        super().__init__()
        self.affine = nn.Linear(condition_dim, 2 * features)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        """Modulate units ``(B, F)``, or channels ``(B, F, H, W)``, by a condition ``(B, C)``."""
        features: Tensor = self.affine(c)
        gamma, beta = features[(..., *[None] * (h.dim() - 2))].chunk(2, dim=1)
        return (1 + gamma) * h + beta


def run(layers: nn.Sequential, h: Tensor, c: Tensor) -> Tensor:
    """Pass features through layers, of which those of FiLM see the condition."""
    for layer in layers:
        h = layer(h, c) if isinstance(layer, FiLM) else layer(h)
    return h


def check(injection: Injection, condition_dim: int, hidden: str, layers: int) -> bool:
    """Return whether a condition is injected by FiLM.

    Args:
        injection: How a condition is injected.
        condition_dim: Number C of features of the condition.
        hidden: Name of the option that gives the hidden layers.
        layers: Number of hidden layers.

    Raises:
        ValueError: There is no such injection, or nothing that could modulate or be modulated.
    """
    if injection not in get_args(Injection):
        choices = " or ".join(get_args(Injection))
        raise ValueError(f"injection must be {choices}, got {injection!r}")
    if injection == "film" and not condition_dim:
        raise ValueError(
            "injection 'film' modulates layers by a condition, and there is none: give the model "
            "one, such as --model.condition OneHot, or use 'concatenation'"
        )
    if injection == "film" and not layers:
        raise ValueError(
            f"injection 'film' modulates hidden layers, and there are none: give some by {hidden}, "
            "or use 'concatenation'"
        )
    return injection == "film"
