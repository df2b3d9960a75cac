"""Maximum mean discrepancy: the MMD-VAE (InfoVAE) and the WAE-MMD."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.sampling import draw, gather

Kernel = Literal["gaussian", "imq"]


def mmd(x: Tensor, y: Tensor, kernel: Kernel, widths: Tensor) -> Tensor:
    """Estimate MMD² without bias; the estimate may therefore fall below zero.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: Samples of the second distribution, of shape ``(M, D)``.
        kernel: ``gaussian`` is exp(-‖x - y‖² / C), ``imq`` is C / (C + ‖x - y‖²).
        widths: Kernel widths C to average over, of shape ``(S,)``.

    Returns:
        A scalar, between -2 and 2.

    Raises:
        ValueError: There are fewer than two samples of either.

    References:
        Gretton et al., A Kernel Two-Sample Test, 2012, eq. 3.
        https://jmlr.org/papers/v13/gretton12a.html
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(
            f"MMD needs at least two samples of each, got {len(x)} and {len(y)}: "
            "raise --data.batch_size"
        )
    within_x = _mean_off_diagonal(_similarities(x, x, kernel, widths))
    within_y = _mean_off_diagonal(_similarities(y, y, kernel, widths))
    return within_x + within_y - 2 * _similarities(x, y, kernel, widths).mean()


def _similarities(x: Tensor, y: Tensor, kernel: Kernel, widths: Tensor) -> Tensor:  # (N, M)
    # Expanded, so that no tensor of shape (N, M, D) is made; rounding may leave it below zero.
    squares = x.square().sum(-1).unsqueeze(-1) + y.square().sum(-1)
    distances = (squares - 2 * x @ y.T).clamp(min=0)
    total = torch.zeros_like(distances)
    for width in widths:  # one at a time, so that no tensor of shape (S, N, M) is made
        if kernel == "gaussian":
            total = total + torch.exp(-distances / width)
        else:
            total = total + width / (width + distances)
    return total / len(widths)


def _mean_off_diagonal(k: Tensor) -> Tensor:
    n = len(k)
    return (k.sum() - k.trace()) / (n * (n - 1))


class MMD(Regularizer):
    """MMD² between the aggregate posterior q(z) and the prior, averaged over kernel widths.

    It compares the codes of a batch, pooled over ranks, with as many samples of the prior.

    Args:
        weight: Factor λ on the divergence.
        kernel: Inverse multiquadratic C / (C + r²), or Gaussian exp(-r² / C).
        scales: Kernel widths C in units of 2D, the mean r² of two samples of N(0, I).

    Raises:
        ValueError: The weight is negative, the kernel unknown, or a scale not positive.

    References:
        Tolstikhin et al., Wasserstein Auto-Encoders, 2018, sec. 3 and 4.
        https://arxiv.org/abs/1711.01558
        Zhao et al., InfoVAE, 2019. https://arxiv.org/abs/1706.02262
    """

    scales: Tensor

    def __init__(
        self,
        weight: float = 1.0,
        kernel: Kernel = "imq",
        scales: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    ) -> None:
        super().__init__(weight)
        if kernel not in get_args(Kernel):
            raise ValueError(f"kernel must be one of {', '.join(get_args(Kernel))}, got {kernel}")
        if not scales or not all(0 < scale < math.inf for scale in scales):
            raise ValueError(f"scales must be one positive number or more, got {list(scales)}")
        self.kernel: Kernel = kernel
        self.register_buffer("scales", torch.tensor(scales), persistent=False)

    @property
    def label(self) -> str:
        return f"MMD {self.kernel} λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        widths = 2 * z.shape[1] * self.scales
        return mmd(gather(z), gather(draw(p)), self.kernel, widths)
