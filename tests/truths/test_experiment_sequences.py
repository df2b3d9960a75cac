"""What section 14 of the experiments computes: squared errors, counts, the losses of tokens."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from pixels import AVERAGED, SUMMED, directions, squared_error
from scipy.stats import norm
from sequences import code_length, count_model, token_losses
from torch.nn.functional import mse_loss, one_hot
from torch.testing import assert_close

from vae_zoo.data import LinearGaussian, MarkovChain
from vae_zoo.likelihoods import Tokens


@pytest.mark.parametrize(("variance", "reduction"), [(SUMMED, "sum"), (AVERAGED, "mean")])
def test_the_squared_error_of_64_pixels_is_a_normal_of_a_variance_that_its_reduction_names(
    variance, reduction
):
    x, mean = torch.rand(5, 1, 8, 8).double(), torch.rand(5, 1, 8, 8).double()
    surprise = torch.from_numpy(-norm.logpdf(x, mean, math.sqrt(variance))).sum((1, 2, 3))
    constant = 32 * math.log(2 * math.pi * variance)
    losses = torch.stack(
        [mse_loss(*pair, reduction=reduction) for pair in zip(mean, x, strict=True)]
    )
    assert_close(surprise, losses + constant)
    assert_close(squared_error(x, mean) / (2 * variance), losses)


@pytest.mark.parametrize("variance", [0.05, 0.5, 1.5, 32.0])
def test_a_linear_vae_uses_as_many_directions_as_have_more_variance_than_the_likelihood(variance):
    data = LinearGaussian()
    optimum = data.water_filling(len(data.eigenvalues), 1.0, variance)
    root = torch.linalg.cholesky(data.covariance)
    n = len(root)
    x = math.sqrt(2 * n - 1) * torch.cat([root.T, -root.T]) / math.sqrt(2)  # of that covariance
    assert_close(torch.cov(x.T), data.covariance)
    assert directions(x, variance) == optimum.active_units


def test_counts_are_probabilities_in_every_context():
    text = np.random.default_rng(0).integers(4, size=300)
    for strength in (0.5, 20.0):
        for n, model in enumerate(count_model(text, 2, 4, strength)):
            assert model.shape == (4,) * (n + 1)
            np.testing.assert_allclose(model.sum(-1), 1.0)


def test_counts_are_those_of_the_text_drawn_to_those_of_the_shorter_context():
    text = [0, 1, 1, 0, 1, 2, 1, 1]
    one, two, three = count_model(np.array(text), 2, 3, 2.0)
    np.testing.assert_allclose(one, [(2 + 2 / 3) / 10, (5 + 2 / 3) / 10, (1 + 2 / 3) / 10])
    for a, b in product(range(3), repeat=2):
        seen = sum(pair == (a, b) for pair in pairwise(text))
        assert two[a, b] == pytest.approx((seen + 2 * one[b]) / (text[:-1].count(a) + 2))
    seen = sum(triple == (1, 1, 0) for triple in zip(text, text[1:], text[2:], strict=False))
    pairs = sum(pair == (1, 1) for pair in pairwise(text[:-1]))
    assert three[1, 1, 0] == pytest.approx((seen + 2 * two[1, 0]) / (pairs + 2))


def test_counts_of_pairs_of_a_chain_come_to_its_own_likelihood_and_longer_ones_no_further():
    data = MarkovChain(states=4, length=5000, train=8)
    train, test = data.splits.train.x[0].numpy(), data.splits.test.x
    windows = test.reshape(-1, 20)
    truth = -data.log_likelihood(one_hot(windows.long(), 4)).mean().item() / 20 / math.log(2)
    lengths = [code_length(count_model(train, n, 4, 1.0), windows.numpy()) for n in range(3)]
    assert lengths[0] > truth + 0.1
    assert lengths[1] == pytest.approx(truth, abs=0.005)
    assert truth - 0.005 < lengths[2] < truth + 0.02  # more counts, that are fewer each


def test_the_losses_of_tokens_sum_to_what_the_likelihood_says():
    likelihood = Tokens((6, 5), features=3, hidden=7).eval()
    features, tokens = torch.randn(4, 3), torch.randint(5, (4, 6))
    losses = token_losses(likelihood, features, tokens)
    x = one_hot(tokens, 5).float()
    assert_close(losses.sum(1), -likelihood(features).log_prob(x))
    changed = tokens.clone()
    changed[:, 4] = (tokens[:, 4] + 1) % 5
    assert_close(token_losses(likelihood, features, changed)[:, :4], losses[:, :4])
