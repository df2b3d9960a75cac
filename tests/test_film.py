"""A condition that modulates hidden layers, in place of joining the input."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import relu
from torch.testing import assert_close

from vae_zoo.conditions import Embedding, OneHot
from vae_zoo.networks import MLP, Conv
from vae_zoo.networks.film import FiLM
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

IMAGE, CODE = (1, 10, 6), (3,)
ENDS = [(IMAGE, CODE), (CODE, IMAGE)]
MLP_FILM = partial(MLP, hidden=(7, 5), injection="film")
CONV_FILM = partial(Conv, channels=(6, 4), injection="film")


def layers_of(network):
    return [layer for layer in network.modules() if isinstance(layer, FiLM)]


def shaken(network):
    for layer in layers_of(network):
        nn.init.normal_(layer.affine.weight)
        nn.init.normal_(layer.affine.bias)
    return network


def test_units_and_channels_are_scaled_and_shifted_by_what_is_affine_in_the_condition():
    film, c = FiLM(condition_dim=2, features=3), torch.randn(4, 2)
    nn.init.normal_(film.affine.weight)
    gamma, beta = c @ film.affine.weight[:3].T, c @ film.affine.weight[3:].T
    h, image = torch.randn(4, 3), torch.randn(4, 3, 5, 2)
    assert_close(film(h, c), (1 + gamma) * h + beta)
    for i in range(5):
        assert_close(film(image, c)[:, :, i, 1], (1 + gamma) * image[:, :, i, 1] + beta)


def test_every_hidden_layer_is_modulated_before_its_relu():
    mlp = shaken(MLP(in_shape=(4,), out_shape=(2,), condition_dim=3, hidden=(5,), injection="film"))
    x, c = torch.randn(6, 4), torch.randn(6, 3)
    first, film, _, last = mlp.layers
    assert_close(mlp(x, c), last(relu(film(first(x), c))))
    for network, widths in ((MLP_FILM, [7, 5]), (CONV_FILM, [6, 4])):
        for number, (start, end) in enumerate(ENDS):
            films = layers_of(network(in_shape=start, out_shape=end, condition_dim=3))
            order = widths[::-1] if network is CONV_FILM and number else widths
            assert [film.affine.out_features for film in films] == [2 * width for width in order]


@pytest.mark.parametrize("network", [MLP_FILM, CONV_FILM])
@pytest.mark.parametrize(("start", "end"), ENDS)
def test_it_starts_as_the_network_without_a_condition(network, start, end):
    film = network(in_shape=start, out_shape=end, condition_dim=3)
    plain = partial(network.func, **{**network.keywords, "injection": "concatenation"})
    bare = plain(in_shape=start, out_shape=end, condition_dim=0)
    weights = [p for name, p in film.named_parameters() if "affine" not in name]
    for own, other in zip(bare.parameters(), weights, strict=True):
        own.data = other.data
    x = torch.randn(4, *start)
    assert_close(film(x, torch.randn(4, 3)), bare(x, torch.zeros(1, 0)))


@pytest.mark.parametrize("network", [MLP_FILM, CONV_FILM])
@pytest.mark.parametrize(("start", "end"), ENDS)
def test_every_feature_of_the_condition_changes_the_output_of_its_own_example(network, start, end):
    film = shaken(network(in_shape=start, out_shape=end, condition_dim=3))
    x, c = torch.randn(4, *start), torch.randn(4, 3, requires_grad=True)
    film(x, c)[1].sum().backward()
    assert (c.grad[1] != 0).all()
    assert (c.grad[[0, 2, 3]] == 0).all()


@pytest.mark.parametrize("network", [MLP_FILM, CONV_FILM])
@pytest.mark.parametrize("condition", [OneHot, Embedding])
def test_a_conditional_model_learns_its_modulation(network, condition):
    vae = VAE(IMAGE, 2, KL(), encoder=network, decoder=network, condition=condition, classes=3)
    vae(torch.rand(5, *IMAGE).round(), torch.tensor([0, 1, 2, 0, 1])).loss.backward()
    films = layers_of(vae)
    assert len(films) == 4
    for film in films:
        assert (film.affine.bias.grad != 0).any()
        assert (film.affine.weight.grad != 0).any()


def test_a_regression_is_modulated_too():
    parts = {"condition": OneHot, "classes": 3, "encoder": MLP_FILM, "decoder": MLP_FILM}
    vae = VAE((4,), 0, KL(), **parts)
    shaken(vae.decoder)
    x = torch.ones(2, 4)
    a, b = vae(x, torch.tensor([0, 1])).reconstruction
    assert a != b


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP((4,), (2,), 0, injection="film"), "there is none: give the model one"),
        (lambda: Conv(IMAGE, (2,), 0, injection="film"), "there is none: give the model one"),
        (lambda: MLP((4,), (2,), 3, hidden=(), injection="film"), "give some by hidden"),
        (lambda: Conv(IMAGE, (2,), 3, channels=(), injection="film"), "give some by channels"),
        (lambda: MLP((4,), (2,), 3, injection="gate"), "must be concatenation or film, got 'gate'"),
        (lambda: Conv(IMAGE, (2,), 3, injection="gate"), "must be concatenation or film, got"),
        (lambda: VAE((4,), 2, KL(), encoder=MLP_FILM), "give the model one, such as --model.cond"),
    ],
)
def test_what_film_cannot_do_is_refused(make, message):
    with pytest.raises(ValueError, match=f"injection .*{message}"):
        make()
