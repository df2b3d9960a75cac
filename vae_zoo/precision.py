"""The precision of distributions, whatever that of the networks."""

from typing import Any, Self

import torch
from torch import Tensor, nn


def at_least_single(x: Tensor) -> Tensor:
    """Turn half precision into single: log-densities are sums of many terms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class AtLeastSingle(nn.Module):
    """A module whose parameters stay in single precision at least, whatever its model is put in.

    In half precision, a flow would round the codes that it takes the density of.
    """

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        single = lambda t: at_least_single(t) if t.is_floating_point() else t  # noqa: E731
        return super()._apply(single, recurse)  # type: ignore[no-any-return, no-untyped-call]
