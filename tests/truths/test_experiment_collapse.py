"""Where collapse begins, by the curvature of an exact ELBO; and what collapsed models reach."""

import pytest
import torch
from collapse import coin_log_likelihood, threshold
from numpy.polynomial.hermite_e import hermegauss
from scipy.stats import bernoulli
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

NODES, WEIGHTS = (torch.from_numpy(part) for part in hermegauss(20))


@pytest.fixture
def x():
    """Five pixels that share a hidden coin, each to its own degree, and one that is always 0."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.rand(400, 1, generator=generator).double() < 0.4
    own = torch.rand(400, 5, generator=generator).double()
    follows = own < torch.tensor([0.7, 0.5, 0.3, 0.2, 0.1]).double()
    pixels = torch.where(follows, hidden, torch.rand(400, 5, generator=generator) < 0.3).double()
    return torch.cat([pixels, torch.zeros(400, 1).double()], dim=1)


def curvature(x, beta):
    """Least eigenvalue of the Hessian of -ELBO where a VAE of one latent has collapsed.

    Its q(z | x) = N(a·(x - p) + b, s²) and logits are affine; E_q is by Gauss-Hermite quadrature.
    """
    p = x.mean(0)
    k = len(p)

    def loss(theta):
        a, w, shift, (b, log_s) = theta[:k], theta[k : 2 * k], theta[2 * k : 3 * k], theta[3 * k :]
        m, s = (x - p) @ a + b, log_s.exp()
        logits = p.logit() + shift + (m[:, None] + s * NODES)[..., None] * w  # (N, nodes, pixels)
        target = x[:, None].expand_as(logits)
        losses = binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
        kl = 0.5 * (m.square() + s.square() - 1) - log_s
        return (losses @ (WEIGHTS / WEIGHTS.sum()) + beta * kl).mean()

    collapsed = torch.zeros(3 * k + 2).double()
    gradient = torch.autograd.functional.jacobian(loss, collapsed)
    assert gradient.abs().max() < 1e-12
    return torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, collapsed))[0].item()


def test_collapse_is_a_local_optimum_above_the_threshold_and_a_saddle_below_it(x):
    beta = threshold(x)
    assert 1 < beta < 5
    varied = x[:, :5]
    assert curvature(varied, 1.001 * beta) > 0 > curvature(varied, 0.999 * beta)


def test_a_collapsed_decoder_has_the_likelihood_of_coins(x):
    train, test = x[:300], x[300:]
    coins = bernoulli((train.sum(0).numpy() + 0.5) / 301)
    expected = coins.logpmf(test.numpy()).sum(1).mean()
    assert coin_log_likelihood(train, test) == pytest.approx(expected)
    fitted = coin_log_likelihood(train, train)
    for shift in (-0.3, 0.3):  # no other coins do as well on what they were counted on
        logits = train.mean(0).clamp(1e-3).logit() + shift
        others = -(softplus(logits) - train * logits).sum(1).mean().item()
        assert others < fitted
