"""The density of the aggregate posterior, under the posteriors of all examples."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from vae_zoo.regularizers.families import family
from vae_zoo.regularizers.pairs import rows_per_chunk


def log_aggregate(q: Distribution, z: Tensor) -> Tensor:
    """Return log q(z) = log (1/N) Σₙ q(z | xₙ), of codes under the posteriors of N examples.

    It is computed in double precision for normals, a few codes at a time, so that nothing of shape
    ``(M, N, D)`` is kept.

    Args:
        q: The posteriors, of batch shape ``(N,)`` and event shape ``(D,)``.
        z: Codes of shape ``(M, D)``.

    Returns:
        Nats, of shape ``(M,)``.

    References:
        Hoffman and Johnson, ELBO Surgery, 2016, sec. 1.
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """
    (n,), (d,) = q.batch_shape, q.event_shape
    q, numbers = in_double(q), n * d
    log_densities: Callable[[Tensor], Tensor] = lambda z: q.log_prob(z.unsqueeze(1)).double()  # noqa: E731
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        log_densities, numbers = _of_normals(q.base_dist.loc, q.base_dist.scale), n
    parts = z.split(rows_per_chunk(z, numbers))  # type: ignore[no-untyped-call]
    return torch.cat([log_densities(part).logsumexp(1) for part in parts]) - math.log(n)


def log_marginals(q: Distribution, z: Tensor) -> Tensor:
    """Return log q(z_d), the density of each dimension of the codes on its own.

    Args:
        q: The posteriors, of batch shape ``(N,)`` and event shape ``(D,)``.
        z: Codes of shape ``(M, D)``.

    Returns:
        Nats, of shape ``(M, D)``.

    Raises:
        ValueError: The single dimensions of q are no normals.
    """
    if (marginals := normal_marginals(q)) is None:
        raise ValueError(
            f"the density of a single dimension needs a normal posterior, got a {family(q)}: use "
            "--model.posterior DiagonalNormal or FullNormal"
        )
    columns = []
    for loc, scale, column in zip(marginals[0].T, marginals[1].T, z.T, strict=True):
        normals = Normal(loc.unsqueeze(1), scale.unsqueeze(1), validate_args=False)
        columns.append(log_aggregate(Independent(normals, 1), column.unsqueeze(1)))
    return torch.stack(columns, dim=1)


def normal_marginals(q: Distribution) -> tuple[Tensor, Tensor] | None:
    """Return mean and standard deviation of each dimension, ``(N, D)``; None if q is no normal."""
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        return q.base_dist.loc, q.base_dist.scale
    if isinstance(q, MultivariateNormal):
        return q.loc, in_double(q).stddev
    return None


def in_double(d: Distribution) -> Distribution:
    """Return a normal in double precision, and any other distribution as it is."""
    if isinstance(d, Independent) and isinstance(d.base_dist, Normal):
        loc, scale = d.base_dist.loc.double(), d.base_dist.scale.double()
        return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)
    if isinstance(d, MultivariateNormal):
        loc, triangle = d.loc.double(), d.scale_tril.double()
        return MultivariateNormal(loc, scale_tril=triangle, validate_args=False)
    return d


def _of_normals(loc: Tensor, scale: Tensor) -> Callable[[Tensor], Tensor]:
    """Return log N(z; locₙ, diag scaleₙ²) as a function of codes, of shape ``(M, N)``.

    It adds up squares of z - loc dimension by dimension. Expanding them into a product of matrices
    would be faster still, but lose what tells codes apart where scales are small.
    """
    means, precisions = loc.T.contiguous(), scale.T.reciprocal()  # (D, N)
    top = precisions.log().sum(0) - 0.5 * len(means) * math.log(2 * math.pi)

    def log_densities(z: Tensor) -> Tensor:
        squares = means.new_zeros(len(z), means.shape[1])
        for column, mean, precision in zip(z.T, means, precisions, strict=True):
            t = (column.unsqueeze(1) - mean).mul_(precision)
            squares.addcmul_(t, t)
        return squares.mul_(-0.5).add_(top)

    return log_densities
