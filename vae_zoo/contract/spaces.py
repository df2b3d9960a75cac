"""Where densities live: points to sum them over, and cells to count their samples in."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

SIDE = 240  # points in each of two dimensions
CELLS = 8  # likewise
CHUNK = 1_000  # points at once
FEWEST = 5  # samples that are expected in a cell
HUGE = 300.0  # of a logarithm, so that products are finite
UNLIKELY = 1e-6


class Space(NamedTuple):
    """A sum that stands for an integral, exactly where there are finitely many points.

    Args:
        points: The points, of shape ``(M, *X)``.
        weights: The volume at each, of shape ``(M,)``.
        cells: The number of the cell of each, of shape ``(M,)``.
        find: Finds the cells of samples ``(N, *X)``.
    """

    points: Tensor
    weights: Tensor
    cells: Tensor
    find: Callable[[Tensor], Tensor]

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Points and weights, as many as fit into memory at once."""
        for start in range(0, len(self.points), CHUNK):
            yield self.points[start : start + CHUNK], self.weights[start : start + CHUNK]

    def density(self, log_prob: Callable[[Tensor], Tensor]) -> Tensor:
        """The mass at each point, of shape ``(M,)``; NaN where the log-density is."""
        parts = [log_prob(points) for points, _ in self.chunks()]
        return torch.cat(parts).double().exp() * self.weights


def plane(samples: Tensor, side: int = SIDE) -> Space:
    """All of R², finest where samples ``(N, 2)`` lie, so that heavy tails are not cut off."""
    low, centre, high = samples.quantile(samples.new_tensor([0.25, 0.5, 0.75]), dim=0)
    spread = (high - low).clamp(min=1e-6)
    points, _ = _lattice(side)
    z = centre + spread * (math.pi * (points - 0.5)).tan()
    slope = math.pi * spread * (1 + ((z - centre) / spread).square())

    def find(x: Tensor) -> Tensor:
        return _cells(0.5 + ((x - centre) / spread).atan() / math.pi)

    return Space(z, slope.prod(dim=1) / side**2, _cells(points), find)


def square(samples: Tensor) -> Space:
    """The unit square, finest where samples ``(N, 2)`` lie: as a plane of logits."""
    logits = plane(to_logits(samples))
    slope = logits.points.sigmoid() * (-logits.points).sigmoid()
    weights = logits.weights * slope.prod(dim=1)
    return Space(
        from_logits(logits.points), weights, logits.cells, lambda x: logits.find(to_logits(x))
    )


def quadrant(samples: Tensor) -> Space:
    """All pairs of positive numbers, finest where samples ``(N, 2)`` lie: a plane of logarithms."""
    logs = plane(samples.log())
    points = logs.points.clamp(-HUGE, HUGE).exp()
    return Space(points, logs.weights * points.prod(1), logs.cells, lambda x: logs.find(x.log()))


def to_logits(x: Tensor) -> Tensor:
    """The logits of numbers in [0, 1], of which the ends are moved inside."""
    return _inside(x).logit()


def from_logits(logits: Tensor) -> Tensor:
    """The numbers of logits, none of them rounded to 0 or 1, where a density may be infinite."""
    return _inside(logits.sigmoid())


def _inside(x: Tensor) -> Tensor:
    precision = torch.finfo(x.dtype)
    return x.clamp(precision.tiny, 1 - precision.eps)


def levels() -> Space:
    """All pairs of 256 levels."""
    axis = torch.arange(256).double() / 255
    points = torch.cartesian_prod(axis, axis)
    return Space(points, torch.ones(len(points)).double(), _cells(points), _cells)


def binary() -> Space:
    """All pairs of 0 and 1."""
    points = torch.tensor([*itertools.product((0.0, 1.0), repeat=2)]).double()
    return Space(points, torch.ones(4).double(), _cells(points), _cells)


def sequences(length: int, vocabulary: int) -> Space:
    """All sequences of one-hot tokens, each a cell of its own."""
    numbers = torch.tensor([*itertools.product(range(vocabulary), repeat=length)])
    points = torch.eye(vocabulary).double()[numbers]
    places = vocabulary ** torch.arange(length).flip(0)

    def find(x: Tensor) -> Tensor:
        return (x.argmax(-1) * places).sum(-1)

    return Space(points, torch.ones(len(points)).double(), find(points), find)


def _lattice(side: int) -> tuple[Tensor, Tensor]:
    axis = (torch.arange(side).double() + 0.5) / side
    return torch.cartesian_prod(axis, axis), torch.full((side**2,), 1 / side**2).double()


def _cells(points: Tensor) -> Tensor:
    first, second = (points * CELLS).long().clamp(0, CELLS - 1).unbind(dim=1)
    return first * CELLS + second


def chance(space: Space, density: Tensor, samples: Tensor) -> float:
    """How likely samples are at least as uneven as these, if they are of the density.

    By a chi-squared test of the cells. The density is divided by its sum, which is judged apart;
    where it is NaN, it has no mass.

    Args:
        space: Where the samples lie.
        density: The mass at each of its points.
        samples: Samples of the density, ``(N, *X)``.
    """
    number = int(space.cells.max()) + 1
    found = space.find(samples)
    counts = torch.bincount(found, minlength=number)[:number].double().numpy()
    known = density.nan_to_num(nan=0.0, posinf=torch.inf)
    mass = torch.zeros(number).double().index_add(0, space.cells, known).numpy()
    if not 0 < mass.sum() < np.inf:
        return 0.0
    expected = mass / mass.sum() * len(samples)
    order = np.argsort(expected)
    # The rarest cells are one, since chi-squared is the limit of many samples in each.
    rare = int(np.searchsorted(expected[order].cumsum(), FEWEST)) + 1
    starts = np.array([0, *range(rare, number)])
    expected, counts = (np.add.reduceat(values[order], starts) for values in (expected, counts))
    if len(starts) == 1:  # all in one cell, which tells nothing
        return 1.0
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, len(starts) - 1))
