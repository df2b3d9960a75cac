"""Noise that is drawn by several processes, and replayed by one."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

DRAWS = {"rand", "randn", "rand_like", "randn_like", "randint", "randperm", "bernoulli", "normal"}
DRAWS |= {"normal_", "uniform_", "bernoulli_", "exponential_", "multinomial", "_standard_gamma"}


def align(kept: list[list[Tensor]]) -> list[tuple[Tensor, ...]]:
    """Pair what the ranks drew, in order and by shape; what rank 0 alone drew stays alone.

    Args:
        kept: What each rank drew.
    """
    first, *others = [[*noises] for noises in kept]
    aligned = []
    for noise in first:
        row = [noise]
        for other in others:
            matches = [i for i, drawn in enumerate(other) if drawn.shape == noise.shape]
            row += [other.pop(matches[0])] if matches else []
        aligned.append(tuple(row))
    return aligned


class Noise(TorchFunctionMode):
    """Keeps all noise that is drawn, or replaces it by what was kept on several ranks.

    Args:
        kept: What each of the ranks kept; nothing, to draw afresh.
    """

    def __init__(self, kept: Iterable[tuple[Tensor, ...]] | None = None) -> None:
        super().__init__()
        self.kept = None if kept is None else iter(kept)
        self.drawn: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and keep or replace what it draws."""
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") not in DRAWS:
            return result
        if self.kept is not None:
            result.detach().copy_(self._replay(next(self.kept), result.shape))
        self.drawn.append(result.detach().clone())
        return result

    def _replay(self, of_ranks: tuple[Tensor, ...], shape: torch.Size) -> Tensor:
        """What is drawn for the batch as a whole is rank 0's; noise per example is stacked."""
        if of_ranks[0].shape == shape:
            return of_ranks[0]
        pairs = zip(of_ranks[0].shape, shape, strict=True)
        return torch.cat(of_ranks, dim=[own != all_ for own, all_ in pairs].index(True))
