"""What samples of a model say of log p(x), or of log p(x | c), example by example, in nats."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers import kl_divergence
from vae_zoo.regularizers.families import require_density
from vae_zoo.vae import VAE

DRAWN = 1000  # codes that are drawn at once: it decides, with the seed, which codes are drawn
ROWS = 250  # codes that are decoded at once: of more, the C library returns the memory each time


class Bounds(NamedTuple):
    """What K samples of q(z | x) say of log p(x), each of shape ``(B,)``."""

    elbo: Tensor  # the mean of log p(x | z), minus KL(q ‖ p): in closed form, if one is known
    importance_sampling: Tensor  # log (1/K) Σₖ wₖ: a bound in the mean, and tight as K grows
    effective_samples: Tensor  # (Σₖ wₖ)² / Σₖ wₖ², from 1 to K: K if q is the exact posterior


def importance_sampling(model: VAE, x: Tensor, c: Tensor, samples: int, rows: int = ROWS) -> Bounds:
    """Bound log p(x) by the weights wₖ = p(x, zₖ) / q(zₖ | x) of K samples zₖ ~ q(z | x).

    The weights are summed as they come, so that any number of them takes the same memory.

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions, ``model.condition(y)``.
        samples: Number K of samples of each posterior.
        rows: How many codes are decoded at once; it does not change the values.

    Raises:
        ValueError: The posterior has no density.

    References:
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2016, eq. 8.
        https://arxiv.org/abs/1509.00519
    """
    return weigh(model, model.encode(x, c), model.prior(c), x, c, samples, rows)


def weigh(
    model: VAE,
    q: Distribution,
    p: Distribution,
    x: Tensor,
    c: Tensor,
    samples: int,
    rows: int = ROWS,
) -> Bounds:
    """Bound log p(x) as ``importance_sampling`` does, by a posterior and a prior at hand."""
    require_density(q, "importance sampling")
    p = p.expand(q.batch_shape)
    elbo = x.new_zeros(len(x))
    log_sum = log_squares = x.new_full((len(x),), -math.inf)
    for drawn, size in _draws(samples, len(x)):
        z = q.sample(torch.Size([size]))  # (k, B, D)
        log_likelihood = log_likelihoods(model, x, z, c, rows)
        kl = kl_divergence(q, p, z)
        assert kl is not None  # q has a density
        # Without a closed form, it is log q(z) - log p(z) of each code already.
        log_ratio = q.log_prob(z) - p.log_prob(z) if kl.dim() == 1 else kl
        log_weights = log_likelihood - log_ratio
        log_sum = torch.logaddexp(log_sum, log_weights.logsumexp(0))
        log_squares = torch.logaddexp(log_squares, (2 * log_weights).logsumexp(0))
        elbo = elbo + ((log_likelihood - kl).mean(0) - elbo) * (size / drawn)  # a running mean
    return Bounds(elbo, log_sum - math.log(samples), (2 * log_sum - log_squares).exp())


def prior_sampling(model: VAE, x: Tensor, c: Tensor, samples: int, rows: int = ROWS) -> Tensor:
    """Estimate log p(x) as log (1/K) Σₖ p(x | zₖ) of K samples zₖ of the prior, p(z) or p(z | c).

    It too is a bound in the mean, and needs no posterior. But the number of samples that it takes
    to come close grows like exp of D₂(p(z | x) ‖ p(z)): beyond a few dimensions it is far off.

    Args:
        model: The model, in evaluation mode.
        x: Examples ``(B, *X)``.
        c: Features ``(B, C)`` of their conditions, ``model.condition(y)``.
        samples: Number K of samples, drawn anew for each example.
        rows: How many codes are decoded at once; it does not change the values.

    Returns:
        Estimates, of shape ``(B,)``.
    """
    return average(model, model.prior(c), x, c, samples, rows)


def average(
    model: VAE, p: Distribution, x: Tensor, c: Tensor, samples: int, rows: int = ROWS
) -> Tensor:
    """Estimate log p(x) as ``prior_sampling`` does, by a prior at hand."""
    p = p.expand((len(x),))
    log_sum = x.new_full((len(x),), -math.inf)
    for _, size in _draws(samples, len(x)):
        log_likelihood = log_likelihoods(model, x, p.sample(torch.Size([size])), c, rows)
        log_sum = torch.logaddexp(log_sum, log_likelihood.logsumexp(0))
    return log_sum - math.log(samples)


def elbo_terms(
    model: VAE, q: Distribution, p: Distribution, z: Tensor, x: Tensor, c: Tensor
) -> tuple[Tensor, Tensor | None]:
    """E_q log p(x | z) and KL(q ‖ p), each ``(B,)``, by K samples z of q, ``(K, B, D)``.

    The KL is in closed form, if one is known, and None where q has no density.
    """
    kl = kl_divergence(q, p, z)
    if kl is not None and kl.dim() > 1:
        kl = kl.mean(0)
    return log_likelihoods(model, x, z, c).mean(0), kl


def log_likelihoods(model: VAE, x: Tensor, z: Tensor, c: Tensor, rows: int = ROWS) -> Tensor:
    """Return log p(x | z), of shape ``(K, B)``, of codes ``(K, B, D)``, some after the others."""
    found, codes = [], z.flatten(0, 1)
    for start in range(0, len(codes), rows):
        part = codes[start : start + rows]
        if len(x) == 1:  # all codes are of one example, which need not be copied
            example, features = (one.expand(len(part), *one.shape[1:]) for one in (x, c))
        else:
            index = torch.arange(start, start + len(part), device=x.device) % len(x)
            example, features = x[index], c[index]
        found.append(model.decode(part, features).log_prob(example))
    return torch.cat(found).view(z.shape[:2])


def priors(model: VAE, c: Tensor, size: int) -> Iterator[Distribution]:
    """Make the prior of so many examples at a time: only once if they have no condition."""
    shared = None if c.shape[1] else model.prior(c)
    for part in torch.split(c, size):
        yield model.prior(part) if shared is None else shared


def _draws(samples: int, examples: int) -> Iterator[tuple[int, int]]:
    """Divide K samples of each example: how many are drawn with each draw, and how many at it."""
    most = max(1, DRAWN // examples)
    for start in range(0, samples, most):
        drawn = min(samples, start + most)
        yield drawn, drawn - start
