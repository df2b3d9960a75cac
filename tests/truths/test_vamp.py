"""A VampPrior is the mixture of the posteriors of its pseudo-inputs."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import nn
from torch.testing import assert_close

from vae_zoo.conditions import Image, OneHot
from vae_zoo.networks import MLP
from vae_zoo.posteriors import DiagonalNormal, FlowPosterior, FullNormal
from vae_zoo.priors import NormalMixture, VampPrior
from vae_zoo.regularizers import KL
from vae_zoo.sampling import draw
from vae_zoo.vae import VAE

EMPTY = torch.zeros(1, 0)
X = torch.randn(30, 6)


def model(components=30, condition=None, **options):
    prior = partial(VampPrior, components=components, **options)
    parts = {} if condition is None else {"condition": OneHot, "classes": condition}
    return VAE((6,), 2, KL(), prior=prior, encoder=partial(MLP, hidden=(8,)), **parts)


@torch.no_grad()
def test_with_all_data_as_pseudo_inputs_it_is_the_aggregate_posterior():
    """KL(q(z) ‖ p) = 0: the two densities are one."""
    vae = model(learned=False)
    vae.prior.begin(X, None)
    q = vae.encode(X, EMPTY).base_dist
    z = vae.prior(EMPTY).sample((500,)).double()
    log_q = [
        multivariate_normal(m, torch.diag(s**2)).logpdf(z)
        for m, s in zip(q.loc.double(), q.scale.double(), strict=True)
    ]
    aggregate = torch.tensor(logsumexp(log_q, axis=0) - np.log(len(X)))
    log_prob = vae.prior(EMPTY).log_prob(z.float())
    assert_close(log_prob, aggregate, check_dtype=False, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("posterior", [DiagonalNormal, FullNormal, FlowPosterior])
def test_each_condition_has_the_mixture_of_its_own_posteriors(posterior):
    prior = partial(VampPrior, components=3)
    vae = VAE((6,), 2, KL(), prior=prior, condition=OneHot, classes=3, posterior=posterior)
    c, z = vae.condition(torch.tensor([2, 0, 2, 1])), torch.randn(4, 2)
    p = vae.prior(c)
    assert p.batch_shape == (4,)
    for b in range(4):
        q = vae.encode(vae.prior.inputs, c[b].expand(3, -1))
        expected = q.log_prob(z[b]).logsumexp(0) - np.log(3)
        assert_close(p.log_prob(z)[b], expected)


def test_with_a_constant_condition_it_is_the_unconditional_one():
    conditional, plain = model(components=4, condition=1), model(components=4)
    state = conditional.state_dict()
    for network in ("encoder", "decoder"):
        weight = state[f"{network}.layers.0.weight"]
        bias = f"{network}.layers.0.bias"
        state[bias] = state[bias] + weight[:, -1]
        state[f"{network}.layers.0.weight"] = weight[:, :-1]
    plain.load_state_dict(state)
    z, c = torch.randn(5, 2), conditional.condition(torch.zeros(5, dtype=torch.long))
    assert_close(conditional.prior(c).log_prob(z), plain.prior(EMPTY).expand((5,)).log_prob(z))


@pytest.mark.parametrize("condition", [None, 3])
@pytest.mark.parametrize("by", ["density", "samples"])
def test_gradients_reach_the_pseudo_inputs_and_the_encoder(condition, by):
    vae = model(components=4, condition=condition)
    c = EMPTY if condition is None else vae.condition(torch.tensor([0, 1, 1, 2, 0]))
    p = vae.prior(c).expand((5,))
    (p.log_prob(torch.randn(5, 2)) if by == "density" else draw(p).prod(-1)).sum().backward()
    assert (vae.prior.inputs.grad != 0).all()
    assert (vae.encoder.layers[0].weight.grad != 0).any()


def test_gradients_reach_a_learned_condition_as_if_each_label_were_encoded_anew():
    vae = model(components=3, condition=3)
    c = vae.condition(torch.tensor([2, 0, 2, 2])).requires_grad_()
    z = torch.randn(4, 2)
    vae.prior(c).log_prob(z).sum().backward()
    mean_gradient = c.grad.clone()
    c.grad = None
    for b in range(4):
        q = vae.encode(vae.prior.inputs, c[b].expand(3, -1))
        q.log_prob(z[b]).logsumexp(0).backward()
    assert_close(mean_gradient.sum(0), c.grad.sum(0))


def test_normal_posteriors_make_a_mixture_whose_samples_pass_gradients():
    assert isinstance(model(components=4).prior(EMPTY), NormalMixture)


class Blank(MLP):
    """A network whose features are all alike, for now."""

    def __init__(self, **sizes):
        super().__init__(**sizes, hidden=())
        nn.init.zeros_(self.layers[0].weight)
        nn.init.zeros_(self.layers[0].bias)


def test_learned_conditions_that_happen_to_be_alike_have_gradients_of_their_own():
    condition = partial(Image, network=Blank, features=2)
    prior = partial(VampPrior, components=3)
    shape = (1, 2, 2)
    vae = VAE((6,), 2, KL(), prior=prior, condition=condition, condition_shape=shape).double()
    y, z = torch.randn(4, *shape).double(), torch.randn(4, 2).double()
    weight = vae.condition.network.layers[0].weight

    def log_density():
        return vae.prior(vae.condition(y)).log_prob(z).sum()

    log_density().backward()
    numeric = torch.zeros_like(weight)
    with torch.no_grad():
        for i in range(weight.numel()):
            for step in (1e-6, -1e-6):
                weight.view(-1)[i] += step
                numeric.view(-1)[i] += log_density() / (2 * step)
                weight.view(-1)[i] -= step
    assert_close(weight.grad, numeric, atol=1e-7, rtol=1e-4)
