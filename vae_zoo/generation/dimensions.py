"""The latent dimensions of a model: how much each is used, and what it changes."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.evaluation.noise import evaluating
from vae_zoo.evaluation.surgery import factorised, kl_of_dimensions
from vae_zoo.generation.made import Made, rows_of
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.vae import VAE

WIDEST = 2.0  # standard deviations
ROWS = 250  # that are encoded at once
MEASURED = 1000  # examples
MOST = 10  # dimensions of a traversal


def posteriors(model: VAE, x: Tensor, c: Tensor) -> Distribution:
    """Return q(z | x) of many examples ``(N, *X)``, which are encoded a few at a time."""
    parts = zip(x.split(ROWS), c.expand(len(x), -1).split(ROWS), strict=True)  # type: ignore[no-untyped-call]
    return model.posterior(torch.cat([model.encoder(*part) for part in parts]))  # type: ignore[no-any-return]


class Dimensions(NamedTuple):
    """How much each latent dimension is used.

    Args:
        amount: The mean of KL(q(z_d | x) ‖ p(z_d)) in nats where it can be told, and otherwise the
            variance of the means of q(z_d | x), of shape ``(D,)``.
        unit: Which of the two, ``nats`` or ``variance``.
        spread: The standard deviation of the codes, of shape ``(D,)``.
    """

    amount: Tensor
    unit: str
    spread: Tensor

    @property
    def order(self) -> list[int]:
        """The dimensions, the most used first."""
        return self.amount.argsort(descending=True, stable=True).tolist()

    @classmethod
    def of(cls, model: VAE, x: Tensor, y: Tensor | None) -> "Dimensions":
        """Measure them on examples ``(N, *X)``, with their labels or conditions."""
        with evaluating(model):
            torch.manual_seed(0)
            c = model.condition(y).to(model.dtype)
            q, p = posteriors(model, x, c), model.prior(c)
            z = q.rsample()
            spread = z.std(0, correction=0)
            if not (factorised(p) and isinstance(model.posterior, DiagonalNormal)):
                return cls(model.posterior.point(q).var(0, correction=0), "variance", spread)
            try:
                kl = kl_of_dimensions(q, p)
            except NotImplementedError:  # no closed form: by the codes
                kl = kl_of_dimensions(q, p, z)
            return cls(kl.mean(0), "nats", spread)


def traverse(
    model: VAE, x: Tensor, y: Tensor | None, dimensions: Dimensions, steps: int, most: int
) -> Made:
    """Change one dimension of an example's code at a time, and decode.

    The code is the mean of q(z | x), and is what an odd number of steps has in its middle. It goes
    up to two standard deviations of all codes to either side. The condition stays.

    Args:
        model: The model.
        x: The example, ``(1, *X)``.
        y: Its label ``(1,)`` or condition ``(1, *Y)``, if any.
        dimensions: Of which the most used are shown first.
        steps: Number of codes of each.
        most: Number of dimensions, at most.
    """
    offsets = torch.linspace(-WIDEST, WIDEST, steps, device=x.device)
    order = dimensions.order[:most]
    n = len(order) * steps
    with evaluating(model):
        c = model.condition(y).to(model.dtype)
        z = model.posterior.point(model.encode(x, c))
        codes = z.repeat(len(order), steps, 1)
        for row, d in zip(codes, order, strict=True):
            row[:, d] += offsets.to(z) * dimensions.spread[d].to(z)
        decoded = model.likelihood.point(model.decode(codes.flatten(0, 1), c.expand(n, -1)))
    shown = [f"{offset:+.1f}" if offset else "0" for offset in offsets.tolist()]
    return Made(
        decoded,
        None if y is None else y.repeat_interleave(n, 0),
        [f"z{d} {offset}" for d in order for offset in shown],
        rows_of(n, steps),
        [f"z{d}: {dimensions.amount[d].item():.2f} {dimensions.unit}" for d in order],
        shown,
        "sd",
    )
