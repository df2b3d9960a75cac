"""Means over pairs of samples, without a matrix of all pairs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from vae_zoo.regularizers.kernels import Radial


def mean_between(x: Tensor, y: Tensor, kernel: Radial) -> Tensor:
    """Average k(‖x - y‖²) over all pairs.

    Args:
        x: Samples of shape ``(N, D)``.
        y: Samples of shape ``(M, D)``.
        kernel: Returns k(r²) and its slope.

    Returns:
        A scalar that can be differentiated once.
    """
    return _PairSum.apply(x, y, kernel) / (len(x) * len(y))  # type: ignore[no-any-return, no-untyped-call]


def mean_within(x: Tensor, kernel: Radial) -> Tensor:
    """Average k(‖x_i - x_j‖²) over the pairs i ≠ j, as in an unbiased estimate."""
    return _PairSum.apply(x, None, kernel) / (len(x) * (len(x) - 1))  # type: ignore[no-any-return, no-untyped-call]


def mean_off_diagonal(block: Callable[[slice], Tensor], like: Tensor, numbers: int) -> Tensor:
    """Average a statistic h_ij over i ≠ j, in chunks that the backward pass computes again.

    Args:
        block: Returns h for the rows of a slice, of shape ``(R, N)``.
        like: A tensor of N rows.
        numbers: How many numbers a row takes.

    Returns:
        A scalar.
    """

    def chunk(start: int) -> Tensor:
        h = block(slice(start, start + rows))
        return h.sum() - h.diagonal(start).sum()

    rows, n = rows_per_chunk(like, numbers), len(like)
    if rows >= n:  # nothing to be saved
        return chunk(0) / (n * (n - 1))
    parts = [
        checkpoint(chunk, start, use_reentrant=False, preserve_rng_state=False)
        for start in range(0, n, rows)
    ]
    return torch.stack(parts).sum() / (n * (n - 1))


def require_pairs(user: str, *counts: int) -> None:
    """Refuse a batch too small for a mean over pairs.

    Raises:
        ValueError: There are fewer than two samples of a distribution.
    """
    if min(counts) < 2:
        each = " of each" if len(counts) > 1 else ""
        got = " and ".join(str(count) for count in counts)
        raise ValueError(
            f"{user} needs at least two samples{each}, got {got}: raise --data.batch_size"
        )


def rows_per_chunk(like: Tensor, numbers: int) -> int:
    """Number of rows whose chunk fits the cache of a processor, or keeps an accelerator busy."""
    return max(1, (2**17 if like.is_cpu else 2**24) // numbers)


class _PairSum(torch.autograd.Function):
    """Σ k(‖x_i - y_j‖²), or over the pairs i ≠ j of x alone where there is no y.

    The gradient is built in the forward pass, chunk by chunk, so that neither pass holds more than
    a chunk of the distances.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor | None, kernel: Radial) -> Tensor:
        center = x.mean(0)  # distances between codes far from the origin would be rounded away
        x = x - center
        y = None if y is None else y - center
        total, by_x = x.new_zeros(()), torch.zeros_like(x)
        by_y = torch.zeros_like(y) if y is not None and ctx.needs_input_grad[1] else None
        step = rows_per_chunk(x, len(x) if y is None else len(y))
        for start in range(0, len(x), step):
            rows = x[start : start + step]
            columns = x[start:] if y is None else y
            values, slopes = kernel(_squared_distances(rows, columns))
            if y is None:
                for k in (values, slopes):
                    k.diagonal().zero_()
                    k[:, len(rows) :].mul_(2)  # the pairs (j, i) of later rows
            total += values.sum()
            by_x[start : start + step] += _pull(slopes, rows, columns)
            by_columns = by_x[start:] if y is None else by_y
            if by_columns is not None:
                by_columns += _pull(slopes.T, columns, rows)
        ctx.save_for_backward(by_x, by_y)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        by_x, by_y = ctx.saved_tensors
        return gradient * by_x, None if by_y is None else gradient * by_y, None


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:  # (N, M)
    # Expanded, so that no tensor of shape (N, M, D) is made; rounding may leave it below zero.
    squares = torch.addmm(y.square().sum(1), x, y.T, alpha=-2)
    return squares.add_(x.square().sum(1, keepdim=True)).clamp_(min=0)


def _pull(slopes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The gradient by each row: Σ_j dk/dr² 2(x_i - y_j)."""
    return 2 * (slopes.sum(1, keepdim=True) * rows - slopes @ columns)
