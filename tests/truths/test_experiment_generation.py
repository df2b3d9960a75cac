"""What is fitted to codes, and what samples of it are worth, where both are known exactly."""

import math

import numpy as np
import pytest
import torch
from generation import distance, likeness, normal, of_mixture, shells
from scipy.integrate import quad
from scipy.stats import norm

from vae_zoo.evaluation import frechet_distance, two_sample_classifier

N, D = 4000, 3


@pytest.fixture
def codes():
    """Codes far from N(0, I), with their Cholesky factor and mean."""
    factor = torch.tensor([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [-1.0, 0.3, 0.5]]).double()
    mean = torch.tensor([3.0, -1.0, 0.0]).double()
    return torch.randn(N, D).double() @ factor.T + mean


def test_the_fitted_normal_is_the_likeliest(codes):
    law = normal(codes)
    determinant = np.linalg.slogdet(np.cov(codes.numpy().T, ddof=0))[1]
    expected = -0.5 * (D * math.log(2 * math.pi) + determinant + D)
    assert law.log_prob(codes).mean().item() == pytest.approx(expected)


def test_a_shell_has_one_mahalanobis_distance_and_the_covariance_of_the_law(codes):
    law, radii = normal(codes), (0.0, 0.5, 3.0)
    found = shells(law, radii, 20_000)
    assert found.shape == (3, 20_000, D)
    inverse = np.linalg.inv(np.cov(codes.numpy().T, ddof=0))
    for radius, points in zip(radii, found.numpy(), strict=True):
        step = points - codes.mean(0).numpy()
        squares = np.einsum("ni,ij,nj->n", step, inverse, step)
        np.testing.assert_allclose(squares, radius**2 * D, atol=1e-9)
        covariance = radius**2 * law.covariance_matrix
        torch.testing.assert_close(
            torch.cov(torch.from_numpy(step).T), covariance, rtol=0.05, atol=0.1 * radius**2
        )


def test_samples_are_as_far_as_reconstructions_where_codes_are_distributed_as_z_is():
    """Of PCA, the bound by the reconstruction error (Tolstikhin et al., theorem 1) is attained."""
    scales, kept = torch.tensor([3.0, 2.0, 0.5, 0.2]).double(), 2
    x = torch.randn(20_000, 4).double() * scales
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T * scales
    codes = x[:, :kept]

    def decode(z):
        return torch.nn.functional.pad(z, (0, 4 - kept))

    lost = (x - decode(codes)).square().sum(1).mean().item()
    assert lost == pytest.approx(scales[kept:].square().sum().item(), rel=1e-3)
    fitted = frechet_distance(x, decode(normal(codes).sample((len(x),))))
    assert fitted.value == pytest.approx(lost, abs=0.03)
    standard = frechet_distance(x, decode(torch.randn(len(x), kept).double()))
    assert standard.value == pytest.approx(
        lost + (scales[:kept] - 1).square().sum().item(), rel=0.05
    )


def test_a_mixture_finds_the_modes_that_one_normal_fills_the_gap_of():
    apart, scale = 3.0, math.sqrt(1 + 3.0**2)
    n = 1500
    codes = torch.randn(n, 2).double()
    codes[:, 0] += apart * (2.0 * (torch.rand(n) < 0.5) - 1)

    def told(samples):
        return two_sample_classifier(codes, samples).double().mean().item()

    def difference(z):
        return abs((norm.pdf(z, apart) + norm.pdf(z, -apart)) / 2 - norm.pdf(z, scale=scale))

    variation = 0.5 * quad(difference, -20, 20, limit=200)[0]
    error = 4 * (0.25 / n) ** 0.5
    assert told(normal(codes).sample((n,))) == pytest.approx(0.5 + variation / 2, abs=error)
    mixed = of_mixture(codes, 2)
    assert told(mixed) == pytest.approx(0.5, abs=error)
    halves = mixed[:, 0].view(2, -1).sign().mean(1)  # in random order
    assert halves.abs().max() < 4 * (2 / n) ** 0.5


def test_likeness_is_best_for_the_real_examples_themselves():
    real = torch.randn(60, D)
    assert likeness(real, real) == pytest.approx(
        {"FID": 0.0, "precision": 1.0, "recall": 1.0, "distance": 0.0}, abs=1e-4
    )
    moved = real + torch.tensor([1000.0, 0.0, 0.0])
    found = likeness(moved, real)
    assert found["FID"] == pytest.approx(1e6)
    assert found["precision"] == found["recall"] == 0
    assert found["distance"] == distance(moved, real) > 990
