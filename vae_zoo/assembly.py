"""How the VAE makes its parts: from classes, to the sizes that it alone knows."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn

from vae_zoo.networks import Network, NetworkFactory

Part = TypeVar("Part", bound=nn.Module)


def make(what: str, factory: Callable[..., Part], **sizes: Any) -> Part:
    """Call the factory of a part with the sizes that the VAE knows."""
    if isinstance(factory, nn.Module):
        name = type(factory).__name__
        raise TypeError(
            f"{what} is made by the VAE, which knows the sizes: give it {name} or "
            f"partial({name}, ...), not an object"
        )
    if not callable(factory):
        raise TypeError(f"{what} must be a class, or a partial of one, got {factory!r:.80}")
    with warnings.catch_warnings():  # of a model without a latent dimension
        warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
        return factory(**sizes)


def make_network(
    what: str,
    factory: NetworkFactory,
    in_shape: Sequence[int],
    out_shape: Sequence[int],
    condition_dim: int,
) -> Network:
    """Make a network, and refuse one whose output a likelihood would broadcast in silence."""
    network = make(
        what, factory, in_shape=in_shape, out_shape=out_shape, condition_dim=condition_dim
    )
    x, c = torch.zeros(2, *in_shape), torch.zeros(2, condition_dim)
    with torch.no_grad(), isolate_rng():
        shape = tuple(network.eval()(x, c).shape[1:])
    if shape != tuple(out_shape):
        raise ValueError(
            f"{type(network).__name__} does not fit as the {what}: for inputs of shape "
            f"{tuple(in_shape)} it should return {tuple(out_shape)}, got {shape}"
        )
    return network.train()
