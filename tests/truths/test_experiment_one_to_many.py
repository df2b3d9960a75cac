"""What section 12 of the experiments computes: the loss of a regression, draws, what may follow."""

import math
from functools import partial

import pytest
import torch
from one_to_many import draw, next_digits
from scipy.integrate import quad
from scipy.stats import norm
from torch.testing import assert_close
from two_modes import closed_loss

from vae_zoo.conditions import Vector
from vae_zoo.data import Digits, Succession
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.priors import ConditionalNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def exact_loss(distance, noise):
    """KL of the two modes from the normal of their mean and variance, by quadrature."""
    normal = norm(0, math.hypot(distance, noise))

    def integrand(x):
        modes = norm.pdf(x, distance, noise) / 2 + norm.pdf(x, -distance, noise) / 2
        return modes * (math.log(modes) - normal.logpdf(x)) if modes > 0 else 0.0

    reach = distance + 30 * noise
    return quad(integrand, -reach, reach, points=[-distance, 0, distance], limit=500)[0]


@pytest.mark.parametrize(("distance", "noise"), [(1.0, 0.1), (3.0, 0.2), (0.5, 0.03)])
def test_a_regression_of_two_modes_that_lie_apart_loses_what_the_closed_form_says(distance, noise):
    assert closed_loss(distance, noise) == pytest.approx(exact_loss(distance, noise), abs=1e-8)


@pytest.mark.parametrize("distance", [0.1, 0.5, 1.0])
def test_of_modes_that_overlap_it_loses_more_than_the_closed_form_which_knows_each_side(distance):
    assert exact_loss(distance, 1.0) > max(0.0, closed_loss(distance, 1.0))


def test_draws_have_the_moments_of_a_linear_model():
    affine = partial(MLP, hidden=())
    model = VAE(
        (3,), 2, KL(), encoder=affine, decoder=affine, prior=ConditionalNormal,
        likelihood=partial(Normal, variance=0.2), condition=Vector, condition_shape=(2,),
    )  # fmt: skip
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    c = torch.tensor([[0.4, -0.7]])
    with torch.no_grad():
        z = model.prior(model.condition(c))
        [layer] = model.decoder.layers
        w, of_c = layer.weight[:, :2], layer.weight[:, 2:]
        mean = w @ z.mean[0] + of_c @ c[0] + layer.bias
        covariance = w @ z.variance[0].diag() @ w.T + 0.2 * torch.eye(3)
    x = draw(model, c.expand(100_000, -1))
    scale = covariance.diagonal().max().item()
    assert_close(x.mean(0), mean, atol=0.02 * scale**0.5, rtol=0)
    assert_close(torch.cov(x.T), covariance, atol=0.03 * scale, rtol=0)


def test_the_digits_that_may_follow_are_those_that_the_data_follow_by_each_half_the_times():
    data = Succession(Digits(), length=3)
    strings = data.digits("test")
    allowed = next_digits(strings[:, :3])
    hits = strings[:, 3:] == allowed
    assert hits.sum(1).eq(1).all()
    assert_close(hits.double().mean(0), torch.tensor([0.5, 0.5]).double())
