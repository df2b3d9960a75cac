"""Continuous Bernoulli distributions: the likelihood of grey pixels in [0, 1]."""

import math

import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli as ContinuousBernoulliDistribution
from torch.distributions import Distribution, Independent
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_zoo.likelihoods.base import Likelihood
from vae_zoo.precision import at_least_single

NEAR = 0.3  # of a logit from 0, where both formulas below are exact in single precision


class ContinuousBernoulli(Likelihood):
    """p(x | z) = C(λ) λˣ (1 - λ)¹⁻ˣ by pixel, a density on [0, 1], from the logits of λ.

    It is what the cross-entropy of grey pixels lacks to be a likelihood. On 256 levels it is a
    density beside them, to be compared with other densities alone.

    References:
        Loaiza-Ganem and Cunningham, The Continuous Bernoulli: Fixing a Pervasive Error in
        Variational Autoencoders, 2019. https://arxiv.org/abs/1907.06845
    """

    supports = frozenset({"unit interval", "256 levels"})

    @property
    def params(self) -> tuple[int, ...]:
        return self.shape

    def forward(self, params: Tensor) -> Distribution:
        greys = Greys(logits=at_least_single(params), validate_args=False)
        return Independent(greys, len(self.shape), validate_args=False)


class Greys(ContinuousBernoulliDistribution):
    """Torch's distribution, right at any logit: torch's own cuts probabilities off at 1e-7."""

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = torch.broadcast_tensors(self.logits, value)  # type: ignore[no-untyped-call]
        cross_entropy = binary_cross_entropy_with_logits(logits, value, reduction="none")
        return log_constant(self.logits) - cross_entropy

    @property
    def mean(self) -> Tensor:
        near, logits = _near(self.logits)
        odd = self.logits / 12 * (1 - self.logits.square() / 60)
        return torch.where(near, 0.5 + odd, 0.5 + 0.5 / (logits / 2).tanh() - 1 / logits)

    def icdf(self, value: Tensor) -> Tensor:
        # From the end where the density is high, so that no exponential overflows.
        size, rising = self.logits.abs().clamp(min=1e-6), self.logits > 0
        u = torch.where(rising, 1 - value, value)
        x = (-torch.log1p(u * torch.expm1(-size)) / size).clamp(0, 1)
        return torch.where(rising, 1 - x, x)


def log_constant(logits: Tensor) -> Tensor:
    """Ln C(λ) = ln(l / tanh(l / 2)), where l is the logit of λ: ln 2 at l = 0."""
    near, away = _near(logits)
    square = (logits / 2).square()
    series = math.log(2) + square * (1 / 3 - square * (7 / 90 - square * 62 / 2835))
    size = away.abs()
    return torch.where(near, series, size.log() - (size / 2).tanh().log())


def _near(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Say which logits are near 0, and put others in their place, lest gradients be NaN."""
    near = logits.abs() < NEAR
    return near, torch.where(near, 1.0, logits)
