"""Posteriors cut off from their parameters."""

from torch.distributions import Distribution, Independent, Normal

from vae_zoo.posteriors.deterministic import Delta
from vae_zoo.posteriors.full import CorrelatedNormal


def detach(q: Distribution) -> Distribution:
    """Cut a posterior off from its parameters: its density then passes gradients to z alone.

    Raises:
        ValueError: The family of q is not known.
    """
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        loc, scale = q.base_dist.loc.detach(), q.base_dist.scale.detach()
        return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)
    if isinstance(q, CorrelatedNormal):
        return CorrelatedNormal(
            q.loc.detach(), scale_tril=q.scale_tril.detach(), validate_args=False
        )
    if isinstance(q, Delta):
        return Delta(q.loc.detach())
    raise ValueError(
        f"the parameters of a {type(q).__name__} posterior cannot be told from its codes: use "
        "--model.posterior DiagonalNormal or FullNormal, or leave out doubly_reparameterized"
    )
