"""Distances between distributions of features: of Fréchet, and by a kernel."""

import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from vae_zoo.evaluation.kept import GROUPS, groups, mean_score
from vae_zoo.evaluation.score import Score


class _Given(nn.Module):
    """Features that are there already, as the network of torchmetrics' metrics.

    Args:
        num_features: Number F of features.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, x: Tensor) -> Tensor:
        return x


def frechet_distance(real: Tensor, generated: Tensor) -> Score:
    """|m - m'|² + tr(S + S' - 2(SS')^½) of means and covariances: FID, in whatever features.

    Its error is jackknifed: each tenth of both sets is left out in turn. FID is biased up by about
    1/N, so that only numbers of one N can be compared.

    Args:
        real: Features ``(N, F)``.
        generated: Features ``(N, F)``, in the same order if they are of the same examples.

    References:
        Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, GANs Trained by a Two Time-Scale
        Update Rule Converge to a Local Nash Equilibrium, 2017, eq. 6.
        https://arxiv.org/abs/1706.08500
    """
    real, generated = real.double(), generated.double()
    metric = FrechetInceptionDistance(_Given(real.shape[1])).to(real.device)

    def distance(kept: Tensor) -> float:
        metric.reset()
        metric.update(real[kept], real=True)
        metric.update(generated[kept], real=False)
        return float(metric.compute())

    n = len(real)
    return Score.jackknifed(distance(torch.arange(n)), [distance(kept) for kept in groups(n)])


def kernel_distance(real: Tensor, generated: Tensor) -> Score:
    """Unbiased MMD² by the kernel (x·y/F + 1)³: KID, in whatever features.

    It is the mean over ten parts of the examples, with the standard error of that mean.

    Args:
        real: Features ``(N, F)``.
        generated: Features ``(N, F)``.

    References:
        Bińkowski, Sutherland, Arbel and Gretton, Demystifying MMD GANs, 2018, sec. 4.
        https://arxiv.org/abs/1801.01401
    """
    real, generated = real.double(), generated.double()
    parts = min(GROUPS, len(real) // 2)
    values = []
    # Its choice among all examples of a part, which is none, would draw noise.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features
        for part in range(parts):
            pair = real[part::parts], generated[part::parts]
            metric = KernelInceptionDistance(_Given(real.shape[1]), 1, subset_size=len(pair[0]))
            metric.update(pair[0], real=True)
            metric.update(pair[1], real=False)
            values.append(metric.compute()[0])
    return mean_score(torch.stack(values))
