"""The variational mixture of posteriors."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vae_zoo.posteriors import Delta
from vae_zoo.priors.base import Encode, Prior
from vae_zoo.priors.normal_mixture import mixture
from vae_zoo.sampling import average

Initial = Literal["data", "random"]
OBSERVED = 1000  # training examples, at least, of which the range of the data is taken


class VampPrior(Prior):
    """A mixture of the posteriors of K pseudo-inputs, (1/K) Σₖ q(z | uₖ), or q(z | uₖ, c) with a c.

    With all training examples as pseudo-inputs it is the aggregate posterior, the best prior of
    all. Learned pseudo-inputs stay, element by element, in the range of the training examples. They
    pass through the encoder apart from the batch, and its batch norm does not count them.

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Number C of features of the condition; if there are any it is p(z | c).
        components: Number K of pseudo-inputs; the paper has 500. Each step encodes them all, for
            each condition that occurs in the batch, or for each example if conditions are learned.
        initial: Where they start: at training examples, or uniform in their range. Outside a
            ``Trainer`` with a data module they start at random in [0, 1], without any range.
        learned: Whether they are parameters.

    Raises:
        ValueError: There is no component, or an unknown start; later, there are too few examples,
            or the posterior has no density.

    References:
        Tomczak and Welling, VAE with a VampPrior, 2018, eq. 9. https://arxiv.org/abs/1705.07120
    """

    inputs: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        latent_dim: int,
        condition_dim: int = 0,
        components: int = 100,
        initial: Initial = "data",
        learned: bool = True,
    ) -> None:
        super().__init__(latent_dim, condition_dim)
        if components < 1:
            raise ValueError(f"components must be at least 1, got {components}")
        if initial not in get_args(Initial):
            raise ValueError(f"initial must be one of data, random, got {initial}")
        self.components, self.initial, self.learned = components, initial, learned
        self.examples = max(components, OBSERVED)

    def build(self, shape: Sequence[int], encode: Encode) -> None:
        self.encode = encode
        inputs = torch.rand(self.components, *shape)
        if self.learned:
            self.inputs = nn.Parameter(inputs)
        else:
            self.register_buffer("inputs", inputs)
        self.register_buffer("low", torch.full(tuple(shape), -torch.inf))
        self.register_buffer("high", torch.full(tuple(shape), torch.inf))

    @torch.no_grad()
    def begin(self, x: Tensor, y: Tensor | None) -> None:
        if self.low.isfinite().all():
            return  # a training that goes on
        if self.initial == "data" and len(x) < self.components:
            raise ValueError(
                f"components must be at most {len(x)}, the number of training examples that they "
                f"start at, got {self.components}: use --model.prior.initial random, or fewer"
            )
        self.low.copy_(x.amin(0))
        self.high.copy_(x.amax(0))
        if self.initial == "data":
            self.inputs.copy_(x[: self.components])
        else:  # they began uniform in [0, 1]
            self.inputs.mul_(self.high - self.low).add_(self.low)

    def forward(self, c: Tensor) -> Distribution:
        u: Tensor = _Confined.apply(self.inputs, self.low, self.high)  # type: ignore[no-untyped-call]
        if not self.condition_dim:
            q = self.encode(u, c.new_empty(len(u), 0))
        else:
            q = self._of_conditions(u, c)
        if isinstance(q, Delta):
            raise ValueError(
                "VampPrior mixes the densities q(z | u), which a Deterministic posterior lacks: "
                "use --model.posterior DiagonalNormal, or --model.prior StandardNormal"
            )
        return mixture(u.new_zeros(self.components), q)

    def _of_conditions(self, u: Tensor, c: Tensor) -> Distribution:
        """Encode once for each condition that occurs, since labels repeat; batch ``(B, K)``."""
        # Learned features that happen to be equal have gradients of their own.
        rows, which = c, torch.arange(len(c), device=c.device)
        if not c.requires_grad:
            rows, which = torch.unique(c, dim=0, return_inverse=True)
        inputs = u.repeat(len(rows), *[1] * (u.dim() - 1))
        index = which.unsqueeze(-1) * len(u) + torch.arange(len(u), device=c.device)
        return self.encode(inputs, rows.repeat_interleave(len(u), dim=0), index)


class _Confined(torch.autograd.Function):
    """Clamps, and lets pass each gradient but one whose descent would lead out of the range.

    That of ``clamp`` vanishes beyond the edges, so that what momentum leads there, stays there.
    Whether it would lead out is asked of the gradient of all ranks, which one step follows.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(x <= low, x >= high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        below, above = ctx.saved_tensors
        gradient = average(gradients[0])
        outward = (below & (gradient > 0)) | (above & (gradient < 0))
        return gradient.masked_fill(outward, 0), None, None
