"""MMD against its definition, and its expectation against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch.autograd import gradcheck
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import MMD, mmd, pairs
from vae_zoo.regularizers.mmd import median_distance

KERNELS = {
    "gaussian": lambda r2, c: math.exp(-r2 / c),
    "imq": lambda r2, c: c / (c + r2),
    "laplace": lambda r2, c: math.exp(-math.sqrt(r2 / c)),
}


def by_definition(x, y, kernel, widths):
    """Mean over pairs and widths, by loops: Gretton et al. 2012, eq. 3."""

    def mean(xs, ys, same):
        pairs = [(i, j) for i in range(len(xs)) for j in range(len(ys)) if not (same and i == j)]
        squares = [((xs[i] - ys[j]) ** 2).sum() for i, j in pairs]
        return np.mean([KERNELS[kernel](r2, c) for r2 in squares for c in widths])

    x, y = x.double().numpy(), y.double().numpy()
    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


def between_normals(shift, d, kernel, width):
    """MMD² of N(m, I) and N(0, I), |m| = shift: the difference of two samples is N(m, 2I)."""

    def gaussian(c):
        return 2 * (c / (c + 4)) ** (d / 2) * (1 - math.exp(-(shift**2) / (c + 4)))

    if kernel == "gaussian":
        return gaussian(width)
    if kernel == "imq":  # C / (C + r²) = ∫ exp(-t) exp(-t r² / C) dt, a mixture of Gaussians
        return quad(lambda t: math.exp(-t) * gaussian(width / t), 0, math.inf)[0]
    # exp(-r / √C) = 2/√π ∫ exp(-a² - r² / 4 C a²) da.
    density = quad(lambda a: math.exp(-(a**2)) * gaussian(4 * width * a**2), 1e-9, math.inf)[0]
    return 2 / math.sqrt(math.pi) * density


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("widths", [[0.5], [4.0], [0.3, 2.0, 9.0]])
def test_mmd_is_the_mean_over_pairs_and_widths_without_the_diagonals(kernel, widths):
    x, y = torch.randn(6, 3), torch.randn(9, 3) + 0.5
    expected = torch.tensor(by_definition(x, y, kernel, widths))
    assert_close(mmd(x, y, kernel, torch.tensor(widths)), expected, check_dtype=False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_scales_of_the_regularizer_are_in_units_of_twice_the_latent_dimension(kernel):
    x, y, scales = torch.randn(5, 3), torch.randn(5, 3), [0.2, 1.0, 5.0]
    regularizer = MMD(weight=10.0, kernel=kernel, scales=scales)
    expected = 10 * by_definition(x, y, kernel, [6 * scale for scale in scales])
    penalty = regularizer(Delta(x), Delta(y), x)
    assert_close(penalty, torch.tensor(expected), check_dtype=False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_of_equal_distributions_has_mean_zero_and_negative_values(kernel):
    widths = torch.tensor([0.5, 4.0])
    values = torch.stack(
        [mmd(torch.randn(10, 2), torch.randn(10, 2), kernel, widths) for _ in range(1000)]
    )
    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5
    assert values.min() < 0 < values.max()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n", "repetitions"), [(8, 1000), (32, 400), (128, 200)])
def test_the_mean_of_mmd_is_its_closed_form_whatever_the_number_of_samples(kernel, n, repetitions):
    m = torch.tensor([0.6, -0.8, 0.5])
    estimates = torch.stack(
        [
            mmd(torch.randn(n, 3) + m, torch.randn(n, 3), kernel, torch.tensor([3.0]))
            for _ in range(repetitions)
        ]
    )
    expected = between_normals(m.norm().item(), 3, kernel, 3.0)
    assert abs(estimates.mean() - expected) < 4 * estimates.std() / repetitions**0.5


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_of_mmd_is_that_of_finite_differences(kernel):
    x = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    y = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    widths = torch.tensor([0.7, 3.0], dtype=torch.double)
    assert gradcheck(lambda x, y: mmd(x, y, kernel, widths), (x, y))


@pytest.mark.parametrize("kernel", KERNELS)
def test_chunks_leave_value_and_gradient_as_they_are(kernel, monkeypatch):
    x = torch.randn(11, 3, dtype=torch.double, requires_grad=True)
    y = torch.randn(7, 3, dtype=torch.double, requires_grad=True)

    def value_and_gradients():
        value = mmd(x, y, kernel, torch.tensor([2.0]))
        return value, *torch.autograd.grad(value, (x, y))

    whole = value_and_gradients()
    monkeypatch.setattr(pairs, "rows_per_chunk", lambda like, numbers: 3)
    assert_close(value_and_gradients(), whole)


@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_codes_have_a_finite_gradient(kernel):
    x = torch.ones(4, 3, requires_grad=True)
    y = torch.cat([torch.ones(2, 3), torch.randn(2, 3)]).requires_grad_()
    mmd(x, y, kernel, torch.tensor([1.0])).backward()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()
    assert x.grad.any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_does_not_depend_on_where_the_origin_is(kernel):
    x, y, widths = torch.randn(50, 3), torch.randn(50, 3) + 0.3, torch.tensor([1.0])
    far = mmd(x + 1000, y + 1000, kernel, widths)
    assert_close(far, mmd(x, y, kernel, widths), rtol=2e-3, atol=0)


def test_mmd_without_gradients_has_the_same_value():
    x, y, widths = torch.randn(6, 3, requires_grad=True), torch.randn(6, 3), torch.tensor([1.0])
    with torch.inference_mode():
        value = mmd(x, y, "imq", widths)
    assert torch.equal(value, mmd(x, y, "imq", widths).detach())


def test_the_memory_of_mmd_does_not_grow_with_the_square_of_the_batch(monkeypatch):
    x, sizes = torch.randn(1500, 4, requires_grad=True), []
    squared_distances = pairs._squared_distances

    def record(x, y):
        sizes.append(len(x) * len(y))
        return squared_distances(x, y)

    monkeypatch.setattr(pairs, "_squared_distances", record)
    mmd(x, torch.randn(1500, 4), "imq", torch.tensor([1.0])).backward()
    assert max(sizes) <= 2**17 < 1500**2


def test_the_median_is_that_of_the_pooled_samples_and_carries_no_gradient():
    x, y = torch.randn(9, 2, requires_grad=True), 3 * torch.randn(8, 2)
    pooled = torch.cat([x, y]).detach()
    expected = np.quantile(
        [(a - b).norm() for i, a in enumerate(pooled) for b in pooled[:i]],
        0.5,
        method="lower",
    )
    median = median_distance(x, y)
    assert_close(median, torch.tensor(expected))
    assert not median.requires_grad


def test_the_median_width_is_the_unit_of_the_scales():
    x, y = torch.randn(9, 2), 3 * torch.randn(9, 2)
    width = median_distance(x, y).square()
    expected = mmd(x, y, "imq", width * torch.tensor([0.5, 2.0]))
    regularizer = MMD(scales=[0.5, 2.0], width="median")
    assert_close(regularizer(Delta(x), Delta(y), x), expected)
    by_units = regularizer(Delta(10 * x), Delta(10 * y), 10 * x)
    assert_close(by_units, expected)


def test_mmd_refuses_a_single_sample():
    with pytest.raises(ValueError, match="at least two samples of each, got 1 and 4"):
        mmd(torch.randn(1, 2), torch.randn(4, 2), "imq", torch.tensor([1.0]))
