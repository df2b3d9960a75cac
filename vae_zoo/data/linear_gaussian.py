"""Normal data on a plane and noise beside it, of which all is known in closed form."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from vae_zoo.data.splits import Split, Support
from vae_zoo.data.synthetic import Synthetic

POPULATION_SEED = 0  # of W and μ, which no option changes


class Optimum(NamedTuple):
    """What the best linear VAE reaches, in the mean over the population."""

    kl: Tensor
    square_error: Tensor  # E_q ‖x - E p(x | z)‖²
    active_units: int


class Aggregate(NamedTuple):
    """The parts of E KL(q(z | x) ‖ N(0, I)), which is their sum."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


class LinearGaussian(Synthetic):
    """x = Wz + μ + σε, so that x ~ N(μ, WWᵀ + σ²I): probabilistic PCA is true of it.

    The columns of W are orthogonal, and their squared lengths fall evenly from 4 to 1. W and μ
    depend on the sizes alone. No model can beat ``log_likelihood`` on held-out examples beyond
    chance; ``ppca`` and ``water_filling`` are what linear VAEs reach at their best.

    Args:
        dimension: Number of dimensions of x.
        latents: Number of dimensions of z.
        sigma: Standard deviation σ of the noise.
        train: Number of training examples; val and test have a quarter as many.
        data_seed: Of the examples, and of nothing else.
        batch_size: Number of examples per device and step.

    Raises:
        ValueError: A number is not positive, z has more dimensions than x, there are fewer than
            four examples, or the seed is negative.

    References:
        Tipping and Bishop, Probabilistic Principal Component Analysis, 1999.
        https://doi.org/10.1111/1467-9868.00196
        Lucas, Tucker, Grosse and Norouzi, Don't Blame the ELBO! A Linear VAE Perspective on
        Posterior Collapse, 2019. https://arxiv.org/abs/1911.02469
    """

    support: Support = "real"

    def __init__(
        self,
        dimension: int = 8,
        latents: int = 3,
        sigma: float = 0.5,
        train: int = 16_000,
        data_seed: int = 0,
        batch_size: int = 200,
    ) -> None:
        super().__init__(train, data_seed, batch_size)
        if not 1 <= latents <= dimension:
            raise ValueError(
                f"latents must be at least 1 and at most dimension, {dimension}, got {latents}"
            )
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma must be positive, got {sigma}")
        self.shape, self.sigma = (dimension,), sigma
        generator = torch.Generator().manual_seed(POPULATION_SEED)
        self.mu = torch.randn(dimension, generator=generator).double()
        axes, _ = torch.linalg.qr(torch.randn(dimension, latents, generator=generator).double())
        self.w = axes * torch.linspace(4, 1, latents, dtype=torch.double).sqrt()  # (*X, latents)

    def draw(self, n: int, generator: torch.Generator) -> Split:
        z = torch.randn(n, self.w.shape[1], generator=generator).double()
        noise = torch.randn(n, *self.shape, generator=generator).double()
        return Split((z @ self.w.T + self.mu + self.sigma * noise).float())

    @property
    def covariance(self) -> Tensor:
        """WWᵀ + σ²I."""
        covariance: Tensor = self.w @ self.w.T + self.sigma**2 * torch.eye(len(self.w)).double()
        return covariance

    @property
    def eigenvalues(self) -> Tensor:
        """Those of the covariance, λ, from the largest."""
        rising: Tensor = torch.linalg.eigvalsh(self.covariance)
        return rising.flip(0)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return the true log p(x) of ``(N, *X)``, in double precision, of shape ``(N,)``."""
        truth = MultivariateNormal(self.mu, self.covariance)
        return truth.log_prob(x.double())  # type: ignore[no-any-return, no-untyped-call]

    def ppca(self, latent_dim: int) -> Tensor:
        """The mean log-likelihood of the best linear VAE of β = 1 and learned variance: its ELBO.

        Args:
            latent_dim: Its number q of latent dimensions, fewer than those of x.

        Returns:
            -½ [D ln 2π + Σ_{j≤q} ln λ_j + (D - q) ln σ² + D], with σ² the mean of the other λ.
        """
        kept, dropped = self.eigenvalues[:latent_dim], self.eigenvalues[latent_dim:]
        log_det = kept.log().sum() + len(dropped) * dropped.mean().log()
        return -0.5 * (len(self.mu) * (math.log(2 * math.pi) + 1) + log_det)

    def water_filling(self, latent_dim: int, beta: float, variance: float) -> Optimum:
        """The optimum of a linear VAE with a fixed variance: reverse water-filling at θ = βσ².

        Args:
            latent_dim: Its number of latent dimensions.
            beta: Weight of its KL.
            variance: Variance σ² of its likelihood.
        """
        theta = beta * variance
        kept = self.eigenvalues[:latent_dim]
        kept = kept[kept > theta]
        dropped = self.eigenvalues[len(kept) :].sum()
        return Optimum((kept / theta).log().sum() / 2, len(kept) * theta + dropped, len(kept))

    def aggregate(self, matrix: Tensor, bias: Tensor, noise: Tensor) -> Aggregate:
        """What is known of the encoders q(z | x) = N(Ax + b, S), of which q(z) is a normal.

        Args:
            matrix: A, of shape ``(D, *X)``.
            bias: b, of shape ``(D,)``.
            noise: The covariance S, of shape ``(D, D)``.
        """
        covariance = matrix @ self.covariance @ matrix.T + noise
        mean, variances = matrix @ self.mu + bias, covariance.diagonal()
        return Aggregate(
            mutual_information=(covariance.logdet() - noise.logdet()) / 2,
            total_correlation=(variances.log().sum() - covariance.logdet()) / 2,
            dimension_wise_kl=(mean.square() + variances - 1 - variances.log()).sum() / 2,
        )
