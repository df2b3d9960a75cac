"""Likelihoods that are held to a contract: of two pixels, and of more."""

from collections.abc import Callable
from copy import deepcopy
from functools import cached_property, partial
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.contract import modules, spaces
from vae_zoo.contract.examine import make_first
from vae_zoo.contract.spaces import Space
from vae_zoo.data.splits import Support
from vae_zoo.likelihoods import Likelihood

EXAMPLES, SAMPLES = 3, 10_000
Shape = tuple[int, ...]
TOKENS: Shape = (3, 4)  # T and V
SHAPES: tuple[Shape, ...] = ((2, 1, 1), (2,), (3, 1, 1), (1, 2, 2))  # the first that it takes
MORE_SHAPES: tuple[Shape, ...] = ((1, 2, 3), (1, 2, 4), (3, 1, 2), (3, 2, 2), (5,))  # likewise
WIDEST: tuple[Support, ...] = ("tokens", "real", "unit interval", "256 levels", "binary")


class Given(NamedTuple):
    """A likelihood in double precision, given what the decoder returned of one example."""

    likelihood: Likelihood
    params: Tensor

    def one(self, n: int) -> Distribution:
        """The likelihood of n examples of the same parameters."""
        p: Distribution = self.likelihood(self.params.expand(n, *self.params.shape))
        return p

    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density of data ``(N, *X)``."""
        return self.one(len(x)).log_prob(x)


class Case(NamedTuple):
    """Samples of a likelihood, what they lie in, and the mass at its points."""

    given: Given
    samples: Tensor
    space: Space
    density: Tensor


class Likelihoods:
    """A likelihood of two pixels, or of three tokens out of four; of more, if it takes no fewer.

    It is held to the widest support that it declares: a normal is a density on R², though it may be
    used for binary data.

    Args:
        factory: Makes the likelihood, from the shape of the data.

    Raises:
        ValueError: It refuses its options.
    """

    def __init__(self, factory: Callable[..., Likelihood]) -> None:
        self.factory = factory
        self.made = self.make(seed=0)
        self.support = next(name for name in WIDEST if name in self.made.supports)
        self.params = parameters(self.made)  # (3, *params)

    def make(self, seed: int, shapes: tuple[Shape, ...] = ()) -> Likelihood:
        """Make the likelihood, and move it away from where it starts."""
        makers = [partial(self._make, shape) for shape in shapes or self._shapes]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            likelihood = make_first(makers)
            modules.shake(likelihood)
        return likelihood.eval()

    @property
    def _shapes(self) -> tuple[Shape, ...]:
        """The shapes to try; both kinds where the support shows only once it is made."""
        made_by = self.factory.func if isinstance(self.factory, partial) else self.factory
        supports = getattr(made_by, "supports", None)
        if supports is None:
            return (*SHAPES, TOKENS)
        return (TOKENS,) if "tokens" in supports else SHAPES

    def _make(self, shape: Shape) -> Likelihood:
        likelihood = self.factory(shape=shape)
        if not likelihood.supports & set(WIDEST):
            raise ValueError(f"supports must be some of {', '.join(WIDEST)}")
        if ("tokens" in likelihood.supports) != (shape == TOKENS):
            raise ValueError(f"{type(likelihood).__name__} takes no data of shape {shape}")
        return likelihood

    @property
    def enumerable(self) -> bool:
        """Whether its data are few enough, or of few enough dimensions, to sum over."""
        return self.support == "tokens" or prod(self.made.shape) == 2

    @cached_property
    def given(self) -> list[Given]:
        """It given each of a few parameters."""
        return give(self.made)

    @cached_property
    def cases(self) -> list[Case]:
        """One for each of the parameters, of data that are enumerable."""
        return [self._case(given) for given in self.given]

    @torch.no_grad()
    def _case(self, given: Given) -> Case:
        samples = given.one(SAMPLES).sample()
        space = self._space(given, samples)
        return Case(given, samples, space, space.density(given.log_prob))

    def _space(self, given: Given, samples: Tensor) -> Space:
        if self.support == "tokens":
            return spaces.sequences(*TOKENS)
        positive = bool((samples > 0).all() and given.log_prob(-samples).isneginf().all())
        reals = spaces.quadrant if positive else spaces.plane
        flat = {
            "real": lambda: reals(samples.flatten(1)),
            "unit interval": lambda: spaces.square(samples.flatten(1)),
            "256 levels": spaces.levels,
            "binary": spaces.binary,
        }[self.support]()
        points = flat.points.view(-1, *self.made.shape)
        return flat._replace(points=points, find=lambda x: flat.find(x.flatten(1)))


def parameters(likelihood: Likelihood) -> Tensor:
    """What a decoder may return of a few examples, ``(3, *params)``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return 1.5 * torch.randn(EXAMPLES, *likelihood.params)


def give(likelihood: Likelihood) -> list[Given]:
    """Give a likelihood what a decoder may return of each of a few examples."""
    double = deepcopy(likelihood).double()
    return [Given(double, params) for params in parameters(likelihood).double()]
