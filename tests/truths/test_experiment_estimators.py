"""Section 10 of the experiments: variances of gradients that are known, and means that are one."""

from functools import partial

import estimators
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from vae_zoo.networks import MLP
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def moment(h):
    """E h(z) of z ~ N(0, 1)."""
    return quad(lambda z: h(z) * norm.pdf(z), -12, 12)[0]


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("reparameterised", lambda z: 2 * (z - 2)),
        ("score", lambda z: (z - 2) ** 2 * z),
        ("score, minus E f", lambda z: ((z - 2) ** 2 - 5) * z),
        ("score, minus the best constant", lambda z: ((z - 2) ** 2 - 7) * z),
    ],
)
def test_the_variances_are_those_of_quadrature(name, one):
    assert moment(one) == pytest.approx(-4)
    variance = moment(lambda z: (one(z) + 4) ** 2)
    assert estimators.exact_variances(2)[name] == pytest.approx(variance / 2)


def test_no_constant_has_less_variance_than_the_best():
    exact = estimators.exact_variances(5)["score, minus the best constant"]
    for b in (0.0, 5.0, 6.9, 7.1, 9.0):
        variance = moment(lambda z, b=b: ((((z - 2) ** 2 - b) * z) + 4) ** 2)
        assert exact < variance / 5 + 1e-12


@pytest.mark.parametrize("samples", [2, 5])
def test_draws_have_the_means_and_the_variances_that_are_exact(samples):
    torch.manual_seed(0)
    exact = estimators.exact_variances(samples)
    for name, drawn in estimators.toy_estimates(samples, 200_000).items():
        error = (exact[name] / len(drawn)) ** 0.5
        assert drawn.mean().item() == pytest.approx(-4, abs=4 * error), name
        assert drawn.var().item() == pytest.approx(exact[name], rel=0.05), name


def test_the_others_leave_their_own_sample_out():
    f = torch.tensor([[1.0], [2.0], [6.0]])
    assert estimators.others(f).flatten().tolist() == [4.0, 3.5, 1.5]


def test_all_gradients_of_a_model_have_one_mean(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(estimators, "DRAWS", 800)
    affine = partial(MLP, hidden=())
    model = VAE((4,), 2, KL(), encoder=affine, decoder=affine)
    x = torch.rand(3, 4).round()
    known = estimators.estimators() | {"K = 1": estimators.weighted(1, False)}
    drawn = {n: estimators.encoder_gradients(model, x, one) for n, one in known.items()}
    first = drawn["reparameterised"]
    for name, each in drawn.items():
        noise = ((first.var(0) + each.var(0)) / 800).sqrt()
        assert ((each.mean(0) - first.mean(0)).abs() < 4.5 * noise + 1e-9).all(), name
    assert first.var(0).sum() < drawn["score, minus the mean of the others"].var(0).sum()
