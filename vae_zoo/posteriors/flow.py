"""Posteriors of any shape, by a normalizing flow."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import softplus
from zuko.flows import MaskedAutoregressiveTransform
from zuko.lazy import LazyComposedTransform, LazyTransform
from zuko.transforms import MonotonicRQSTransform

from vae_zoo.arguments import require_widths
from vae_zoo.posteriors.base import Posterior
from vae_zoo.precision import AtLeastSingle, at_least_single

Kind = Literal["affine", "spline"]
BINS = 8  # of a spline
UNIVARIATE: dict[str, dict[str, Any]] = {
    "affine": {},
    "spline": {"univariate": MonotonicRQSTransform, "shapes": ((BINS,), (BINS,), (BINS - 1,))},
}


class FlowPosterior(AtLeastSingle, Posterior):
    """q(z | x): a diagonal normal, bent by inverse autoregressive flows that know the context h(x).

    It starts as the DiagonalNormal. The codes and their density take one pass through the flows;
    the density of other points, such as a VampPrior asks for, takes D passes.

    Args:
        latent_dim: Number D of latent dimensions.
        transform: ``affine`` scales and shifts each dimension by those before it; ``spline`` bends
            it, between -5 and 5.
        transforms: Number of flows, of which each second one takes the dimensions backwards.
        hidden: Widths of the hidden layers of each flow's network.
        context: Number of features h that the encoder hands to the flows, beside m and s.

    Raises:
        ValueError: There is no such transform, or a number is not positive.

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016,
        sec. 3. https://arxiv.org/abs/1606.04934
        Durkan, Bekasov, Murray and Papamakarios, Neural Spline Flows, 2019.
        https://arxiv.org/abs/1906.04032
    """

    def __init__(
        self,
        latent_dim: int,
        transform: Kind = "affine",
        transforms: int = 2,
        hidden: Sequence[int] = (64, 64),
        context: int = 16,
    ) -> None:
        super().__init__(latent_dim)
        if transform not in get_args(Kind):
            raise ValueError(
                f"transform must be one of {', '.join(get_args(Kind))}, got {transform}"
            )
        sizes = {"latent_dim": latent_dim, "transforms": transforms, "context": context}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} of a FlowPosterior must be at least 1, got {size}")
        require_widths("hidden", hidden)
        self.context = context
        ascending = torch.arange(latent_dim)
        flows = [
            MaskedAutoregressiveTransform(
                latent_dim,
                context,
                order=ascending if i % 2 == 0 else ascending.flip(0),
                hidden_features=hidden,
                **UNIVARIATE[transform],
            )
            for i in range(transforms)
        ]
        for flow in flows:  # starts at the identity
            nn.init.zeros_(flow.hyper[-1].weight)
            nn.init.zeros_(flow.hyper[-1].bias)
        self.flow = LazyComposedTransform(*flows)

    @property
    def params(self) -> tuple[int, ...]:
        return (2 * self.latent_dim + self.context,)

    def forward(self, params: Tensor) -> Distribution:
        d = self.latent_dim
        loc, scale, context = torch.split(at_least_single(params), [d, d, self.context], dim=-1)
        scale = softplus(scale.contiguous()) + 1e-4  # the floor keeps log s finite
        base = Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)
        return FlowedNormal(base, self.flow, context)

    def point(self, q: Distribution) -> Tensor:
        """Return the image of the centre of the normal, ``(B, D)``."""
        return q.centre if isinstance(q, FlowedNormal) else q.mean


class FlowedNormal(Distribution):
    """A diagonal normal bent by flows; it remembers the density of what it drew last.

    Args:
        base: The normal, of batch shape ``(B,)`` and event shape ``(D,)``.
        flow: From its samples to the codes, given a context.
        context: Of shape ``(B, C)``.
    """

    arg_constraints = {}  # noqa: RUF012 (declared so by torch)
    has_rsample = True

    def __init__(self, base: Distribution, flow: LazyTransform, context: Tensor) -> None:
        self.base, self.flow, self.context = base, flow, context
        self._drawn: tuple[Tensor, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Refuse, since the flows have no mean in closed form.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "the mean of a FlowPosterior has no closed form: use --model.posterior DiagonalNormal "
            "or FullNormal"
        )

    @property
    def centre(self) -> Tensor:
        """The image of the normal's mean, ``(B, D)``."""
        return self._push(self.base.mean)[0]

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> "FlowedNormal":
        shape = torch.Size(batch_shape)
        context = self.context.expand(*shape, self.context.shape[-1])
        return FlowedNormal(self.base.expand(shape), self.flow, context)

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        x = self.base.rsample(torch.Size(sample_shape))
        z, log_det = self._push(x)
        self._drawn = z, self.base.log_prob(x) - log_det
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        drawn, log_prob = self._drawn or (None, value)
        # Drawn without gradients, it would not pass on those that are wanted now.
        if value is drawn and (log_prob.requires_grad or not torch.is_grad_enabled()):
            return log_prob
        with torch.autocast(value.device.type, enabled=False):
            x, log_det = self.flow(self.context).inv.call_and_ladj(value)
            return self.base.log_prob(x) + log_det  # type: ignore[no-any-return]

    def _push(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map samples of the normal to codes, with the log-determinant of the Jacobian."""
        with torch.autocast(x.device.type, enabled=False):
            return self.flow(self.context).call_and_ladj(x)  # type: ignore[no-any-return]
