"""Total correlation, decomposed out of the rate: the β-TCVAE."""

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import (
    mean_and_scale,
    require_density,
    require_examples,
    require_factorised,
)
from vae_zoo.sampling import gather

Sampling = Literal["mss", "mws"]
ELEMENTS = 2**19  # of the tensors over all pairs of a few rows: fewer keep a second core idle


def log_weights(n: int, dataset_size: int, sampling: Sampling, like: Tensor) -> Tensor:
    """Logarithms of the weights by which a batch of n posteriors stands for all N of them.

    ``mss``, minibatch stratified sampling, gives the posterior of a code itself 1 / N, one other
    (N - M) / (N M), and the rest 1 / M, with M = n - 1: in the mean over batches that is q(z).
    ``mws``, minibatch weighted sampling, gives all of them 1 / (n N).

    Args:
        n: Number of examples in the batch.
        dataset_size: Number N of training examples.
        sampling: The estimator.
        like: A tensor of the wanted type and device.

    Returns:
        A row for each code and a column for each posterior, of shape ``(n, n)``.

    References:
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, 2018,
        app. C. https://arxiv.org/abs/1802.04942
    """
    if sampling == "mws":
        return like.new_full((n, n), -math.log(n * dataset_size))
    m = n - 1
    weights = like.new_full((n, n), -math.log(m))
    rows = torch.arange(n, device=like.device)
    weights[rows, (rows + 1) % n] = math.log((dataset_size - m) / (dataset_size * m))
    weights[rows, rows] = -math.log(dataset_size)
    return weights


def log_aggregate(
    z: Tensor, mean: Tensor, scale: Tensor, log_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Average log q(z) and Σ_d log q(z_d) over the codes, q being a weighted sum of normals.

    Args:
        z: Codes, of shape ``(N, D)``.
        mean: Means of the normals, of shape ``(M, D)``.
        scale: Their standard deviations.
        log_weights: Logarithms of their weights for each code, of shape ``(N, M)``.

    Returns:
        Two scalars, in nats.
    """
    joint, marginals = _LogAggregate.apply(z, mean, scale, log_weights)  # type: ignore[no-untyped-call]
    return joint, marginals


class _LogAggregate(torch.autograd.Function):
    """Both averages a few rows at a time, and their gradients at once, while the pairs are there.

    Nothing of shape ``(N, M, D)`` is made or kept.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, mean: Tensor, scale: Tensor, log_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        precision = scale.T.reciprocal()  # (D, M)
        top = precision.log() - 0.5 * math.log(2 * math.pi)
        normals = torch.stack([mean.T, precision, top]).unsqueeze(2)  # (3, D, 1, M)
        rows = min(len(z), max(1, ELEMENTS // mean.numel()))
        # Made once: a system takes large freed memory back, and to get it again is slow.
        pairs = z.new_empty(4, z.shape[1], rows, len(mean))
        values = z.new_zeros(2)
        gradients = [[torch.zeros_like(x.T) for x in (z, mean, scale)] for _ in values]
        for start in range(0, len(z), rows):
            part = slice(start, start + rows)
            weights = log_weights[part]
            few = pairs[:, :, : len(weights)]
            _add_rows(values, gradients, part, z.T[:, part], normals, weights, few)
        for _, of_mean, of_scale in gradients:
            of_mean *= precision
            of_scale *= precision
        ctx.save_for_backward(*(gradient / len(z) for group in gradients for gradient in group))
        joint, marginals = (values / len(z)).unbind()
        return joint, marginals

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.saved_tensors
        pairs = zip(gradients[:3], gradients[3:], strict=True)
        return *((outer[0] * joint + outer[1] * marginals).T for joint, marginals in pairs), None


def _add_rows(
    values: Tensor,
    gradients: list[list[Tensor]],
    part: slice,
    z: Tensor,
    normals: Tensor,
    log_weights: Tensor,
    pairs: Tensor,
) -> None:
    """Add what the codes ``z``, of shape ``(D, C)``, bring to the sums over codes."""
    mean, precision, top = normals  # (D, 1, M)
    deviation, logs, slope, weighted = pairs  # (D, C, M)
    # The difference before the square: an expanded square cancels badly where scales are small.
    torch.sub(z.unsqueeze(2), mean, out=deviation).mul_(precision)
    torch.addcmul(top, deviation, deviation, value=-0.5, out=logs)
    joint = logs.sum(0, keepdim=True).add_(log_weights)
    for k, share in enumerate((joint, logs.add_(log_weights))):
        largest = share.amax(2, keepdim=True)
        # Cut where nothing is lost, since arithmetic is slow where exp underflows.
        share.sub_(largest).clamp_(min=-60).exp_()
        total = share.sum(2, keepdim=True)
        values[k] += (largest + total.log()).sum()
        share.div_(total)  # of each normal in the density at each code
        torch.mul(share, deviation, out=slope)
        torch.mul(slope, deviation, out=weighted)
        of_z, of_mean, of_scale = gradients[k]
        of_z[:, part] -= (slope @ precision.mT).squeeze(2)
        of_mean += slope.sum(1)
        of_scale += weighted.sum(1) - share.sum(1)


class TotalCorrelation(Regularizer):
    """α I(x; z) + β TC(z) + γ Σ_d KL(q(z_d) ‖ p(z_d)), whose sum is the KL at α = β = γ = 1.

    I is the mutual information of data and codes, TC = KL(q(z) ‖ Π_d q(z_d)) the total correlation
    of the codes. The batch, pooled over ranks, stands for the data set; being logarithms of an
    estimated density, the estimates are biased, the less the larger the batch. Those of ``mws``
    also carry constants, ln N in I, (D - 1) ln N in TC and -D ln N in the last term: they do not
    hurt a training, but its values are no estimates.

    Args:
        weight: Factor on the whole.
        alpha: Factor α on the mutual information.
        beta: Factor β on the total correlation.
        gamma: Factor γ on the divergences of the single dimensions.
        sampling: How a batch stands for the data set: minibatch stratified sampling, ``mss``, or
            minibatch weighted sampling, ``mws``.

    Raises:
        ValueError: A factor is negative, or the sampling unknown.

    References:
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, 2018, eq. 4
        and app. C. https://arxiv.org/abs/1802.04942
    """

    biased = True

    def __init__(
        self,
        weight: float = 1.0,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        sampling: Sampling = "mss",
    ) -> None:
        super().__init__(weight)
        for name, factor in {"alpha": alpha, "beta": beta, "gamma": gamma}.items():
            if not 0 <= factor < math.inf:
                raise ValueError(f"{name} must be non-negative, got {factor}")
        if sampling not in get_args(Sampling):
            known = ", ".join(get_args(Sampling))
            raise ValueError(f"sampling must be one of {known}, got {sampling}")
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.sampling: Sampling = sampling
        if sampling == "mws":
            self.null_value = None  # its constants, which depend on N and D

    @property
    def label(self) -> str:
        whole = "" if self.weight == 1 else f" λ={self.weight:g}"
        return f"TotalCorrelation{whole} β={self.beta:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Weigh the three parts of the rate.

        Raises:
            ValueError: The posterior is no diagonal normal, the prior does not factorise, there are
                fewer than two examples, or N is not known.
        """
        require_density(q, "TotalCorrelation")
        require_factorised(p, "TotalCorrelation")
        parts = torch.cat([z, *mean_and_scale(q, "posterior", "TotalCorrelation")], dim=1)
        codes, mean, scale = gather(parts).chunk(3, dim=1)
        weights = log_weights(len(codes), self._size(len(codes)), self.sampling, like=z)
        joint, marginals = log_aggregate(codes, mean, scale, weights)
        information = q.log_prob(z).mean() - joint
        total = self.alpha * information + self.beta * (joint - marginals)
        if self.gamma:  # or a learned prior would seem to be trained
            total = total + self.gamma * (marginals - p.log_prob(z).mean())
        return total

    def _size(self, n: int) -> int:
        """The number N of training examples; an evaluation may do without."""
        require_examples(n, 2, "TotalCorrelation")
        if self.dataset_size is None and self.training:
            raise ValueError(
                "TotalCorrelation needs the number N of training examples, which a Trainer takes "
                "from its data module: without one, set model.regularizer.dataset_size = N"
            )
        return max(n, self.dataset_size or n)
