"""The latent dimensions that a model uses."""

from typing import Any

import torch
from torch import Tensor

from vae_zoo.arguments import require_positive
from vae_zoo.evaluation.codes import KeptCodes
from vae_zoo.evaluation.noise import fix_noise
from vae_zoo.evaluation.score import Score

RESAMPLES = 200  # of the bootstrap


def active_units(codes: Tensor, threshold: float = 0.01, times: Tensor | None = None) -> Tensor:
    """Count the dimensions d with Var_x E[z_d | x] above a threshold.

    Args:
        codes: The means of q(z | x), of shape ``(N, D)``.
        threshold: Least variance of a dimension that is active.
        times: How often each example counts in each of R resamples, ``(R, N)``, N times in all;
            once without it.

    Returns:
        Numbers of shape ``(R,)``, with R = 1 without resamples.

    References:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2016, sec. 5.2.
        https://arxiv.org/abs/1509.00519
    """
    n, codes = len(codes), codes.double()
    codes = codes - codes.mean(0)  # or the difference below would lose digits far from the origin
    times = codes.new_ones(1, n) if times is None else times.to(codes)
    variances = (times @ codes.square() - (times @ codes).square() / n) / (n - 1)  # (R, D)
    return (variances > threshold).sum(1)


class ActiveUnits(KeptCodes):
    """``active_units``: the number of dimensions d with Var_x E[z_d | x] above a threshold.

    The code that stands for q(z | x) is its mean; of a posterior of flows, which has none in closed
    form, the image of its centre. A deterministic posterior is that code. The standard error is by
    a bootstrap over examples.

    Args:
        threshold: Least variance of a dimension that is active.
        seed: Of the bootstrap.

    Raises:
        ValueError: The threshold is not positive, or the seed negative; later, there are fewer than
            two examples, or the model has no codes.

    References:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2016, sec. 5.2.
        https://arxiv.org/abs/1509.00519
    """

    least = 2

    def __init__(self, threshold: float = 0.01, seed: int = 0) -> None:
        super().__init__(seed)
        require_positive("threshold", threshold)
        self.threshold = threshold

    def scores(self, codes: Tensor) -> dict[str, Score]:  # type: ignore[override]
        n = len(codes)
        fix_noise(self.seed)
        drawn = torch.randint(n, (RESAMPLES, n))
        times = torch.stack([row.bincount(minlength=n) for row in drawn])
        [value] = active_units(codes, self.threshold).tolist()
        resampled = active_units(codes, self.threshold, times)
        return {"active_units": Score(float(value), resampled.double().std().item())}

    @property
    def setting(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "resamples": RESAMPLES}
