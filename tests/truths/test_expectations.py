"""MMD with exact expectations: against quadrature, against samples, and how much less it varies."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import ncx2
from torch.autograd import gradcheck
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.priors import StandardNormal
from vae_zoo.regularizers import MMD, mmd, pairs, posterior_mmd, standard_mmd
from vae_zoo.regularizers.kernels import radial

KERNELS = {
    "gaussian": lambda r2, c: math.exp(-r2 / c),
    "imq": lambda r2, c: c / (c + r2),
    "laplace": lambda r2, c: math.exp(-math.sqrt(r2 / c)),
}


def expected(kernel, square, d, width):
    """E k(x, y) for ‖x‖² = square: ‖x - y‖² has a noncentral chi-squared distribution."""
    law = ncx2(d, square) if square else ncx2(d, 1e-12)
    low, high = law.ppf(1e-13), law.ppf(1 - 1e-13)
    return quad(
        lambda r2: KERNELS[kernel](r2, width) * law.pdf(r2), low, high, limit=500, epsabs=1e-10
    )[0]


def under_the_prior(kernel, square, d, width):
    """E k(x, y) for ‖x‖² = square: ‖x - y‖² has a noncentral chi-squared distribution."""
    law = ncx2(d, max(square, 1e-12))
    ends = law.ppf([1e-12, 1 - 1e-12])
    return quad(lambda r2: KERNELS[kernel](r2, width) * law.pdf(r2), *ends, limit=400)[0]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("d", "scale"), [(2, 0.1), (3, 1.0), (16, 0.1), (16, 10.0), (64, 1.0)])
def test_the_expectation_under_the_prior_is_that_of_quadrature(kernel, d, scale):
    width, radius = 2 * d * scale, 1.5
    x = torch.zeros(2, d, dtype=torch.double)
    x[:, 0] = torch.tensor([radius, -radius])
    within = KERNELS[kernel](4 * radius**2, width)
    prior = under_the_prior(kernel, 0.0, d, width / 2)  # y - y' is √2 times a standard normal
    truth = within + prior - 2 * under_the_prior(kernel, radius**2, d, width)
    assert_close(standard_mmd(x, kernel, [width]).item(), truth, rtol=0, atol=4e-6)


def by_a_fine_rule(x, kernel, widths):
    """MMD² by 1200 nodes in log t for each width, t ~ Gamma(1) or Gamma(1/2)."""
    log_t = torch.linspace(-55, 5, 1201, dtype=torch.double)
    t, d = log_t.exp(), x.shape[1]
    total = 0.0
    for width in widths:
        shape, u = (1.0, t / width) if kernel == "imq" else (0.5, 1 / (4 * width * t))
        weight = 0.05 * t**shape * torch.exp(-t) / math.gamma(shape)
        by_prior = (1 + 2 * u) ** (-d / 2) * torch.exp(
            -x.square().sum(1, keepdim=True) * u / (1 + 2 * u)
        )
        total = total + (weight * ((1 + 4 * u) ** (-d / 2) - 2 * by_prior.mean(0))).sum()
    return total / len(widths) + pairs.mean_within(x, radial(kernel, widths))


@pytest.mark.parametrize("kernel", ["imq", "laplace"])
@pytest.mark.parametrize("d", [1, 2, 16, 128])
@pytest.mark.parametrize("scales", [[1.0], [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]])
def test_the_nodes_err_by_less_than_1e_5_against_a_fine_rule(kernel, d, scales):
    x = (1.5 * torch.randn(40, d, dtype=torch.double)).requires_grad_()
    widths = [2 * d * scale for scale in scales]
    found, truth = standard_mmd(x, kernel, widths), by_a_fine_rule(x, kernel, widths)
    assert_close(found, truth, rtol=0, atol=4e-6)
    gradients = [len(x) * torch.autograd.grad(value, x)[0] for value in (found, truth)]
    assert_close(*gradients, rtol=0, atol=4e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_exact_expectation_is_the_mean_of_that_of_samples(kernel):
    x = torch.randn(20, 3) + 0.5
    values = torch.stack(
        [mmd(x, torch.randn(20, 3), kernel, torch.tensor([3.0])) for _ in range(400)]
    )
    error = values.mean() - standard_mmd(x, kernel, [3.0])
    assert abs(error) < 4 * values.std() / 400**0.5


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [2, 16])
def test_the_exact_expectation_varies_by_less_than_three_quarters_of_sampling(kernel, d):
    p = StandardNormal(d)(torch.zeros(32, 0)).expand((32,))

    def deviation(prior):
        regularizer = MMD(kernel=kernel, prior=prior)
        return torch.stack([regularizer(None, p, torch.randn(32, d)) for _ in range(200)]).std()

    assert deviation("exact") < 0.75 * deviation("sampled")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", [4, 32])
def test_the_exact_mmd_of_the_prior_itself_has_mean_zero(kernel, n):
    values = torch.stack([standard_mmd(torch.randn(n, 3), kernel, [6.0]) for _ in range(400)])
    assert abs(values.mean()) < 4 * values.std() / 400**0.5


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_of_the_exact_mmd_is_that_of_finite_differences(kernel):
    x = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    assert gradcheck(lambda x: standard_mmd(x, kernel, [0.7, 3.0]), x)


def posteriors(n, d):
    loc, scale = 0.8 * torch.randn(n, d), 0.2 + torch.rand(n, d)
    return Independent(Normal(loc.double(), scale.double()), 1)


def test_the_mmd_of_posteriors_is_the_mean_over_their_samples():
    q, widths = posteriors(8, 3), [1.0, 6.0]
    values = torch.stack([standard_mmd(q.sample(), "gaussian", widths) for _ in range(1000)])
    found = posterior_mmd(q.base_dist.loc, q.base_dist.scale, widths)
    assert abs(values.mean() - found) < 4 * values.std() / 1000**0.5


def test_the_mmd_of_points_is_that_of_samples():
    x = torch.randn(7, 3)
    found = posterior_mmd(x, torch.zeros(7, 3), [2.0])
    assert_close(found, standard_mmd(x, "gaussian", [2.0]))


def test_the_mmd_of_posteriors_equal_to_the_prior_is_zero_without_any_noise():
    assert abs(posterior_mmd(torch.zeros(5, 3), torch.ones(5, 3), [0.5, 6.0])) < 1e-6


def test_chunks_leave_the_mmd_of_posteriors_and_its_gradient_as_they_are(monkeypatch):
    q = posteriors(11, 3)
    parameters = [part.requires_grad_() for part in (q.base_dist.loc, q.base_dist.scale)]

    def value_and_gradients():
        value = posterior_mmd(*parameters, [1.0, 6.0])
        return value, *torch.autograd.grad(value, parameters)

    whole = value_and_gradients()
    monkeypatch.setattr(pairs, "rows_per_chunk", lambda like, numbers: 3)
    assert_close(value_and_gradients(), whole)


def test_the_prior_of_the_regularizer_chooses_the_expectation():
    q, p = posteriors(6, 2), StandardNormal(2)(torch.zeros(6, 0)).expand((6,))
    z, widths = q.sample(), [4 * scale for scale in (0.5, 2.0)]
    exact = MMD(scales=[0.5, 2.0], prior="exact")(q, p, z)
    assert_close(exact, standard_mmd(z, "imq", widths))
    regularizer = MMD(kernel="gaussian", scales=[0.5, 2.0], prior="posterior")
    expected = posterior_mmd(q.base_dist.loc, q.base_dist.scale, widths)
    assert_close(regularizer(q, p, z), expected)
