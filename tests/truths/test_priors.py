"""Priors are densities, and learned ones find their optimum."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from torch.testing import assert_close

from vae_zoo.priors import ConditionalNormal, LearnedNormal, MixtureOfNormals, StandardNormal

EMPTY = torch.zeros(1, 0)


def shaken(prior):
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return prior


@pytest.mark.parametrize(
    ("make", "c"),
    [
        (lambda: StandardNormal(2), EMPTY),
        (lambda: LearnedNormal(2), EMPTY),
        (lambda: MixtureOfNormals(2, components=4), EMPTY),
        (lambda: ConditionalNormal(2, condition_dim=3), torch.tensor([[0.0, 1.0, 0.0]])),
    ],
)
def test_a_prior_integrates_to_one(make, c):
    p = shaken(make())(c)
    axis = torch.linspace(-30, 30, 1201, dtype=torch.double)
    grid = torch.cartesian_prod(axis, axis)
    density = p.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert_close(density.item(), 1.0, atol=1e-4, rtol=0)


def test_a_mixture_is_one_of_joint_normals_and_not_a_product_of_mixtures():
    prior = shaken(MixtureOfNormals(latent_dim=3, components=5))
    z = torch.randn(20, 3)
    loc, scale = prior.loc.detach().numpy(), np.exp(prior.log_scale.detach().numpy())
    weights = np.exp(prior.logits.detach().numpy())
    joint = norm.logpdf(z[:, None], loc, scale).sum(axis=-1)  # summed before the mixing
    expected = logsumexp(joint, b=weights / weights.sum(), axis=1)
    log_prob = prior(EMPTY).expand((20,)).log_prob(z).detach()
    assert_close(log_prob, torch.tensor(expected), check_dtype=False)


@pytest.mark.parametrize(
    ("make", "c"),
    [
        (lambda: LearnedNormal(3), EMPTY),
        (lambda: ConditionalNormal(3, condition_dim=2), torch.eye(2)[[0, 1, 1, 0]]),
    ],
)
def test_a_learned_normal_starts_at_the_standard_one(make, c):
    z = torch.randn(4, 3)
    expected = torch.tensor(norm.logpdf(z.double()).sum(axis=1))
    assert_close(make()(c).log_prob(z).detach(), expected, check_dtype=False)


def test_a_learned_normal_finds_the_moments_of_fixed_codes():
    """Its gain over N(0, I) is KL(N(mean, variance) ‖ N(0, I)), as the mathematics has it."""
    z = torch.randn(500, 2) * torch.tensor([0.4, 2.0]) + torch.tensor([1.0, -0.5])
    prior = LearnedNormal(2)
    start = prior(EMPTY).log_prob(z).mean().item()
    optimizer = torch.optim.LBFGS(prior.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -prior(EMPTY).log_prob(z).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    mean, variance = z.double().mean(0), z.double().var(0, correction=0)
    assert_close(prior.loc.detach(), mean, check_dtype=False, atol=1e-3, rtol=0)
    reached = (2 * prior.log_scale.detach()).exp()
    assert_close(reached, variance, check_dtype=False, rtol=1e-3, atol=0)
    gain = prior(EMPTY).log_prob(z).mean().item() - start
    expected = 0.5 * (mean.square() + variance - 1 - variance.log()).sum().item()
    assert gain == pytest.approx(expected, abs=1e-4)


def test_a_conditional_normal_of_a_constant_condition_is_a_learned_normal():
    conditional, learned = shaken(ConditionalNormal(3, condition_dim=1)), LearnedNormal(3)
    features = (conditional.affine.weight[:, 0] + conditional.affine.bias).detach()
    learned.load_state_dict({"loc": features[:3], "log_scale": features[3:]})
    z, c = torch.randn(6, 3), torch.ones(6, 1)
    assert_close(conditional(c).log_prob(z), learned(EMPTY).expand((6,)).log_prob(z))


def test_each_label_has_a_normal_of_its_own():
    prior, z = ConditionalNormal(1, condition_dim=2), torch.randn(2, 1)
    with torch.no_grad():
        prior.affine.weight.copy_(torch.tensor([[5.0, -5.0], [0.0, np.log(3)]]))
    expected = [norm.logpdf(z[0, 0].item(), 5, 1), norm.logpdf(z[1, 0].item(), -5, 3)]
    assert_close(prior(torch.eye(2)).log_prob(z).detach(), torch.tensor(expected).float())
