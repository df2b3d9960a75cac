"""Fixed priors whose tails are heavier than a normal's."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.distributions import Laplace as LaplaceDistribution
from torch.distributions import StudentT as StudentTDistribution

from vae_zoo.arguments import require_positive
from vae_zoo.priors.base import Prior


class Laplace(Prior):
    """The fixed prior Π exp(-|z_d| / b) / 2b, whose peak at 0 asks for sparse codes.

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Not used.
        scale: Scale b; the variance is 2b².

    Raises:
        ValueError: The scale is not positive.

    References:
        Barello, Charles and Pillow, Sparse-Coding Variational Auto-Encoders, 2018.
        https://doi.org/10.1101/399246
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, condition_dim: int = 0, scale: float = 1.0) -> None:
        super().__init__(latent_dim, condition_dim)
        require_positive("scale", scale)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.full((latent_dim,), scale), persistent=False)

    def forward(self, c: Tensor) -> Distribution:
        laplace = LaplaceDistribution(self.loc, self.scale, validate_args=False)
        return Independent(laplace, 1, validate_args=False)


class StudentT(Prior):
    """The fixed prior Π t_ν(z_d / s) / s, which lets single codes lie far out.

    Args:
        latent_dim: Number D of latent dimensions.
        condition_dim: Not used.
        df: Degrees of freedom ν; at infinity it is a normal.
        scale: Scale s; the variance is s² ν / (ν - 2), and infinite up to ν = 2.

    Raises:
        ValueError: The degrees of freedom or the scale are not positive.

    References:
        Lange, Little and Taylor, Robust Statistical Modeling Using the t Distribution, 1989.
        https://doi.org/10.1080/01621459.1989.10478852
    """

    loc: Tensor
    scale: Tensor

    def __init__(
        self, latent_dim: int, condition_dim: int = 0, df: float = 5.0, scale: float = 1.0
    ) -> None:
        super().__init__(latent_dim, condition_dim)
        require_positive("df", df)
        require_positive("scale", scale)
        self.df = df
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.full((latent_dim,), scale), persistent=False)

    def forward(self, c: Tensor) -> Distribution:
        student = StudentTDistribution(self.df, self.loc, self.scale, validate_args=False)
        return Independent(student, 1, validate_args=False)
