"""Priors that are held to a contract: of two dimensions, and of five."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.contract import modules
from vae_zoo.contract.examine import make_first
from vae_zoo.networks import MLP
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.priors import Prior

LATENT_DIM, MORE_DIMS, CONDITION_DIM, FEATURES = 2, 5, 3, 5


class Encoder:
    """The encoder of a model of vectors, which a VampPrior asks."""

    def __init__(self, latent_dim: int, condition_dim: int) -> None:
        self.network = MLP((FEATURES,), (2 * latent_dim,), condition_dim, hidden=(8,))
        self.posterior = DiagonalNormal(latent_dim)

    def encode(self, x: Tensor, c: Tensor, index: Tensor | None = None) -> Distribution:
        """Return q(z | x), as the VAE does for what is no batch."""
        params = self.network(x, c)
        return self.posterior(params if index is None else params[index])  # type: ignore[no-any-return]


class Case(NamedTuple):
    """A prior, with what it may depend on.

    Args:
        prior: The prior, whose parameters are no longer those that it starts from.
        encoder: What it may encode with.
        c: A condition for each of three examples ``(3, C)``, or none for all ``(1, 0)``.
    """

    prior: Prior
    encoder: Encoder
    c: Tensor

    def double(self) -> "Case":
        """The same in double precision."""
        prior, encoder = deepcopy((self.prior, self.encoder))
        encoder.network.double()
        return Case(prior.double(), encoder, self.c.double())

    def some(self) -> Distribution:
        """The prior of three examples, each of its own condition if there are any."""
        return self.prior(self.c).expand((3,))  # type: ignore[no-any-return]

    def one(self, n: int) -> Distribution:
        """The prior of n examples of the first condition."""
        return self.prior(self.c[:1]).expand((n,))  # type: ignore[no-any-return]

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density of codes ``(N, D)``, given the first condition."""
        return self.one(len(z)).log_prob(z)


class Priors:
    """A prior p(z), and as p(z | c), where it takes a condition.

    Args:
        factory: Makes the prior, from its sizes.

    Raises:
        ValueError: It refuses its options.
    """

    def __init__(self, factory: Callable[..., Prior]) -> None:
        self.factory = factory
        self.made = {}
        for name, dim in self.names.items():
            try:
                self.made[name] = make_first([partial(self.make, dim)])
            except ValueError as error:
                if name == "p(z | c)" and not self.made:
                    raise ValueError(f"{error}{self._advice()}") from error

    names: Mapping[str, int] = {"p(z)": 0, "p(z | c)": CONDITION_DIM}

    def make(self, condition_dim: int, seed: int = 0, latent_dim: int = LATENT_DIM) -> Case:
        """Make a prior as the VAE does, and move it away from where it starts."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            prior = self.factory(latent_dim=latent_dim, condition_dim=condition_dim)
            encoder = Encoder(latent_dim, condition_dim)
            prior.build((FEATURES,), encoder.encode)
            if prior.examples:
                prior.begin(torch.rand(prior.examples, FEATURES), None)
            modules.shake(prior)
        c = torch.eye(condition_dim) if condition_dim else torch.zeros(1, 0)
        return Case(prior.eval(), encoder, c)

    def _advice(self) -> str:
        """What to do if it is the number of dimensions that a prior refuses."""
        try:
            self.make(CONDITION_DIM, latent_dim=MORE_DIMS)
        except Exception:  # of a class of the user's own
            return ""
        return f" (the check is in two dimensions: let the prior take latent_dim {LATENT_DIM})"

    @property
    def cases(self) -> Mapping[str, Case]:
        """Those of which the densities differ: one that ignores c has the same in both."""
        kept = {name: case for name, case in self.made.items() if case.prior(case.c).batch_shape}
        return kept | {name: case for name, case in self.made.items() if name == "p(z)"}

    @property
    def each(self) -> Mapping[str, Case]:
        """The same in double precision, one for each condition."""
        doubles = {name: case.double() for name, case in self.cases.items()}
        return {
            name.replace("c)", f"c{number})"): case._replace(c=row[None])
            for name, case in doubles.items()
            for number, row in enumerate(case.c, start=1)
        }
