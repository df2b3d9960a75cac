"""Mixtures as distributions; those of normals pass gradients through their samples."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
)
from torch.nn.functional import pad
from torch.special import ndtr

SMALLEST = -60.0  # log-density: no sample lies there, and its inverse is finite


def mixture(logits: Tensor, components: Distribution) -> Distribution:
    """Mix distributions, by a class that passes gradients through its samples where there is one.

    Args:
        logits: Of the weights, of shape ``(*B, K)``, or ``(K,)`` where they are all the same.
        components: Of batch shape ``(*B, K)`` and event shape ``(D,)``.

    Returns:
        A distribution of batch shape ``(*B,)`` and event shape ``(D,)``.
    """
    normal = isinstance(components, Independent) and isinstance(components.base_dist, Normal)
    family = NormalMixture if normal else MixtureSameFamily
    weights = Categorical(logits=logits.expand(components.batch_shape), validate_args=False)
    return family(weights, components, validate_args=False)


class NormalMixture(MixtureSameFamily):
    """A mixture of diagonal normals, whose samples are reparameterised implicitly.

    Let F_d be the distribution function of z_d given z_1, …, z_{d-1}. As the parameters θ change, a
    sample moves such that all F_d stay what they are: J dz = -dF, with J = ∂F / ∂z lower
    triangular and the conditional densities on its diagonal. This gradient is right on average for
    the weights too. But a change of the weights moves the few samples that lie between components,
    far: with these more than about 8 standard deviations apart, such samples do not occur, and the
    gradient of the weights is in practice too small.

    References:
        Figurnov, Mohamed and Mnih, Implicit Reparameterization Gradients, 2018, eq. 5 and sec. 4.
        https://arxiv.org/abs/1805.08498
        Graves, Stochastic Backpropagation through Mixture Density Distributions, 2016.
        https://arxiv.org/abs/1607.05690
    """

    has_rsample = True

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw a component, then from it: torch's own draws from all K of them."""
        normal, shape = self._normal, torch.Size(sample_shape)
        k = self.mixture_distribution.sample(shape)[..., None, None]  # type: ignore[no-untyped-call]
        k = k.expand(*k.shape[:-1], *self.event_shape)  # (*shape, *B, 1, D)
        loc, scale = (
            part.expand(*k.shape[:-2], *part.shape[-2:]).gather(-2, k).squeeze(-2)
            for part in (normal.loc, normal.scale)
        )
        return torch.normal(loc, scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        z = self.sample(sample_shape)
        if not torch.is_grad_enabled():
            return z
        normal = self._normal
        z_ = z.unsqueeze(-2)
        log_density: Tensor = normal.log_prob(z_)  # type: ignore[no-untyped-call]
        before = pad(log_density.cumsum(-1)[..., :-1], (1, 0))  # of the dimensions before d
        log_weight = (self.mixture_distribution.logits.unsqueeze(-1) + before).log_softmax(-2)
        t = (z_ - normal.loc) / normal.scale  # (*shape, *B, K, D)
        below = ndtr(t)
        weight = log_weight.exp()
        cdf = (weight * below).sum(-2)  # F_d, (*shape, *B, D)
        with torch.no_grad():
            log_pdf = (log_weight + log_density).logsumexp(-2).clamp(min=SMALLEST)
            # ∂F_d / ∂z_j for j < d: the dimensions before change the weights alone.
            excess = weight * (below - cdf.unsqueeze(-2))
            slopes = excess.transpose(-1, -2) @ (-t / normal.scale)  # (*shape, *B, D, D)
            unit = slopes / log_pdf.exp().unsqueeze(-1)  # J with its rows divided by its diagonal
        push = (cdf.detach() - cdf) / log_pdf.exp()  # zero, but for its gradient
        # Reads what is below the diagonal alone, and takes ones on it.
        solved = torch.linalg.solve_triangular(
            unit, push.unsqueeze(-1), upper=False, unitriangular=True
        )
        return z + cast("Tensor", solved).squeeze(-1)

    @property
    def _normal(self) -> Normal:
        return self.component_distribution.base_dist  # type: ignore[no-any-return, attr-defined]
