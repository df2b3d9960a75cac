"""What section 1 of the experiments shows of KL: limits and errors that scipy and torch know."""

import math

import numpy as np
import pytest
import torch
from kl import ONE, OTHER, WIDTHS, P, Q, binned_kl, discrete_kl, exact_kl, log_ratios, sampled_kl
from scipy.integrate import quad
from scipy.stats import entropy
from torch.distributions import Normal


@pytest.mark.parametrize(
    ("source", "limit"), [(ONE, entropy(ONE, OTHER)), (OTHER, -entropy(OTHER, ONE))]
)
def test_the_ratio_of_a_sequence_tends_to_the_kl_or_to_minus_the_other_one(source, limit):
    terms = np.log(ONE / OTHER)
    deviation = math.sqrt(source @ (terms - limit) ** 2)
    for length in (1, 100, 10_000):
        ratios = log_ratios(source, length, 4000, np.random.default_rng(0))
        error = deviation / math.sqrt(length)
        assert ratios.mean() == pytest.approx(limit, abs=4 * error / math.sqrt(4000))
        assert ratios.std() == pytest.approx(error, rel=0.1)


def test_the_kl_of_symbols_is_scipys():
    assert discrete_kl(ONE, OTHER) == pytest.approx(entropy(ONE, OTHER))
    assert discrete_kl(np.array([0.5, 0.5, 0.0]), OTHER) == pytest.approx(
        entropy([0.5, 0.5, 0.0], OTHER)
    )


def test_finer_bins_tell_more_and_at_last_what_the_densities_do():
    by_width = [binned_kl(width) for width in WIDTHS]
    known = torch.distributions.kl_divergence(
        *(Normal(torch.tensor(d.mean()), torch.tensor(d.std())) for d in (Q, P))
    ).item()
    assert exact_kl() == pytest.approx(known)
    assert by_width == sorted(by_width)
    assert by_width[-1] < known
    assert by_width[-1] == pytest.approx(known, abs=5e-4)
    assert binned_kl(1 / 64) == pytest.approx(known, abs=1e-5)


def test_samples_have_the_kl_in_the_mean_with_an_error_that_falls_as_the_root_of_their_number():
    def second_moment(z):
        return Q.pdf(z) * (Q.logpdf(z) - P.logpdf(z) - exact_kl()) ** 2

    deviation = math.sqrt(quad(second_moment, -12, 12)[0])
    for samples in (10, 1000):
        means = sampled_kl(samples, 2000, np.random.default_rng(0))
        error = deviation / math.sqrt(samples)
        assert means.mean() == pytest.approx(exact_kl(), abs=4 * error / math.sqrt(2000))
        assert means.std() == pytest.approx(error, rel=0.1)
