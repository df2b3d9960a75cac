"""Two values of x for each y."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest, norm
from torch.testing import assert_close

from vae_zoo.data import TwoModes


@pytest.mark.parametrize("y", [-0.7, 0.2])
def test_the_density_integrates_to_one_and_is_that_of_two_normals(y):
    data = TwoModes(distance=0.5, noise=0.3)

    def density(x):
        return data.log_likelihood(torch.tensor([[x]]), torch.tensor([[y]])).exp().item()

    assert quad(density, -6, 6)[0] == pytest.approx(1, abs=1e-6)
    modes = np.sin(np.pi * y) + np.array([-0.5, 0.5])
    assert density(0.4) == pytest.approx(norm.pdf(0.4, modes, 0.3).mean())


def test_examples_follow_the_density():
    data = TwoModes(distance=2.0, noise=0.3)
    x, y = (part.squeeze(1).double().numpy() for part in data.splits.train)
    residual = x - np.sin(np.pi * y)
    side = np.sign(residual)
    assert kstest(y, "uniform", (-1, 2)).pvalue > 0.01
    assert kstest((residual - 2 * side) / 0.3, "norm").pvalue > 0.01
    assert abs(side.mean()) < 3 / np.sqrt(len(x))
    assert abs(np.corrcoef(side, y)[0, 1]) < 3 / np.sqrt(len(x))


def test_sizes_are_those_asked_for_and_the_seed_decides_the_examples():
    data = TwoModes(train=40, data_seed=1, batch_size=10)
    assert (data.shape, data.condition_shape, data.support) == ((1,), (1,), "real")
    assert [len(split.x) for split in data.splits] == [40, 10, 10]
    torch.manual_seed(9)
    again, other = TwoModes(train=40, data_seed=1), TwoModes(train=40, data_seed=2)
    assert_close(again.splits.test.x, data.splits.test.x)
    assert not torch.equal(other.splits.test.x, data.splits.test.x)
    x, y = next(iter(data.train_dataloader()))
    assert x.shape == y.shape == (10, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": 0.0}, "distance must be positive, got 0.0"),
        ({"noise": -1.0}, "noise must be positive, got -1.0"),
        ({"noise": float("inf")}, "noise must be positive, got inf"),
        ({"train": 3}, "train must be at least 4, got 3"),
        ({"data_seed": -1}, "data_seed must be non-negative, got -1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TwoModes(**options)
