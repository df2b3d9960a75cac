"""Objectives: what is minimised, made from the terms of a batch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import relu

from vae_zoo.arguments import require_samples
from vae_zoo.posteriors import detach
from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import require_density
from vae_zoo.regularizers.kl import KL
from vae_zoo.sampling import gather

SMALL = 1e-3  # of 1 - α: the bound is nearly the ELBO
VIOLATION = 1000.0  # of GECO's constraint, per nat: far above any multiplier at an optimum


class Objective(nn.Module, ABC):
    """Turns the terms of a batch into the loss.

    Attributes:
        sample_shape: Of the posterior samples of each example: ``(K,)``, or ``()`` for a single
            one without an axis of its own.
        penalizes: Whether the penalty has a part in the loss. Then it is averaged over the K
            samples, and else of the first alone.
    """

    sample_shape: tuple[int, ...] = ()
    penalizes: bool = True  # whether the penalty is a part of the loss

    def check(self, regularizer: Regularizer) -> None:
        """Refuse a regularizer that has no part in the objective."""

    def judge(self, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean terms of a whole split, with the loss by which epochs are compared."""
        return dict(means)

    @abstractmethod
    def forward(
        self, q: Distribution, p: Distribution, z: Tensor, reconstruction: Tensor, penalty: Tensor
    ) -> Tensor:
        """Compute the loss.

        Args:
            q: Posterior q(z | x), of batch shape ``(B,)`` and event shape ``(D,)``.
            p: Prior p(z), of the same shapes.
            z: Codes z ~ q(z | x), of shape ``(*sample_shape, B, D)``.
            reconstruction: -log p(x | z), of shape ``(*sample_shape, B)``.
            penalty: The weighted regularizer, a scalar.

        Returns:
            A scalar, in nats per example.
        """


class PenalizedLikelihood(Objective):
    """E -log p(x | z) + penalty, which for KL of weight 1 is minus the ELBO.

    Args:
        samples: Number K of posterior samples per example, over which both are averaged: more of
            them make the gradient less noisy.

    Raises:
        ValueError: There is no sample.

    References:
        Higgins et al., β-VAE, 2017, eq. 4. https://openreview.net/forum?id=Sy2fzU9gl
    """

    def __init__(self, samples: int = 1) -> None:
        super().__init__()
        require_samples(samples)
        self.sample_shape = () if samples == 1 else (samples,)

    def forward(
        self, q: Distribution, p: Distribution, z: Tensor, reconstruction: Tensor, penalty: Tensor
    ) -> Tensor:
        return reconstruction.mean() + penalty


class Bound(Objective, ABC):
    """A bound of log p(x) made of K log-weights, log p(x, z) - log q(z | x).

    Args:
        samples: Number K of posterior samples per example.

    Raises:
        ValueError: There is no sample.
    """

    def __init__(self, samples: int) -> None:
        super().__init__()
        require_samples(samples)
        self.sample_shape = (samples,)

    penalizes = False  # the weights contain the KL

    def check(self, regularizer: Regularizer) -> None:
        """Refuse any regularizer but KL of weight 1, whose sampled form the weights contain.

        Raises:
            ValueError: Another regularizer would have no part in the loss.
        """
        if type(regularizer) is not KL or regularizer.weight != 1:
            name = type(self).__name__
            raise ValueError(
                f"{name} bounds log p(x) by weights that contain the KL, so it goes with "
                f"--model.regularizer KL at weight 1 alone, got {regularizer.label}: use KL, or "
                "--model.objective PenalizedLikelihood"
            )

    def log_weights(
        self, q: Distribution, p: Distribution, z: Tensor, reconstruction: Tensor
    ) -> Tensor:
        """Return log p(x, z) - log q(z | x), of shape ``(K, B)``.

        Raises:
            ValueError: q has no density.
        """
        require_density(q, type(self).__name__)
        return p.log_prob(z) - reconstruction - q.log_prob(z)


class ImportanceWeighted(Bound):
    """-E log (1/K) Σₖ p(x, zₖ) / q(zₖ | x), the IWAE: K = 1 is minus the ELBO, and it falls with K.

    Args:
        samples: Number K of posterior samples per example.
        doubly_reparameterized: Whether the encoder's gradient passes through the codes alone, with
            squared weights: the same mean, and a signal that does not drown in noise as K grows.

    Raises:
        ValueError: There is no sample.

    References:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2016, eq. 8.
        https://arxiv.org/abs/1509.00519
        Tucker, Lawson, Gu and Maddison, Doubly Reparameterized Gradient Estimators for Monte Carlo
        Objectives, 2019, eq. 8. https://arxiv.org/abs/1810.04152
    """

    def __init__(self, samples: int = 5, doubly_reparameterized: bool = False) -> None:
        super().__init__(samples)
        self.doubly_reparameterized = doubly_reparameterized

    def forward(
        self, q: Distribution, p: Distribution, z: Tensor, reconstruction: Tensor, penalty: Tensor
    ) -> Tensor:
        if not self.doubly_reparameterized or not z.requires_grad:
            return -log_mean_exp(self.log_weights(q, p, z, reconstruction)).mean()
        log_weights = self.log_weights(detach(q), p, z, reconstruction)
        normalised = log_weights.detach().softmax(dim=0)
        z.register_hook(lambda g: normalised.unsqueeze(-1) * g)  # type: ignore[no-untyped-call]
        surrogate = (normalised * log_weights).sum(0)
        # The value is that of the bound, the gradient that of the surrogate.
        bound = log_mean_exp(log_weights.detach()) + surrogate - surrogate.detach()
        return -bound.mean()


class VariationalRenyi(Bound):
    """-E (1/(1-α)) log (1/K) Σₖ wₖ^(1-α): α = 1 is minus the ELBO, α = 0 the IWAE.

    For α below 0 it may exceed log p(x): it is no bound from below.

    Args:
        alpha: Order α of the divergence from the posterior p(z | x); -inf takes the largest weight.
        samples: Number K of posterior samples per example.

    Raises:
        ValueError: There is no sample, or α is not a number below infinity.

    References:
        Li and Turner, Rényi Divergence Variational Inference, 2016, eq. 6.
        https://arxiv.org/abs/1602.02311
    """

    def __init__(self, alpha: float = 0.5, samples: int = 5) -> None:
        super().__init__(samples)
        if not alpha < math.inf:
            raise ValueError(f"alpha must be below infinity, got {alpha}")
        self.alpha = alpha

    def forward(
        self, q: Distribution, p: Distribution, z: Tensor, reconstruction: Tensor, penalty: Tensor
    ) -> Tensor:
        log_weights = self.log_weights(q, p, z, reconstruction)
        if self.alpha == 1:
            return -log_weights.mean()
        if self.alpha == -math.inf:
            return -log_weights.max(dim=0).values.mean()
        power = 1 - self.alpha
        centre = log_weights.mean(dim=0)
        scaled = power * (log_weights - centre)
        # Near order 1, log1p and expm1 keep the digits that the quotient needs.
        near = abs(power) < SMALL
        rest = scaled.expm1().mean(dim=0).log1p() if near else log_mean_exp(scaled)
        return -(centre + rest / power).mean()


class GECO(Objective):
    """Minimise the penalty subject to a reconstruction term of κ nats or fewer, by a multiplier.

    The multiplier λ of the constraint moves with each training step, in log space, by the moving
    average of how far the constraint is missed, of which a nat counts at most. A validation
    counts a missed constraint at a fixed high price instead, so that its loss is comparable between
    epochs: first the constraint, then the penalty.

    Args:
        target: The reconstruction term κ to be reached, in nats per example.
        rate: How far ln λ moves in a step, per nat by which the constraint is missed.
        decay: Of the moving average.
        samples: Number K of posterior samples per example.

    Raises:
        ValueError: A rate or a number is not positive, a decay not in [0, 1), or the target not
            finite.

    References:
        Rezende and Viola, Taming VAEs, 2018, alg. 1. https://arxiv.org/abs/1810.00597
    """

    log_multiplier: Tensor
    average: Tensor

    def __init__(
        self, target: float, rate: float = 1e-3, decay: float = 0.99, samples: int = 1
    ) -> None:
        super().__init__()
        require_samples(samples)
        self.sample_shape = () if samples == 1 else (samples,)
        if not math.isfinite(target):
            raise ValueError(f"target must be a number of nats, got {target}")
        if not 0 < rate < math.inf:
            raise ValueError(f"rate must be positive, got {rate}")
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {decay}")
        self.target, self.rate, self.decay = target, rate, decay
        self.register_buffer("log_multiplier", torch.tensor(0.0))
        self.register_buffer("average", torch.tensor(math.nan))

    def forward(
        self, q: Distribution, p: Distribution, z: Tensor, reconstruction: Tensor, penalty: Tensor
    ) -> Tensor:
        constraint = reconstruction.mean() - self.target
        if not self.training:
            return penalty + self.log_multiplier.exp() * constraint
        multiplier = self.log_multiplier.exp()
        self._move(constraint.detach())
        # The value of the average, the gradient of the batch.
        smooth = constraint + self.average - constraint.detach()
        return penalty + multiplier * smooth

    def judge(self, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
        violation = relu(means["reconstruction"] - self.target)
        return {**means, "loss": means["penalty"] + VIOLATION * violation}

    def _move(self, constraint: Tensor) -> None:
        """Update the average and the multiplier, alike on all ranks."""
        pooled = gather(constraint.reshape(1)).mean()
        average = self.decay * self.average + (1 - self.decay) * pooled
        self.average = torch.where(self.average.isnan(), pooled, average).detach()
        # Limited, or the first epochs, far off, would wind it up beyond return.
        moved = self.log_multiplier + self.rate * self.average.clamp(-1, 1)
        self.log_multiplier = moved.clamp(-10, 10).detach()  # 5e-5 to 22,000


def log_mean_exp(x: Tensor) -> Tensor:
    """Return log (1/K) Σₖ exp xₖ over the first axis."""
    return x.logsumexp(dim=0) - math.log(len(x))
