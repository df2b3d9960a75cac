"""The parts of the rate: what codes tell of the examples, and how far q(z) is from the prior."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from vae_zoo.evaluation.aggregate_density import (
    in_double,
    log_aggregate,
    log_marginals,
    normal_marginals,
)
from vae_zoo.evaluation.score import Score

ROWS = 500  # codes whose density under the prior is computed at once: it may be a large mixture


def surgery(
    q: Distribution, z: Tensor, log_posterior: Tensor, p: Distribution | None
) -> dict[str, Tensor]:
    """Divide log q(z | x) - log p(z) of each code into its parts, in nats.

    Args:
        q: q(z | x) of all N examples, of batch shape ``(N,)`` and event shape ``(D,)``.
        z: Codes of M of them, ``(M, D)``.
        log_posterior: log q(z | x) of each code and its own example, ``(M,)``.
        p: The prior p(z), of batch shape ``()``; None where there is not one for all codes.

    Returns:
        Terms of shape ``(M,)``, whose means estimate I(x; z), and KL(q(z) ‖ p) and their sum where
        there is a p; the total correlation where the dimensions of q are normal, and
        Σ_d KL(q(z_d) ‖ p(z_d)) where those of p are independent besides.

    References:
        Hoffman and Johnson, ELBO Surgery, 2016, sec. 2.
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, 2018, eq. 2.
        https://arxiv.org/abs/1802.04942
    """
    joint = log_aggregate(q, z)
    log_prior = None if p is None else log_density(p, z)
    terms = {"mutual_information": log_posterior - joint}
    if log_prior is not None:
        terms |= {"aggregate_kl": joint - log_prior, "surgery_rate": log_posterior - log_prior}
    if normal_marginals(q) is not None:
        marginals = log_marginals(q, z).sum(1)
        terms["total_correlation"] = joint - marginals
        if log_prior is not None and factorised(p):
            terms["dimension_wise_kl"] = marginals - log_prior
    return terms


def prior_log_ratio(groups: Sequence[Distribution], y: Tensor, log_prior: Tensor) -> Score:
    """Estimate KL(p ‖ q(z)) = E_p [log p(z) - log q(z)], which is large where q(z) has holes.

    Args:
        groups: q(z | x) of all examples, in G groups, which a jackknife leaves out in turn, each
            with every G-th sample.
        y: Samples of the prior, ``(M, D)``.
        log_prior: log p(y), of shape ``(M,)``.

    Returns:
        Nats.
    """
    sizes = y.new_tensor([q.batch_shape[0] for q in groups], dtype=torch.double)
    sums = torch.stack([log_aggregate(q, y) for q in groups])
    sums += sizes.log().unsqueeze(1)  # log Σₙ q(y | xₙ) of each group, (G, M)

    def mean(kept: Tensor, samples: Tensor) -> float:
        log_q = sums[kept][:, samples].logsumexp(0) - sizes[kept].sum().log()
        return (log_prior[samples] - log_q).mean().item()

    numbers, turns = torch.arange(len(groups), device=y.device), torch.arange(len(y)) % len(groups)
    turns = turns.to(y.device)
    value = mean(numbers >= 0, turns >= 0)
    if len(groups) == 1:
        return Score(value)
    return Score.jackknifed(value, [mean(numbers != g, turns != g) for g in range(len(groups))])


def kl_of_dimensions(q: Distribution, p: Distribution, z: Tensor | None = None) -> Tensor:
    """KL(q(z_d | x) ‖ p(z_d)) of each example and each dimension.

    Args:
        q: Diagonal normals q(z | x), of batch shape ``(N,)`` and event shape ``(D,)``.
        p: A prior of independent dimensions, of batch shape ``(N,)`` or ``()``.
        z: Codes z ~ q(z | x) to estimate it by, ``(*K, N, D)``; without them it is the closed form.

    Returns:
        Nats, of shape ``(*K, N, D)``.

    Raises:
        NotImplementedError: There are no codes, and torch knows no closed form.
    """
    one, other = (in_double(d).base_dist for d in (q, p))  # type: ignore[attr-defined]
    if z is None:
        return kl_divergence(one, other)
    return (one.log_prob(z) - other.log_prob(z)).double()  # type: ignore[no-any-return]


def factorised(p: Distribution | None) -> bool:
    """Whether the dimensions of a prior are known to be independent."""
    return isinstance(p, Independent) and p.base_dist.event_shape == ()


def log_density(p: Distribution, z: Tensor) -> Tensor:
    """Return log p(z) of codes ``(M, D)`` under one prior, in double precision, ``(M,)``."""
    p = in_double(p)
    parts = z.split(ROWS)  # type: ignore[no-untyped-call]
    return torch.cat([p.log_prob(part).double() for part in parts])
