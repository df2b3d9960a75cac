"""The first two moments of the codes."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import mean_and_scale, require_examples
from vae_zoo.sampling import gather


def moment_distance(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Estimate ‖E x - m‖² + ‖Cov x - C‖²_F without bias; it may therefore fall below zero.

    The plain estimate is too large by tr(Cov x) / N + O(D² / N), which would dwarf what it is of.

    Args:
        x: Samples, of shape ``(N, D)``.
        mean: Mean m to compare with, of shape ``(D,)``.
        covariance: Covariance C to compare with, of shape ``(D, D)``.

    Returns:
        A scalar.

    Raises:
        ValueError: There are fewer than four samples.

    References:
        Touloumis, Nonparametric Stein-type Shrinkage Covariance Matrix Estimators in
        High-dimensional Settings, 2015, for tr Cov². https://arxiv.org/abs/1410.4726
    """
    n = len(x)
    require_examples(n, 4, "Moments")
    gaps = x - x.mean(0)
    scatter = gaps.T @ gaps / (n - 1)
    trace = scatter.trace()
    fourth = gaps.square().sum(1).square().sum() / (n - 1)
    square = (n - 1) * (n - 2) * scatter.square().sum() + trace.square() - n * fourth
    square = square * (n - 1) / (n * (n - 2) * (n - 3))  # of tr Cov²
    between = square - 2 * (scatter * covariance).sum() + covariance.square().sum()
    return (x.mean(0) - mean).square().sum() - trace / n + between


class Moments(Regularizer):
    """‖E z - m‖² + ‖Cov z - C‖²_F with the mean m and the covariance C of the prior.

    It asks the codes of a batch, pooled over ranks, to be a normal's in their first two moments;
    it is blind to their shape. The estimate has no bias but under a prior p(z | c), of which it
    takes the moments over the batch: it is then too low by O(1 / N).

    Raises:
        ValueError: The weight is negative.

    References:
        Li, Swersky and Zemel, Generative Moment Matching Networks, 2015, sec. 2, for polynomial
        kernels. https://arxiv.org/abs/1502.02761
    """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Compare the moments of the pooled batch with those of the prior.

        Raises:
            ValueError: p is no diagonal normal, or there are fewer than four examples.
        """
        codes = gather(z)
        require_examples(len(codes), 4, "Moments")
        mean, scale = mean_and_scale(p, "prior", "Moments")
        mean, variance = gather(mean), gather(scale).square().mean(0)
        covariance = torch.diag(variance) + torch.cov(mean.T).view(len(variance), -1)
        return moment_distance(codes, mean.mean(0), covariance)
