"""What a closed form asks of the posterior and the prior."""

from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.posteriors import Delta
from vae_zoo.priors.normal import Standard


def mean_and_scale(d: Distribution, role: str, user: str) -> tuple[Tensor, Tensor]:
    """Take the mean and the standard deviation out of a diagonal normal.

    Args:
        d: The distribution, of batch shape ``(B,)`` and event shape ``(D,)``.
        role: What it is, "posterior" or "prior".
        user: Name of the regularizer that asks.

    Returns:
        Both of shape ``(B, D)``.

    Raises:
        ValueError: It is no diagonal normal.
    """
    if isinstance(d, Independent) and isinstance(d.base_dist, Normal):
        return d.base_dist.loc, d.base_dist.scale
    fit = "DiagonalNormal" if role == "posterior" else "StandardNormal or LearnedNormal"
    raise ValueError(
        f"{user} needs a diagonal normal {role}, got a {family(d)}: use --model.{role} {fit}"
    )


def normals(q: Distribution, p: Distribution, user: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Take the means and standard deviations out of two diagonal normals.

    Returns:
        Those of the posterior and those of the prior, each of shape ``(B, D)``.

    Raises:
        ValueError: One is no diagonal normal.
    """
    require_density(q, user)
    return *mean_and_scale(q, "posterior", user), *mean_and_scale(p, "prior", user)


def require_density(q: Distribution, user: str) -> None:
    """Refuse a posterior that is a point.

    Raises:
        ValueError: q has no density.
    """
    if isinstance(q, Delta):
        raise ValueError(
            f"{user} needs the density of q(z | x), which a Deterministic posterior lacks: use "
            "--model.posterior DiagonalNormal, or --model.regularizer MMD or SlicedWasserstein"
        )


def require_factorised(p: Distribution, user: str) -> None:
    """Refuse a prior whose dimensions are not known to be independent.

    Raises:
        ValueError: p is no product of distributions of one dimension each.
    """
    if not (isinstance(p, Independent) and p.base_dist.event_shape == ()):
        raise ValueError(
            f"{user} needs a prior of independent dimensions, got a {family(p)}: use --model.prior "
            "StandardNormal or LearnedNormal"
        )


def require_standard(p: Distribution, user: str) -> None:
    """Refuse a prior under which expectations have no closed form.

    Raises:
        ValueError: p is not N(0, I).
    """
    if not isinstance(p, Standard):
        raise ValueError(
            f"{user} has its exact expectation under N(0, I) alone, got a {family(p)}: use "
            "--model.prior StandardNormal, or sample the prior"
        )


def require_examples(n: int, least: int, user: str) -> None:
    """Refuse a batch too small to be compared with a distribution.

    Raises:
        ValueError: There are fewer than ``least`` examples.
    """
    if n < least:
        words = {2: "two", 4: "four"}[least]
        raise ValueError(
            f"{user} needs at least {words} examples, got {n}: raise --data.batch_size"
        )


def family(d: Distribution) -> str:
    """Name a distribution, past the wrapper that only makes its dimensions one event."""
    return type(d.base_dist if isinstance(d, Independent) else d).__name__
