"""Grey values are drawn from what they should be drawn from."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from vae_zoo.data.binarization import binarize, dequantize


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_dequantized_level_is_uniform_on_its_own_interval(level):
    x = dequantize(torch.full((20_000,), level, dtype=torch.uint8), np.random.default_rng(0))
    assert x.dtype == torch.float32
    assert kstest(x.double().numpy() * 256 - level, "uniform").pvalue > 0.01


def test_dequantized_extremes_lie_inside_the_unit_interval():
    class Extremes:
        def integers(self, high, size, dtype):
            return np.array([0, high - 1], dtype)

    x = dequantize(torch.tensor([0, 255], dtype=torch.uint8), Extremes())
    assert 0 < x[0] < 2**-20
    assert 1 - 2**-20 < x[1] < 1


def test_a_density_of_dequantized_levels_bounds_their_log_probability():
    """E_u log p((k + u) / 256) <= ln 256 ∫ p, over the interval of the level k."""
    p, levels = norm(0.4, 0.006), np.array([99, 101, 102, 103, 105])
    draws = dequantize(torch.from_numpy(levels).byte().repeat(20_000, 1), np.random.default_rng(1))
    bound = p.logpdf(draws.double().numpy()).mean(axis=0)
    exact = np.log(p.cdf((levels + 1) / 256) - p.cdf(levels / 256)) + np.log(256)
    assert (bound < exact).all()
    assert (bound > exact - 0.5).all()


def test_the_mean_of_the_draws_is_the_grey_float():
    draws, p = 20_000, torch.tensor([0.0, 1e-3, 0.3, 0.9, 1.0])
    x = binarize(p.repeat(draws, 1), np.random.default_rng(0))
    assert x.dtype == torch.uint8
    error = (p * (1 - p) / draws).sqrt()
    assert ((x.float().mean(0) - p).abs() <= 4 * error).all()  # exact for black and white
