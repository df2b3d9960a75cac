"""DIP against its definition by loops, and on a Gaussian aggregate of known covariance."""

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.priors import StandardNormal
from vae_zoo.regularizers import DIP, covariance_penalty


def prior(n, d):
    return StandardNormal(d)(torch.zeros(n, 0)).expand((n,))


def normal(mean, scale):
    return Independent(Normal(mean, scale), 1)


def measure(regularizer, q):
    return regularizer(q, prior(*q.mean.shape), q.mean)


def by_definition(mean, scale, kind, off_diagonal, diagonal):
    n, d = mean.shape
    total = 0.0
    for i in range(d):
        for j in range(d):
            a, b = mean[:, i] - mean[:, i].mean(), mean[:, j] - mean[:, j].mean()
            c = (a * b).sum() / (n - 1)
            if kind == "II" and i == j:
                c = c + sum(scale[:, i] ** 2) / n
            total += diagonal * (c - 1) ** 2 if i == j else off_diagonal * c**2
    return total


@pytest.mark.parametrize(("kind", "ratio"), [("I", 10.0), ("II", 1.0)])
@pytest.mark.parametrize(("n", "d"), [(2, 1), (5, 3), (9, 6)])
def test_dip_is_its_definition_with_the_factors_of_the_paper(kind, ratio, n, d):
    mean, scale = torch.randn(n, d), torch.rand(n, d) + 0.2
    penalty = measure(DIP(weight=3.0, kind=kind), normal(mean, scale))
    assert_close(penalty, by_definition(mean, scale, kind, 3.0, 3.0 * ratio))


@pytest.mark.parametrize("kind", ["I", "II"])
def test_the_diagonal_has_the_ratio_asked_for(kind):
    mean, scale = torch.randn(5, 3), torch.rand(5, 3) + 0.2
    penalty = measure(DIP(kind=kind, diagonal=0.5), normal(mean, scale))
    assert_close(penalty, by_definition(mean, scale, kind, 1.0, 0.5))


def test_the_penalty_of_a_covariance_counts_every_pair_twice():
    covariance = torch.tensor([[3.0, 0.5], [0.5, 1.0]])
    assert covariance_penalty(covariance, 10.0) == 2 * 0.25 + 10 * 4


def test_dip_of_a_gaussian_aggregate_is_that_of_its_covariance():
    a = torch.tensor([[0.9, 0.4], [0.0, 0.7]])
    scale = torch.tensor([0.3, 0.6])
    q = normal(torch.randn(20000, 2) @ a.T, scale.expand(20000, 2))
    for kind, covariance in {"I": a @ a.T, "II": a @ a.T + torch.diag(scale**2)}.items():
        regularizer = DIP(kind=kind, diagonal=2.0)
        found = measure(regularizer, q)
        assert_close(found, covariance_penalty(covariance, 2.0), rtol=0.0, atol=0.05)


@pytest.mark.parametrize("kind", ["I", "II"])
def test_dip_does_not_see_a_shift(kind):
    q, shifted = (normal(torch.arange(12.0).view(4, 3).cos() + by, 0.5) for by in (0.0, 8.0))
    assert_close(measure(DIP(kind=kind), shifted), measure(DIP(kind=kind), q))


def test_dip_is_null_where_it_says():
    root = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * 0.75**0.5
    assert DIP().matches == "means"
    assert measure(DIP(), Delta(root)) < 1e-12
    assert DIP(kind="II").matches == "posterior"
    assert measure(DIP(kind="II"), normal(torch.zeros(4, 2), torch.ones(4, 2))) == 0


@pytest.mark.parametrize("kind", ["I", "II"])
def test_the_gradient_of_dip_reaches_what_it_sees(kind):
    mean = torch.randn(6, 3, requires_grad=True)
    scale = torch.full((6, 3), 0.5, requires_grad=True)
    measure(DIP(kind=kind), normal(mean, scale)).backward()
    assert (mean.grad != 0).all()
    assert scale.grad is None if kind == "I" else (scale.grad != 0).all()
