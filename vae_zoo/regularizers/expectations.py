"""Expectations of kernels under N(0, I) and under q(z | x), which spare the noise of samples."""

import math
from collections.abc import Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor

from vae_zoo.regularizers.kernels import Kernel, gaussian, radial
from vae_zoo.regularizers.pairs import (
    mean_between,
    mean_off_diagonal,
    mean_within,
    require_pairs,
)

STEP = 0.55  # of the trapezoid in log t; its error falls as exp(-π² / STEP), to 2e-8 here


def standard_mmd(x: Tensor, kernel: Kernel, widths: Sequence[float]) -> Tensor:
    """Estimate MMD² between samples and N(0, I) without bias, and without samples of N(0, I).

    A kernel is written as a mixture of Gaussian kernels Σ_k w_k exp(-u_k r²), whose expectations
    are known: E exp(-u ‖x - y‖²) = (1 + 2u)^(-D/2) exp(-u ‖x‖² / (1 + 2u)).

    Args:
        x: Samples of shape ``(N, D)``.
        kernel: As in :func:`~vae_zoo.regularizers.mmd`.
        widths: Kernel widths C to average over.

    Returns:
        A scalar.

    Raises:
        ValueError: There are fewer than two samples.

    References:
        Rustamov, Closed-form Expressions for Maximum Mean Discrepancy with Applications to
        Wasserstein Auto-Encoders, 2021. https://arxiv.org/abs/1901.03227
    """
    require_pairs("MMD", len(x))
    rates, weights = mixture(kernel, tuple(widths))
    d = x.shape[1]
    by_prior = partial(
        gaussian,
        rates=[u / (1 + 2 * u) for u in rates],
        weights=[w * (1 + 2 * u) ** (-d / 2) for u, w in zip(rates, weights, strict=True)],
    )
    origin = x.new_zeros(1, d)  # the expectation depends on x through ‖x - 0‖² alone
    within = mean_within(x, radial(kernel, widths))
    return within + _within_prior(rates, weights, d) - 2 * mean_between(x, origin, by_prior)


def posterior_mmd(loc: Tensor, scale: Tensor, widths: Sequence[float]) -> Tensor:
    """Estimate MMD² between the mean of diagonal normals and N(0, I), for a Gaussian kernel.

    It is the expectation of the unbiased estimate over one sample of each normal: per dimension
    E exp(-u (z - z')²) = (1 + 2uv)^(-1/2) exp(-u (m - m')² / (1 + 2uv)), v = s² + s'².

    Args:
        loc: Means m of shape ``(N, D)``.
        scale: Standard deviations s of shape ``(N, D)``.
        widths: Kernel widths C to average over.

    Returns:
        A scalar.

    Raises:
        ValueError: There are fewer than two normals.
    """
    require_pairs("MMD", len(loc))
    rates, weights = mixture("gaussian", tuple(widths))
    n, d = loc.shape
    variance = scale.square()

    def similarities(differences: Tensor, variances: Tensor) -> Tensor:
        total = torch.zeros_like(differences[..., 0])
        squares = differences.square()
        for u, w in zip(rates, weights, strict=True):
            spread = 1 + 2 * u * variances
            total = total + w * (-spread.log() / 2 - u * squares / spread).sum(-1).exp()
        return total

    def block(rows: slice) -> Tensor:
        return similarities(loc[rows, None] - loc, variance[rows, None] + variance)

    within = mean_off_diagonal(block, loc, numbers=n * d)
    between = similarities(loc, variance + 1).mean()
    return within + _within_prior(rates, weights, d) - 2 * between


@lru_cache
def mixture(kernel: Kernel, widths: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Write a kernel as Σ_k w_k exp(-u_k r²), averaged over widths.

    exp(-r² / C) is one already. C / (C + r²) = ∫ e^-t e^(-t r² / C) dt, and exp(-r / √C) is the
    same integral over 1 / 4t in place of t with the density of t ~ Gamma(1/2). The trapezoid in
    log t serves all widths at once.

    Returns:
        Rates u_k and weights w_k.
    """
    if kernel == "gaussian":
        return [1 / c for c in widths], [1 / len(widths)] * len(widths)
    if kernel == "imq":
        low, high = math.exp(-14) / max(widths), math.exp(4.2) / min(widths)
    else:
        low, high = math.exp(-4.2) / (4 * max(widths)), math.exp(18) / (4 * min(widths))
    nodes = math.ceil(math.log(high / low) / STEP) + 1
    rates = [low * math.exp(STEP * node) for node in range(nodes)]
    weights = [STEP * sum(_density(kernel, u, c) for c in widths) / len(widths) for u in rates]
    return rates, weights


def _density(kernel: Kernel, rate: float, width: float) -> float:
    """The mixing density by log u, of one width."""
    if kernel == "imq":
        return width * rate * math.exp(-width * rate)
    return math.sqrt(1 / (4 * width * rate) / math.pi) * math.exp(-1 / (4 * width * rate))


def _within_prior(rates: Sequence[float], weights: Sequence[float], d: int) -> float:
    """E k(y, y') for y, y' ~ N(0, I)."""
    return float(sum(w * (1 + 4 * u) ** (-d / 2) for u, w in zip(rates, weights, strict=True)))
