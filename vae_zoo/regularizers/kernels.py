"""Kernels of the squared distance, each with its slope."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kernel = Literal["gaussian", "imq", "laplace"]


class Values(NamedTuple):
    """A kernel and its slope, of the shape of the squared distances r²."""

    values: Tensor  # k(r²)
    slopes: Tensor  # dk / dr²


Radial = Callable[[Tensor], Values]  # of r², which it may overwrite


def radial(kernel: Kernel, widths: Sequence[float]) -> Radial:
    """Average a kernel over widths C.

    Args:
        kernel: ``gaussian`` is exp(-r² / C), ``imq`` is C / (C + r²), ``laplace`` is exp(-r / √C).
        widths: The widths C.
    """
    if kernel == "gaussian":
        rates = [1 / width for width in widths]
        return partial(gaussian, rates=rates, weights=[1 / len(widths)] * len(widths))
    return partial(imq if kernel == "imq" else laplace, widths=widths)


def gaussian(squares: Tensor, rates: Sequence[float], weights: Sequence[float]) -> Values:
    """Σ_k w_k exp(-u_k r²), and its slope.

    Args:
        squares: Squared distances r².
        rates: The u_k.
        weights: The w_k.
    """
    values, slopes = torch.zeros_like(squares), torch.zeros_like(squares)
    part = torch.empty_like(squares)
    for rate, weight in zip(rates, weights, strict=True):  # in place: the chunk stays in the cache
        # Where floats are subnormal, exp takes many times as long.
        torch.mul(squares, -rate, out=part).clamp_(min=-80).exp_()
        values.add_(part, alpha=weight)
        slopes.add_(part, alpha=-weight * rate)
    return Values(values, slopes)


def imq(squares: Tensor, widths: Sequence[float]) -> Values:
    """C / (C + r²), the inverse multiquadratic, averaged over widths C; and its slope."""
    values, slopes = torch.zeros_like(squares), torch.zeros_like(squares)
    part = torch.empty_like(squares)
    for width in widths:
        torch.add(squares, width, out=part).reciprocal_()
        values.add_(part, alpha=width / len(widths))
        slopes.addcmul_(part, part, value=-width / len(widths))
    return Values(values, slopes)


def laplace(squares: Tensor, widths: Sequence[float]) -> Values:
    """exp(-r / √C), averaged over widths C; and its slope, 0 at r = 0, where it has none."""
    values, slopes = torch.zeros_like(squares), torch.zeros_like(squares)
    distances, half_inverses = distance(squares)
    part = torch.empty_like(distances)
    for width in widths:
        rate = width**-0.5
        torch.mul(distances, -rate, out=part).clamp_(min=-80).exp_()
        values.add_(part, alpha=1 / len(widths))
        slopes.add_(part, alpha=-rate / len(widths))
    return Values(values, slopes.mul_(half_inverses))


def distance(squares: Tensor) -> Values:
    """R itself, and its slope 1 / 2r, 0 at r = 0, where it has none."""
    distances = squares.sqrt_()
    slopes = torch.reciprocal(distances).mul_(0.5)
    return Values(distances, slopes.masked_fill_(distances == 0, 0))
