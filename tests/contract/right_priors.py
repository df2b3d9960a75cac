"""Priors that keep the contract, though they are unlike those of the zoo."""

import torch
from torch.distributions import (
    Categorical,
    Cauchy,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    Uniform,
)
from torch.distributions.transforms import AffineTransform

from vae_zoo.priors import LearnedNormal, Prior


class Bounded(Prior):
    """Uniform on a square."""

    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.register_buffer("low", -torch.ones(latent_dim))

    def forward(self, c):
        return Independent(Uniform(self.low, -self.low, validate_args=False), 1)


class Affine(LearnedNormal):
    """A transformed normal."""

    def forward(self, c):
        p = super().forward(c)
        return TransformedDistribution(p, AffineTransform(1.0, 2.0, 1), validate_args=False)


class Heavy(LearnedNormal):
    """Cauchy."""

    def forward(self, c):
        p = Cauchy(self.loc, self.log_scale.exp(), validate_args=False)
        return Independent(p, 1, validate_args=False)


class FarApart(LearnedNormal):
    """Two normals with nothing between them."""

    def forward(self, c):
        loc = torch.stack([self.loc - 10, self.loc + 10])
        normals = Independent(Normal(loc, self.log_scale.exp(), validate_args=False), 1)
        return MixtureSameFamily(Categorical(loc.new_ones(2)), normals, validate_args=False)


class Correlated(Prior):
    """A normal almost on a line,."""

    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.register_buffer("covariance", 0.999 + 0.001 * torch.eye(latent_dim))

    def forward(self, c):
        zero = self.covariance.new_zeros(len(self.covariance))
        return MultivariateNormal(zero, self.covariance, validate_args=False)


class OfThePlane(LearnedNormal):
    """Takes no more dimensions than two."""

    def __init__(self, latent_dim, condition_dim=0):
        if latent_dim != 2:
            raise ValueError(f"latent_dim must be 2, got {latent_dim}")
        super().__init__(latent_dim, condition_dim)


class OfSpace(LearnedNormal):
    """Refuses to be checked."""

    def __init__(self, latent_dim, condition_dim=0):
        if latent_dim < 3:
            raise ValueError(f"latent_dim must be at least 3, got {latent_dim}")
        super().__init__(latent_dim, condition_dim)


RIGHT = [Bounded, Affine, Heavy, FarApart, Correlated, OfThePlane]
