"""Likelihoods that keep the contract, though they are unlike those of the zoo."""

import torch
from torch.distributions import (
    Beta,
    Cauchy,
    Independent,
    LogNormal,
    MultivariateNormal,
    TransformedDistribution,
)
from torch.distributions import Normal as NormalDistribution
from torch.distributions.transforms import ReshapeTransform, SigmoidTransform
from torch.nn.functional import softplus

from vae_zoo.likelihoods import Bernoulli, Normal
from vae_zoo.precision import at_least_single


class Vectors(Normal):
    """Takes no images."""

    def __init__(self, shape):
        super().__init__(shape)
        if len(shape) != 1:
            raise ValueError(f"shape must be that of a vector, got {shape}")


class Images(Normal):
    """Takes images of an even side."""

    def __init__(self, shape):
        super().__init__(shape)
        if len(shape) != 3 or shape[-1] % 2:
            raise ValueError(f"images must have an even side, got {shape}")


class Colours(Bernoulli):
    """Takes images of three channels."""

    def __init__(self, shape):
        super().__init__(shape)
        if shape[0] != 3:
            raise ValueError(f"shape must be that of 3 channels, got {shape}")


class EdgesOfTheUnit(Normal):
    """A beta distribution, high at 0 and 1."""

    supports = frozenset({"unit interval"})

    @property
    def params(self):
        return (2 * self.shape[0], *self.shape[1:])

    def forward(self, params):
        a, b = (0.5 + softplus(part) for part in at_least_single(params).chunk(2, 1))
        return Independent(Beta(a, b, validate_args=False), len(self.shape), validate_args=False)


class SharpInTheUnit(Normal):
    """A logit-normal of a small scale, shown by its median."""

    supports = frozenset({"unit interval"})

    def forward(self, params):
        normal = NormalDistribution(at_least_single(params), 0.01, validate_args=False)
        p = TransformedDistribution(normal, SigmoidTransform(), validate_args=False)
        return Independent(p, len(self.shape), validate_args=False)

    def point(self, p):
        return p.base_dist.base_dist.loc.sigmoid()


class Outliers(Normal):
    """Cauchy,."""

    def forward(self, params):
        p = Cauchy(*self.split(params), validate_args=False)
        return Independent(p, len(self.shape), validate_args=False)

    def point(self, p):
        return p.base_dist.loc


class Positive(Normal):
    """Log-normal, of a long tail."""

    class Pixels(LogNormal):
        def log_prob(self, value):
            inside = super().log_prob(value.clamp(min=1e-30))
            return torch.where(value > 0, inside, -torch.inf)

    def forward(self, params):
        p = self.Pixels(at_least_single(params), 1.5, validate_args=False)
        return Independent(p, len(self.shape), validate_args=False)


class OneScale(Normal):
    """Has one scale for each image, of all of its parameters."""

    @property
    def params(self):
        return (2 * self.shape[0], *self.shape[1:])

    def forward(self, params):
        loc, scale = at_least_single(params).chunk(2, 1)
        scale = scale.flatten(1).mean(1).exp().view(-1, *[1] * len(self.shape))
        normal = NormalDistribution(loc, scale, validate_args=False)
        return Independent(normal, len(self.shape), validate_args=False)


class Joined(Normal):
    """A normal whose pixels are correlated."""

    def forward(self, params):
        loc = at_least_single(params).flatten(1)
        eye = torch.eye(loc.shape[1], dtype=loc.dtype)
        p = MultivariateNormal(loc, scale_tril=eye + 0.9 * eye.roll(1, 0).tril())
        return TransformedDistribution(p, ReshapeTransform(loc.shape[1:], self.shape))

    def point(self, p):
        return p.base_dist.loc.view(-1, *self.shape)


RIGHT = [
    Vectors,
    Images,
    Colours,
    EdgesOfTheUnit,
    SharpInTheUnit,
    Outliers,
    Positive,
    OneScale,
    Joined,
]
