"""Maximum mean discrepancy: the MMD-VAE (InfoVAE) and the WAE-MMD."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import pdist

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.expectations import posterior_mmd, standard_mmd
from vae_zoo.regularizers.families import mean_and_scale, require_standard
from vae_zoo.regularizers.kernels import Kernel, radial
from vae_zoo.regularizers.pairs import mean_between, mean_within, require_pairs
from vae_zoo.sampling import draw, gather

Prior = Literal["sampled", "exact", "posterior"]
Width = Literal["dimension", "median"]


def mmd(x: Tensor, y: Tensor, kernel: Kernel, widths: Tensor) -> Tensor:
    """Estimate MMD² without bias; the estimate may therefore fall below zero.

    Its gradient is built in the forward pass, in chunks: it can be differentiated once.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: Samples of the second distribution, of shape ``(M, D)``.
        kernel: ``gaussian`` is exp(-‖x - y‖² / C), ``imq`` is C / (C + ‖x - y‖²), ``laplace`` is
            exp(-‖x - y‖ / √C).
        widths: Kernel widths C to average over, of shape ``(S,)``, on the CPU.

    Returns:
        A scalar, between -2 and 2.

    Raises:
        ValueError: There are fewer than two samples of either.

    References:
        Gretton et al., A Kernel Two-Sample Test, 2012, eq. 3.
        https://jmlr.org/papers/v13/gretton12a.html
    """
    require_pairs("MMD", len(x), len(y))
    k = radial(kernel, widths.tolist())
    return mean_within(x, k) + mean_within(y, k) - 2 * mean_between(x, y, k)


def median_distance(x: Tensor, y: Tensor, samples: int = 250) -> Tensor:
    """The median distance between two of the pooled samples, of which the first few suffice.

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: Samples of the second distribution, of shape ``(M, D)``.
        samples: How many of each to pool.

    Returns:
        A scalar, through which no gradient flows.

    References:
        Gretton et al., A Kernel Two-Sample Test, 2012, sec. 8.
        https://jmlr.org/papers/v13/gretton12a.html
    """
    return pdist(torch.cat([x[:samples], y[:samples]]).detach()).median()


class MMD(Regularizer):
    """MMD² between the aggregate posterior q(z) and the prior, averaged over kernel widths.

    It compares the codes of a batch, pooled over ranks, with as many samples of the prior; or,
    under the prior N(0, I), with the exact expectation over it, whose estimates vary less. Samples
    of a prior p(z | c) share the conditions of the codes, which makes it too low by O(1 / N).

    Args:
        weight: Factor λ on the divergence.
        kernel: Inverse multiquadratic C / (C + r²), Gaussian exp(-r² / C), or Laplace exp(-r / √C).
        scales: Kernel widths C in units of 2D, the mean r² of two samples of N(0, I).
        prior: Samples of it, its exact expectation, or also that over the posterior q(z | x), which
            leaves no noise but that of the batch (Gaussian kernel and DiagonalNormal alone).
        width: The unit of the scales: 2D, or the median r² of codes and samples of the prior.

    Raises:
        ValueError: The weight is negative, a choice unknown, a scale not positive, or an exact
            expectation asked of another kernel or width than has one.

    References:
        Tolstikhin et al., Wasserstein Auto-Encoders, 2018, sec. 3 and 4.
        https://arxiv.org/abs/1711.01558
        Zhao et al., InfoVAE, 2019. https://arxiv.org/abs/1706.02262
    """

    def __init__(
        self,
        weight: float = 1.0,
        kernel: Kernel = "imq",
        scales: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
        prior: Prior = "sampled",
        width: Width = "dimension",
    ) -> None:
        super().__init__(weight)
        choices = (("kernel", kernel, Kernel), ("prior", prior, Prior), ("width", width, Width))
        for name, value, allowed in choices:
            if value not in get_args(allowed):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(allowed))}, got {value}"
                )
        if not scales or not all(0 < scale < math.inf for scale in scales):
            raise ValueError(f"scales must be one positive number or more, got {list(scales)}")
        if prior == "posterior" and kernel != "gaussian":
            raise ValueError(f"kernel must be gaussian where prior is posterior, got {kernel}")
        if prior != "sampled" and width == "median":
            raise ValueError(f"width must be dimension where the prior is not sampled, got {width}")
        self.kernel: Kernel = kernel
        self.prior, self.width, self.scales = prior, width, tuple(scales)

    @property
    def label(self) -> str:
        prior = "" if self.prior == "sampled" else f"{self.prior} "
        return f"MMD {self.kernel} {prior}λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Compare the codes of all ranks with the prior.

        Raises:
            ValueError: The exact expectation is asked of a prior or a posterior that has none.
        """
        widths = [2 * z.shape[1] * scale for scale in self.scales]
        if self.prior == "sampled":
            return self._of_samples(gather(z), gather(draw(p)), widths)
        user = f"MMD with prior {self.prior}"
        require_standard(p, user)
        if self.prior == "exact":
            return standard_mmd(gather(z), self.kernel, widths)
        loc, scale = mean_and_scale(q, "posterior", user)
        return posterior_mmd(gather(loc), gather(scale), widths)

    def _of_samples(self, x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
        if self.width == "median":  # dividing the samples leaves the widths on the CPU
            unit = median_distance(x, y)
            x, y, widths = x / unit, y / unit, self.scales
        return mmd(x, y, self.kernel, torch.tensor(widths, dtype=torch.double))
