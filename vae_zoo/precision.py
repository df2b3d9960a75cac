"""The precision of distributions, whatever that of the networks."""

import torch
from torch import Tensor


def at_least_single(x: Tensor) -> Tensor:
    """Turn half precision into single: log-densities are sums of many terms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
