"""How the manifolds of two sets of features overlap: precision, recall, density, coverage."""

from typing import NamedTuple

import torch
from torch import Tensor

NUMBERS = 2**20  # distances at once


class Overlap(NamedTuple):
    """What k nearest neighbours say of N real and M generated examples, one by one.

    A ball around an example reaches to its k-th nearest other one; a manifold is the union of the
    balls of a set. The means over examples are the scores of those names.
    """

    precision: Tensor  # (M,) whether a generated example lies in the real manifold
    recall: Tensor  # (N,) whether a real one lies in the generated manifold
    density: Tensor  # (M,) number of real balls that a generated example lies in, over k
    coverage: Tensor  # (N,) whether a real ball holds a generated example


def overlap(real: Tensor, generated: Tensor, neighbours: int = 5) -> Overlap:
    """Compare the manifolds of real and generated examples.

    Outliers blow up a manifold, and precision, or recall, with it. Density counts balls, so that a
    few large ones weigh little, and may exceed 1; coverage has balls of real examples alone. Where
    both sets are of one distribution, density is 1 in the mean, and coverage about 1 - 2^-k.

    Args:
        real: Features ``(N, F)``.
        generated: Features ``(M, F)``.
        neighbours: Number k of neighbours that a ball reaches to.

    Raises:
        ValueError: There is no neighbour, or a set has too few.

    References:
        Kynkäänniemi, Karras, Laine, Lehtinen and Aila, Improved Precision and Recall Metric for
        Assessing Generative Models, 2019, eq. 1 and 2. https://arxiv.org/abs/1904.06991
        Naeem, Oh, Uh, Choi and Yoo, Reliable Fidelity and Diversity Metrics for Generative Models,
        2020, sec. 3.2. https://arxiv.org/abs/2002.09797
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1, got {neighbours}")
    if min(len(real), len(generated)) <= neighbours:
        raise ValueError(
            f"{neighbours} neighbours need more than {neighbours} examples of each set, got "
            f"{len(real)} and {len(generated)}"
        )
    centre = real.double().mean(0)  # distances far from the origin would be rounded away
    real, generated = real.double() - centre, generated.double() - centre
    reach, generated_reach = _reach(real, neighbours), _reach(generated, neighbours)
    counts, recall, coverage = [], [], []
    for rows, limits in zip(_split(generated, real), _split(generated_reach, real), strict=True):
        distances = _squared_distances(rows, real)  # (R, N)
        inside = distances <= reach
        counts.append(inside.sum(1))
        recall.append((distances <= limits[:, None]).any(0))
        coverage.append(inside.any(0))
    balls = torch.cat(counts)
    return Overlap(
        precision=balls > 0,
        recall=torch.stack(recall).any(0),
        density=balls / neighbours,
        coverage=torch.stack(coverage).any(0),
    )


def _reach(x: Tensor, neighbours: int) -> Tensor:
    """Squared radii of the balls ``(N,)``, closed: they hold the neighbour that they reach to."""
    parts = [
        # The nearest is the example itself.
        _squared_distances(rows, x).topk(neighbours + 1, largest=False).values[:, -1]
        for rows in _split(x, x)
    ]
    # So that a distance that is equal stays so, however it is rounded.
    return torch.cat(parts) * (1 + 1e-5) + 1e-11 * x.square().sum(1).mean()


def _split(rows: Tensor, others: Tensor) -> tuple[Tensor, ...]:
    return torch.split(rows, max(1, NUMBERS // len(others)))


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:  # (N, M)
    # Expanded, so that no tensor of shape (N, M, F) is made.
    squares = torch.addmm(y.square().sum(1), x, y.T, alpha=-2)
    return squares.add_(x.square().sum(1, keepdim=True))
