"""Likelihoods are densities: they sum or integrate to one, constants included."""

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import norm
from torch.testing import assert_close

from vae_zoo.likelihoods import Bernoulli, Normal


def test_bernoulli_sums_to_one_over_all_binary_images():
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6))).view(-1, 1, 2, 3)
    p = Bernoulli((1, 2, 3))(3 * torch.randn(4, 1, 2, 3))
    log_probs = torch.stack([p.log_prob(image.expand(4, -1, -1, -1)) for image in images])
    assert log_probs.shape == (64, 4)
    assert_close(log_probs.exp().sum(dim=0), torch.ones(4))


def test_bernoulli_reads_its_parameters_as_logits_of_ones():
    p = Bernoulli((1,))(torch.tensor([[2.0]]))
    assert_close(p.log_prob(torch.ones(1, 1)).exp(), torch.tensor([1 / (1 + np.exp(-2.0))]).float())


@pytest.mark.parametrize("variance", [0.25, 2.0])
def test_normal_integrates_to_one(variance):
    p = Normal((2,), variance=variance)(torch.tensor([[0.3, -1.0]]))

    def density(x, y):
        return p.log_prob(torch.tensor([[x, y]], dtype=torch.double)).exp().item()

    total = dblquad(density, -12, 12, -12, 12, epsabs=1e-4)[0]
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("learned", [False, True])
def test_the_log_density_of_normal_includes_its_constant(learned):
    x, loc = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    log_prob = Normal((1, 4, 4), variance=0.3, learned=learned)(loc).log_prob(x)
    expected = norm.logpdf(x.double(), loc.double(), np.sqrt(0.3)).sum(axis=(1, 2, 3))
    assert_close(log_prob.detach(), torch.tensor(expected), check_dtype=False)


def test_the_gradient_of_a_learned_variance_vanishes_at_the_mean_square_error():
    x, loc = torch.randn(50, 6), torch.randn(50, 6)
    variance = (x - loc).square().mean().item()
    for start, sign in ((variance / 2, 1), (variance, 0), (variance * 2, -1)):
        likelihood = Normal((6,), variance=start, learned=True)
        likelihood(loc).log_prob(x).mean().backward()
        gradient = likelihood.log_scale.grad.item()
        assert np.sign(round(gradient, 4)) == sign
