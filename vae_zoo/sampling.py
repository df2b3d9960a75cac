"""Samples that carry gradients, from a prior and from the other ranks; draws that ranks share."""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributions import Distribution, Independent
from torch.nn.functional import normalize


def draw(p: Distribution) -> Tensor:
    """Sample ``p`` so that gradients reach its parameters, lest a learned prior stay as it was.

    Returns:
        One sample per example, of shape ``(B, D)``.

    Raises:
        ValueError: ``p`` passes no gradients through its samples.
    """
    if not p.has_rsample:
        family = p.base_dist if isinstance(p, Independent) else p
        raise ValueError(
            f"the prior, a {type(family).__name__}, passes no gradients through its samples, so a "
            "regularizer that compares samples cannot train it: use --model.regularizer KL, or "
            "--model.prior StandardNormal or LearnedNormal"
        )
    return p.rsample()


def gather(x: Tensor) -> Tensor:
    """Stack the examples of all ranks, so that gradients flow back to the rank they came from.

    Each of R ranks then computes the same loss of the same codes. The gather sums the gradients of
    the R losses and DDP averages over R, so R devices with B examples each train as one with R·B.

    Args:
        x: This rank's examples, of shape ``(B, ...)``. Where gradients are computed, B is the same
            on every rank; in an evaluation it may differ.

    Returns:
        The examples of all ranks, of shape ``(R·B, ...)``.
    """
    if not _several_ranks():
        return x
    if not torch.is_grad_enabled():
        return _gather_uneven(x)
    return _Gather.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def average(x: Tensor) -> Tensor:
    """Average over ranks what each has found of its own examples; no gradient passes.

    Args:
        x: Numbers of the same shape on all ranks.
    """
    if not _several_ranks():
        return x
    total = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def directions(number: int, like: Tensor) -> Tensor:
    """Draw unit vectors uniformly on the sphere, the same on all ranks.

    Args:
        number: Number P of vectors.
        like: Codes of shape ``(B, D)``, which give dimension, type and device.

    Returns:
        The vectors, of shape ``(P, D)``.
    """
    vectors = like.new_empty(number, like.shape[1]).normal_()  # directions of normals are uniform
    if _several_ranks():
        distributed.broadcast(vectors, src=0)
    return normalize(vectors, dim=1)


def permute_dimensions(x: Tensor) -> Tensor:
    """Permute each dimension over the examples on its own, alike on all ranks.

    Args:
        x: Examples of all ranks, of shape ``(N, D)``.

    Returns:
        Samples of the product of the marginals, of shape ``(N, D)``.
    """
    noise = torch.rand_like(x, dtype=torch.float)
    if _several_ranks():
        distributed.broadcast(noise, src=0)
    return x.gather(0, noise.argsort(dim=0))


def _several_ranks() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _gather_uneven(x: Tensor) -> Tensor:
    """Stack parts of different sizes: padded to the largest on the way, and cut again."""
    ranks = distributed.get_world_size()
    size = torch.tensor([len(x)], device=x.device)
    sizes = [torch.empty_like(size) for _ in range(ranks)]
    distributed.all_gather(sizes, size)
    counts = [int(size) for size in sizes]
    padded = x.new_zeros(max(counts), *x.shape[1:])
    padded[: len(x)] = x
    parts = [torch.empty_like(padded) for _ in range(ranks)]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


class _Gather(torch.autograd.Function):  # torch.distributed.nn's own is deprecated
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        stack = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(stack, x.contiguous())
        return torch.cat(stack)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
