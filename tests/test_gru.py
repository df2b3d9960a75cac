import pytest
import torch

from vae_zoo.networks import GRU

EMPTY = torch.zeros(1, 0)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_token_and_every_feature_of_the_condition_is_used(bidirectional):
    network = GRU((6, 4), (2, 3), condition_dim=5, hidden=7, bidirectional=bidirectional)
    x, c = torch.rand(4, 6, 4, requires_grad=True), torch.rand(4, 5, requires_grad=True)
    y = network(x, c)
    assert y.shape == (4, 2, 3)
    y.sum().backward()
    assert (x.grad.abs() > 0).all()
    assert (c.grad.abs() > 0).all()


def test_the_order_of_the_tokens_counts():
    network, x = GRU((6, 4), (3,), hidden=7), torch.rand(4, 6, 4)
    assert not torch.allclose(network(x, EMPTY), network(x.flip(1), EMPTY))


def test_the_width_is_that_asked_for_and_two_directions_have_twice_the_states():
    for bidirectional, states in ((False, 7), (True, 14)):
        network = GRU((6, 4), (3,), condition_dim=2, hidden=7, bidirectional=bidirectional)
        assert network.affine.in_features == states + 2


def test_read_from_both_ends_the_reverse_of_a_sequence_only_swaps_the_states():
    network, x = GRU((6, 4), (14,), hidden=7, bidirectional=True), torch.rand(2, 6, 4)
    weights = network.gru.state_dict()
    for name in [name for name in weights if not name.endswith("_reverse")]:
        weights[f"{name}_reverse"] = weights[name]
    network.gru.load_state_dict(weights)
    torch.nn.init.eye_(network.affine.weight)
    torch.nn.init.zeros_(network.affine.bias)
    swapped = network(x.flip(1), EMPTY).view(2, 2, 7).flip(1).flatten(1)
    torch.testing.assert_close(network(x, EMPTY), swapped)


@pytest.mark.parametrize("shape", [(1, 8, 8), (12,)])
def test_what_is_no_sequence_is_refused(shape):
    with pytest.raises(ValueError, match=r"encodes sequences, of shape \(T, V\), and has an input"):
        GRU(shape, (3,))


def test_a_state_without_units_is_refused():
    with pytest.raises(ValueError, match=r"hidden must be positive widths, got \[0\]"):
        GRU((6, 4), (3,), hidden=0)
