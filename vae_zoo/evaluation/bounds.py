"""What samples of a model say of log p(x), or of log p(x | c), example by example, in nats."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_zoo.objectives import log_mean_exp
from vae_zoo.regularizers import kl_divergence
from vae_zoo.regularizers.families import require_density
from vae_zoo.vae import VAE

ROWS = 1000  # codes that are decoded at once


class Bounds(NamedTuple):
    """What K samples of q(z | x) say of log p(x), each of shape ``(B,)``."""

    elbo: Tensor  # the mean of log p(x | z), minus KL(q ‖ p): in closed form, if one is known
    importance_sampling: Tensor  # log (1/K) Σₖ wₖ: a bound in the mean, and tight as K grows
    effective_samples: Tensor  # (Σₖ wₖ)² / Σₖ wₖ², from 1 to K: K if q is the exact posterior


def importance_sampling(model: VAE, x: Tensor, c: Tensor, samples: int, rows: int = ROWS) -> Bounds:
    """Bound log p(x) by the weights wₖ = p(x, zₖ) / q(zₖ | x) of K samples zₖ ~ q(z | x).

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions, ``model.condition(y)``.
        samples: Number K of samples of each posterior.
        rows: About how many codes are decoded at once; it does not change the values.

    Raises:
        ValueError: The posterior has no density.

    References:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2016, eq. 8.
        https://arxiv.org/abs/1509.00519
    """
    q = model.encode(x, c)
    require_density(q, "importance sampling")
    p = model.prior(c).expand(q.batch_shape)
    z = q.sample((samples,))  # (K, B, D)
    log_likelihood = _log_likelihood(model, x, z, c, rows)
    kl = kl_divergence(q, p, z)
    assert kl is not None  # q has a density
    log_weights = log_likelihood + p.log_prob(z) - q.log_prob(z)
    return Bounds(
        elbo=log_likelihood.mean(0) - (kl.mean(0) if kl.dim() > 1 else kl),
        importance_sampling=log_mean_exp(log_weights),
        effective_samples=(2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp(),
    )


def prior_sampling(model: VAE, x: Tensor, c: Tensor, samples: int, rows: int = ROWS) -> Tensor:
    """Estimate log p(x) as log (1/K) Σₖ p(x | zₖ) of K samples zₖ of the prior, p(z) or p(z | c).

    It too is a bound in the mean, and needs no posterior. But the number of samples that it takes
    to come close grows like exp of D₂(p(z | x) ‖ p(z)): beyond a few dimensions it is far off.

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions, ``model.condition(y)``.
        samples: Number K of samples, drawn anew for each example.
        rows: About how many codes are decoded at once; it does not change the values.

    Returns:
        Estimates, of shape ``(B,)``.
    """
    z = model.prior(c).expand((len(x),)).sample((samples,))  # (K, B, D)
    return log_mean_exp(_log_likelihood(model, x, z, c, rows))


def _log_likelihood(model: VAE, x: Tensor, z: Tensor, c: Tensor, rows: int) -> Tensor:
    """Return log p(x | zₖ), of shape ``(K, B)``, decoding some codes after the others."""
    parts = z.split(max(1, rows // len(x)))  # type: ignore[no-untyped-call]
    return torch.cat([model.log_likelihood(x, part, c) for part in parts])
