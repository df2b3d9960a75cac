from functools import partial

import pytest
import torch
from torch import nn

from vae_zoo.networks import MLP, Conv

SHAPES = [(1, 28, 28), (1, 8, 8), (1, 10, 6), (1, 14, 14), (3, 32, 32), (2, 7, 9)]


@pytest.mark.parametrize("family", [MLP, Conv])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("condition_dim", [0, 5])
def test_images_of_any_size_are_encoded_and_decoded_to_the_same_size(family, shape, condition_dim):
    x, c = torch.rand(2, *shape), torch.rand(2, condition_dim)
    encoder = family(in_shape=shape, out_shape=(6,), condition_dim=condition_dim)
    decoder = family(in_shape=(3,), out_shape=shape, condition_dim=condition_dim)
    assert encoder(x, c).shape == (2, 6)
    assert decoder(torch.randn(2, 3), c).shape == (2, *shape)


@pytest.mark.parametrize("family", [MLP, Conv])
def test_every_pixel_and_every_feature_of_the_condition_is_used(family):
    x = torch.rand(4, 1, 8, 8, requires_grad=True)
    c = torch.rand(4, 3, requires_grad=True)
    family(in_shape=(1, 8, 8), out_shape=(5,), condition_dim=3)(x, c).sum().backward()
    assert (x.grad.abs().sum(dim=0) > 0).all()
    assert (c.grad.abs().sum(dim=0) > 0).all()


@pytest.mark.parametrize("family", [MLP, Conv])
def test_every_code_reaches_every_pixel(family):
    network = family(in_shape=(4,), out_shape=(1, 10, 6), condition_dim=0)
    z = torch.randn(40, 4)
    jacobian = torch.autograd.functional.jacobian(
        lambda z: network(z, torch.zeros(1, 0)).sum(dim=0), z
    )
    assert (jacobian.abs().sum(dim=3) > 0).all()


@pytest.mark.parametrize("family", [partial(MLP, hidden=()), partial(Conv, channels=())])
@pytest.mark.parametrize(("shape", "out"), [((1, 2, 2), (3,)), ((3,), (1, 2, 2))])
def test_a_network_without_hidden_layers_is_affine(family, shape, out):
    network, c = family(in_shape=shape, out_shape=out), torch.zeros(1, 0)
    x, y = torch.randn(5, *shape), torch.randn(5, *shape)
    torch.testing.assert_close(network(x, c) + network(y, c), network(x + y, c) + network(0 * x, c))


def test_the_hidden_widths_and_channels_are_those_asked_for():
    layers = MLP(in_shape=(4,), out_shape=(3,), hidden=(7, 5)).layers
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == [7, 5, 3]
    encoder = Conv(in_shape=(1, 16, 16), out_shape=(3,), channels=(4, 6, 8))
    assert [layer.out_channels for layer in encoder.layers[::2]] == [4, 6, 8]
    decoder = Conv(in_shape=(3,), out_shape=(1, 16, 16), channels=(4, 6, 8))
    assert [layer.out_channels for layer in decoder.layers[1::2]] == [6, 4, 1]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu", lambda h: h.clamp(min=0)),
        ("tanh", lambda h: 2 / (1 + (-2 * h).exp()) - 1),
        ("glu", lambda h: h[:, :7] / (1 + (-h[:, 7:]).exp())),
    ],
)
@pytest.mark.parametrize("injection", ["concatenation", "film"])
def test_an_activation_is_between_the_layers_and_not_after_the_last(
    activation, expected, injection
):
    network = MLP((4,), (3,), 2, hidden=(7,), injection=injection, activation=activation)
    first, last = (layer for layer in network.layers if isinstance(layer, nn.Linear))
    x, c = torch.randn(5, 4), torch.randn(5, 2)
    seen = x if injection == "film" else torch.cat([x, c], dim=1)
    torch.testing.assert_close(network(x, c), last(expected(first(seen))))


@pytest.mark.parametrize(
    ("shape", "channels"), [((1, 3, 28), (8, 8)), ((1, 8, 8), (4, 4, 4, 4)), ((64,), (8,))]
)
def test_what_cannot_be_halved_so_often_is_refused(shape, channels):
    times = f"{len(channels)} times"
    with pytest.raises(ValueError, match=f"{times}.* does not allow: give fewer channels"):
        Conv(in_shape=shape, out_shape=(3,), channels=channels)
    with pytest.raises(ValueError, match=f"{times}.* does not allow: give fewer channels"):
        Conv(in_shape=(3,), out_shape=shape, channels=channels)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MLP(in_shape=(4,), out_shape=(2,), hidden=(8, 0)), "hidden"),
        (lambda: MLP(in_shape=(4,), out_shape=(2,), activation="gelu"), "relu, tanh, glu"),
        (lambda: Conv(in_shape=(1, 8, 8), out_shape=(2,), channels=(0,)), "channels"),
    ],
)
def test_layers_without_units_are_refused(make, name):
    with pytest.raises(ValueError, match=name):
        make()
