"""Kernel Stein discrepancy against derivatives by autograd, and against Stein's identity."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.autograd.functional import hessian, jacobian
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import SteinDiscrepancy, pairs, stein_discrepancy
from vae_zoo.vae import VAE

WEIGHTS, MEANS = torch.tensor([0.3, 0.7]), torch.tensor([[-1.0, 0.5], [1.5, 0.0]])
MIXTURE = MixtureSameFamily(Categorical(WEIGHTS), Independent(Normal(MEANS, 0.7), 1))
STANDARD = Independent(Normal(torch.zeros(2), 1.0), 1)


def score(p, x):
    return torch.func.grad(lambda x: p.log_prob(x).sum())(x)


def by_definition(x, s, width):
    """Mean over i ≠ j, with every derivative of the kernel by autograd."""

    def kernel(a, b):
        return (1 + (a - b).square().sum() / width) ** -0.5

    n = len(x)
    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                by_a, by_b = jacobian(kernel, (x[i], x[j]))
                second = hessian(kernel, (x[i], x[j]))[0][1]
                total += s[i] @ s[j] * kernel(x[i], x[j]) + s[i] @ by_b + s[j] @ by_a
                total += second.trace()
    return total / (n * (n - 1))


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("width", [0.5, 6.0])
def test_the_discrepancy_is_that_of_its_definition(d, width):
    x, s = torch.randn(5, d).double(), torch.randn(5, d).double()
    assert_close(stein_discrepancy(x, s, width), by_definition(x, s, width))


def test_codes_far_from_the_origin_cost_no_digits():
    p = Independent(Normal(torch.full((2,), 1000.0), 1.0), 1)
    x = p.sample((50,)) + 0.5
    expected = stein_discrepancy(x.double(), score(p, x).double(), 4.0)
    assert_close(stein_discrepancy(x, score(p, x), 4.0), expected.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("p", [STANDARD, MIXTURE], ids=["normal", "mixture"])
@pytest.mark.parametrize("n", [4, 50])
def test_the_discrepancy_of_samples_of_the_prior_has_mean_zero(p, n):
    samples = [p.sample((n,)) for _ in range(500)]
    values = torch.stack([stein_discrepancy(x, score(p, x), 4.0) for x in samples])
    assert abs(values.mean()) < 4 * values.std() / 500**0.5
    assert values.min() < 0


@pytest.mark.parametrize("n", [8, 64])
def test_its_mean_under_a_shift_does_not_depend_on_the_number_of_samples(n):
    """E (s_p - s_q)·(s_p - s_q)' k, with s_p - s_q = -m for N(m, I) against N(0, I)."""
    m, width = torch.tensor([0.6, -0.8]), 4.0
    differences = 2**0.5 * torch.randn(200000, 2)
    truth = m.square().sum() * (1 + differences.square().sum(1) / width).rsqrt().mean()
    samples = [torch.randn(n, 2) + m for _ in range(600)]
    values = torch.stack([stein_discrepancy(x, -x, width) for x in samples])
    assert abs(values.mean() - truth) < 4 * values.std() / 600**0.5


def test_it_sees_another_mixture_of_the_same_moments():
    x = MIXTURE.sample((2000,))
    p = Independent(Normal(x.mean(0), x.std(0)), 1)
    assert stein_discrepancy(x, score(p, x), 4.0) > 10 * abs(
        stein_discrepancy(x, score(MIXTURE, x), 4.0)
    )


def test_the_scale_is_in_units_of_twice_the_latent_dimension():
    x = torch.randn(9, 3)
    p = StandardNormal(3)(torch.zeros(9, 0)).expand((9,))
    found = SteinDiscrepancy(weight=2.0, scale=0.5)(Delta(x), p, x)
    assert_close(found, 2 * stein_discrepancy(x, -x, 3.0))


def test_its_gradient_is_that_of_finite_differences():
    x = torch.randn(5, 2, dtype=torch.double, requires_grad=True)
    s = torch.randn(5, 2, dtype=torch.double, requires_grad=True)
    assert gradcheck(lambda x, s: stein_discrepancy(x, s, 3.0), (x, s))


def test_the_gradient_by_the_codes_goes_through_the_score_too():
    x = torch.randn(6, 2).requires_grad_()
    p = MIXTURE.expand((6,))
    SteinDiscrepancy()(Delta(x), p, x).backward()
    step = 1e-2 * torch.randn(6, 2)

    def value(x):
        return stein_discrepancy(x.double(), score(p, x.double()), 4.0)

    ahead, behind = value(x.detach() + step), value(x.detach() - step)
    assert_close((x.grad * step).sum().double(), (ahead - behind) / 2, rtol=1e-2, atol=1e-6)


def test_chunks_leave_value_and_gradient_as_they_are(monkeypatch):
    x = torch.randn(11, 3).double().requires_grad_()
    s = torch.randn(11, 3).double().requires_grad_()

    def value_and_gradients():
        value = stein_discrepancy(x, s, 3.0)
        return value, *torch.autograd.grad(value, (x, s))

    whole = value_and_gradients()
    monkeypatch.setattr(pairs, "rows_per_chunk", lambda like, numbers: 3)
    assert_close(value_and_gradients(), whole)


@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
def test_the_gradient_reaches_a_learned_prior_and_the_encoder(prior):
    vae = VAE((6,), 2, SteinDiscrepancy(), prior=prior)
    vae(torch.rand(8, 6)).penalty.backward()
    for part in (vae.prior, vae.encoder):
        assert all(parameter.grad.any() for parameter in part.parameters())


@pytest.mark.parametrize("prior", [StandardNormal, LearnedNormal, MixtureOfNormals])
def test_the_value_is_the_same_where_autograd_is_switched_off(prior):
    x, p = torch.randn(8, 2), prior(2)
    expected = SteinDiscrepancy()(None, p(torch.zeros(8, 0)).expand((8,)), x)
    with torch.inference_mode():
        found = SteinDiscrepancy()(None, p(torch.zeros(8, 0)).expand((8,)), x)
    assert torch.equal(found, expected.detach())
