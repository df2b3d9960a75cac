import re
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.distributions import Independent
from torch.distributions import Normal as NormalDistribution
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP, Conv, Network
from vae_zoo.posteriors import DiagonalNormal, FlowPosterior, FullNormal
from vae_zoo.priors import (
    ConditionalNormal,
    Flow,
    LearnedNormal,
    MixtureOfNormals,
    StandardNormal,
    StudentT,
    VampPrior,
)
from vae_zoo.regularizers import (
    KL,
    MMD,
    InfoVAE,
    NoRegularizer,
    Renyi,
    SlicedWasserstein,
    Sum,
    TotalCorrelation,
)
from vae_zoo.vae import VAE


class WrongSize(Network):
    """Return one feature too many."""

    def __init__(self, in_shape, out_shape, condition_dim):
        super().__init__()
        self.inner = MLP(in_shape, (*out_shape[:-1], out_shape[-1] + 1), condition_dim)

    def forward(self, x, c):
        return self.inner(x, c)


class Broadcast(Network):
    """Return one value for all pixels, which a likelihood would broadcast."""

    def __init__(self, in_shape, out_shape, condition_dim):
        super().__init__()
        self.linear = nn.Linear(in_shape[0], 1)

    def forward(self, x, c):
        return self.linear(x)[..., None, None]


class NarrowNormal(StandardNormal):
    """A prior so narrow that no posterior has a Rényi divergence of order 3 from it."""

    def forward(self, c):
        return Independent(NormalDistribution(self.loc, 0.1 * self.scale), 1)


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_a_network_of_the_wrong_size_is_refused(side):
    size = {"encoder": "(8,), got (9,)", "decoder": "(1, 8, 8), got (1, 8, 9)"}[side]
    with pytest.raises(ValueError, match=re.escape(size)) as caught:
        VAE((1, 8, 8), 4, KL(), **{side: WrongSize})
    assert f"WrongSize does not fit as the {side}" in str(caught.value)


def test_a_decoder_that_would_be_broadcast_is_refused():
    with pytest.raises(ValueError, match=re.escape("should return (1, 8, 8), got (1, 1, 1)")):
        VAE((1, 8, 8), 4, KL(), decoder=Broadcast)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("prior", LearnedNormal(2)),
        ("posterior", DiagonalNormal(2)),
        ("likelihood", Normal((6,))),
        ("encoder", MLP((6,), (4,))),
        ("decoder", MLP((2,), (6,))),
        ("condition", OneHot(3)),
    ],
)
def test_an_object_where_a_class_is_due_is_refused(name, part):
    family = type(part).__name__
    with pytest.raises(TypeError, match=rf"{name} is made by the VAE.* partial\({family}, ...\)"):
        VAE((6,), 2, KL(), **{name: part})


@pytest.mark.parametrize("regularizer", [KL, nn.Identity()])
def test_a_regularizer_that_is_no_regularizer_is_refused(regularizer):
    with pytest.raises(TypeError, match=r"regularizer must be an object, such as KL\(\), got"):
        VAE((6,), 2, regularizer)


@pytest.mark.parametrize("latent_dim", [0, -3])
def test_codes_without_dimensions_are_refused(latent_dim):
    with pytest.raises(ValueError, match=f"latent_dim must be at least 1.*, got {latent_dim}"):
        VAE((6,), latent_dim, KL())


@pytest.mark.parametrize(
    "regularizer",
    [
        NoRegularizer(),
        KL(weight=0.0),
        TotalCorrelation(gamma=0.0),
        InfoVAE(alpha=1.0, lambda_=0.0),
        Sum([NoRegularizer()]),
    ],
    ids=lambda regularizer: regularizer.label,
)
def test_a_learned_prior_that_would_not_learn_is_refused(regularizer):
    with pytest.raises(ValueError, match="does not train a LearnedNormal, which would stay"):
        VAE((6,), 2, regularizer, prior=LearnedNormal)
    VAE((6,), 2, regularizer)


def test_a_loss_that_is_infinite_from_the_start_is_refused():
    with pytest.raises(ValueError, match="Renyi α=3 λ=1 makes the loss inf before any training"):
        VAE((6,), 2, Renyi(alpha=3.0), prior=NarrowNormal)


def test_mmd_refuses_batches_of_one():
    vae = VAE((6,), 2, MMD())
    with pytest.raises(ValueError, match="at least two samples"):
        vae.check(SimpleNamespace(batch_size=1))
    vae.check(SimpleNamespace(batch_size=1), devices=2)
    vae.check(SimpleNamespace(batch_size=2))
    VAE((6,), 2, KL()).check(SimpleNamespace(batch_size=1))


def test_data_that_the_likelihood_cannot_have_made_are_refused():
    with pytest.raises(ValueError, match="Bernoulli is a likelihood of binary data"):
        VAE((6,), 2, KL()).check(SimpleNamespace(support="unit interval", batch_size=4))
    VAE((6,), 2, KL(), likelihood=Normal).check(SimpleNamespace(support="unit interval"))


def test_a_failure_of_a_part_is_told_in_words():
    class Broken(MMD):
        def divergence(self, q, p, z):
            return z @ z

    with pytest.raises(ValueError, match="a step on 8 blank examples fails: RuntimeError: "):
        VAE((6,), 2, Broken())


def test_construction_does_not_depend_on_what_is_rehearsed():
    """The noise after a model is made is the same whatever its divergence draws."""
    states = []
    for regularizer in (KL(), MMD(), SlicedWasserstein()):
        torch.manual_seed(1)
        vae = VAE((6,), 2, regularizer)
        states.append(torch.get_rng_state())
        assert vae.training
        assert vae.encoder.training
    assert all(torch.equal(state, states[0]) for state in states)


@pytest.mark.parametrize(
    "prior",
    [StandardNormal, LearnedNormal, ConditionalNormal, partial(MixtureOfNormals, components=3)],
)
@pytest.mark.parametrize("network", [MLP, Conv])
@pytest.mark.parametrize("likelihood", [Normal, partial(Normal, learned="scalar")])
def test_a_model_comes_back_whole_from_its_state(prior, network, likelihood):
    def make():
        parts = {"encoder": network, "decoder": network, "prior": prior, "likelihood": likelihood}
        return VAE((1, 8, 8), 2, KL(), condition=OneHot, classes=3, **parts)

    vae, other = make(), make()
    for parameter in vae.parameters():
        nn.init.normal_(parameter, std=0.1)
    other.load_state_dict(vae.state_dict())
    x, y, elbos = torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 2, 1, 0]), []
    for model in (vae, other):
        torch.manual_seed(3)
        elbos.append(model(x, y).elbo)
    assert torch.equal(*elbos)


class Counting(MLP):
    """A perceptron behind a batch norm."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x, c):
        return super().forward(self.norm(x), c)


def test_what_is_encoded_apart_is_not_counted_and_still_carries_gradients():
    vae = VAE((6,), 2, KL(), encoder=Counting)
    before = {name: buffer.clone() for name, buffer in vae.encoder.named_buffers()}
    vae.encode_apart(torch.randn(5, 6) + 3, torch.empty(1, 0)).mean.sum().backward()
    assert all(torch.equal(vae.encoder.get_buffer(name), old) for name, old in before.items())
    assert (vae.encoder.layers[0].weight.grad != 0).any()
    vae.encode(torch.randn(5, 6) + 3, torch.empty(1, 0))
    assert not torch.equal(vae.encoder.norm.running_mean, before["norm.running_mean"])


def test_a_model_without_a_latent_dimension_is_a_regression_on_its_condition():
    regression = VAE((6,), 0, KL(), condition=OneHot, classes=3)
    x, y = torch.randint(2, (4, 6)).float(), torch.tensor([0, 1, 2, 1])
    terms = regression(x, y)
    assert_close(terms.kl, torch.zeros(4))
    log_likelihood = regression.decode(torch.empty(4, 0), regression.condition(y)).log_prob(x)
    assert_close(terms.elbo, log_likelihood)
    terms.loss.backward()
    assert (regression.decoder.layers[0].weight.grad != 0).any()
    with pytest.raises(ValueError, match="at least 1, or 0 with a condition, got 0"):
        VAE((6,), 0, KL(), classes=3)


@pytest.mark.parametrize("prior", [MixtureOfNormals, VampPrior, Flow, ConditionalNormal, StudentT])
def test_a_regression_may_keep_its_prior_which_has_no_part_in_it(prior):
    regression = VAE((6,), 0, KL(), condition=OneHot, classes=3, prior=prior)
    x, y = torch.randint(2, (4, 6)).float(), torch.tensor([0, 1, 2, 1])
    assert_close(regression(x, y).kl, torch.zeros(4))


@pytest.mark.parametrize("posterior", [FullNormal, FlowPosterior])
def test_a_posterior_that_a_regression_cannot_have_says_so(posterior):
    with pytest.raises(ValueError, match=f"{posterior.__name__} .* got 0"):
        VAE((6,), 0, KL(), condition=OneHot, classes=3, posterior=posterior)
