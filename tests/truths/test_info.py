"""InfoVAE between the ELBO and the Wasserstein autoencoder, and the autoencoder without either."""

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import KL, MMD, Adversarial, InfoVAE, NoRegularizer, SlicedWasserstein


def normal(mean, scale):
    return Independent(Normal(mean, scale), 1)


@pytest.fixture
def q():
    return normal(torch.randn(12, 3), torch.full((12, 3), 0.5))


@pytest.fixture
def p():
    return normal(torch.zeros(12, 3), torch.ones(12, 3))


def measure(regularizer, q, p):
    torch.manual_seed(1)  # the same samples of the prior
    return regularizer(q, p, q.mean)


@pytest.mark.parametrize(("alpha", "lambda_"), [(0.0, 1.0), (0.0, 10.0), (0.5, 3.0), (-2.0, 3.5)])
@pytest.mark.parametrize("inner", [None, MMD(weight=4.0), SlicedWasserstein()])
def test_infovae_weighs_both_divergences_as_in_the_paper(q, p, alpha, lambda_, inner):
    found = measure(InfoVAE(2.0, alpha, lambda_, inner), q, p)
    aggregate = measure(MMD() if inner is None else inner, q, p)
    expected = 2 * ((1 - alpha) * measure(KL(), q, p) + (alpha + lambda_ - 1) * aggregate)
    assert_close(found, expected)


def test_alpha_zero_and_lambda_one_is_the_elbo(q, p):
    assert torch.equal(measure(InfoVAE(alpha=0, lambda_=1), q, p), measure(KL(), q, p))


def test_alpha_one_is_the_divergence_of_the_aggregate_alone_and_needs_no_density(p):
    point = Delta(torch.randn(12, 3))
    found = measure(InfoVAE(alpha=1.0, lambda_=5.0), point, p)
    assert_close(found, 5 * measure(MMD(), point, p))


def test_infovae_passes_on_the_loss_of_a_critic(q, p):
    inner = Adversarial(hidden=[4])
    inner.build(3)
    regularizer = InfoVAE(alpha=0.0, lambda_=4.0, inner=inner)
    torch.manual_seed(1)
    loss = regularizer.critic_loss(q, p, q.mean)
    torch.manual_seed(1)
    assert torch.equal(loss, inner.critic_loss(q, p, q.mean))
    assert regularizer.null_value == pytest.approx(3 * Adversarial.null_value)
    assert InfoVAE().critic_loss(q, p, q.mean) is None


def test_no_regularizer_is_zero_with_a_gradient_of_zero(q, p):
    z = (1e30 * torch.randn(12, 3)).requires_grad_()
    penalty = NoRegularizer()(q, p, z)
    penalty.backward()
    assert penalty == 0
    assert torch.equal(z.grad, torch.zeros(12, 3))
