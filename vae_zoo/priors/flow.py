"""Priors of any shape, by a normalizing flow."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from zuko.distributions import NormalizingFlow
from zuko.flows import MAF, NSF, RealNVP

from vae_zoo.arguments import require_widths
from vae_zoo.precision import AtLeastSingle, at_least_single
from vae_zoo.priors.base import Prior, require_condition

Transform = Literal["nsf", "maf", "realnvp"]
FLOWS = {"nsf": NSF, "maf": MAF, "realnvp": RealNVP}


class Flow(AtLeastSingle, Prior):
    """N(0, I) bent by invertible maps, p(z) = N(f(z); 0, I) |det ∂f/∂z|, or f(z, c) with a c.

    It starts at N(0, I). The splines of ``nsf`` bend what lies between -5 and 5 and leave the rest
    as it is. The density takes one pass through the maps; samples of ``nsf`` and ``maf`` take D
    passes, those of ``realnvp`` one.

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Number C of features of the condition.
        transform: Neural splines or affine maps, each of the dimensions before (``nsf``, ``maf``),
            or affine maps of one half of the dimensions by the other (``realnvp``).
        transforms: Number of maps, of which each second one takes the dimensions the other way.
        hidden: Widths of the hidden layers of each map's network.
        conditional: Whether the maps depend on the condition, p(z | c).

    Raises:
        ValueError: There is no such transform, a number is not positive, or there is no condition
            where one is needed.

    References:
        Durkan, Bekasov, Murray and Papamakarios, Neural Spline Flows, 2019.
        https://arxiv.org/abs/1906.04032
        Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation, 2017.
        https://arxiv.org/abs/1705.07057
        Dinh, Sohl-Dickstein and Bengio, Density Estimation Using Real NVP, 2017.
        https://arxiv.org/abs/1605.08803
    """

    def __init__(
        self,
        latent_dim: int,
        condition_dim: int = 0,
        transform: Transform = "nsf",
        transforms: int = 3,
        hidden: Sequence[int] = (64, 64),
        conditional: bool = False,
    ) -> None:
        super().__init__(latent_dim, condition_dim)
        if transform not in get_args(Transform):
            names = ", ".join(get_args(Transform))
            raise ValueError(f"transform must be one of {names}, got {transform}")
        if transforms < 1:
            raise ValueError(f"transforms must be at least 1, got {transforms}")
        require_widths("hidden", hidden)
        if conditional:
            require_condition("conditional", condition_dim, "leave out conditional")
        self.conditional = conditional
        context = condition_dim if conditional else 0
        self.flow = FLOWS[transform](
            latent_dim, context, transforms=transforms, hidden_features=hidden
        )
        for part in self.flow.transform.transforms:
            _start_at_the_identity(part)

    def forward(self, c: Tensor) -> Distribution:
        flow = self.flow(at_least_single(c) if self.conditional else None)
        return BentNormal(flow.transform, flow.base)


class BentNormal(NormalizingFlow):  # type: ignore[misc]
    """A normal bent by maps, in single precision at least."""

    def log_prob(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().log_prob(x)  # type: ignore[no-any-return]

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:
        with torch.autocast(self.base.mean.device.type, enabled=False):
            return super().rsample(torch.Size(shape))  # type: ignore[no-any-return]


def _start_at_the_identity(part: nn.Module) -> None:
    """Let the last layer, or in one dimension the parameters themselves, begin at zero."""
    layers = getattr(part, "hyper", None)
    for parameter in (part if layers is None else layers[-1]).parameters():
        nn.init.zeros_(parameter)
