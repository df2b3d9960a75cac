"""A Markov chain of known transitions."""

import math

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.splits import Split, Support
from vae_zoo.data.synthetic import Synthetic


class MarkovChain(Synthetic):
    """P(xₜ = j | xₜ₋₁ = i) = Pᵢⱼ: sequences whose log-likelihood is known, so that leaks show.

    The rows of P are drawn from a symmetric Dirichlet distribution; the first token is of the
    stationary distribution π = πP. No model that is fair has a lower mean -log p(x) on held-out
    sequences than ``log_likelihood`` gives, but for chance.

    Args:
        states: Number V of states, which are the tokens.
        length: Number T of tokens of a sequence.
        concentration: Of the Dirichlet distribution: the smaller, the more predictable the chain.
        chain_seed: Of P.
        train: Number of training sequences; val and test have a quarter as many.
        data_seed: Of the sequences, and of nothing else.
        batch_size: Number of sequences per device and step.

    Raises:
        ValueError: A number is too small.

    References:
        Shannon, A Mathematical Theory of Communication, 1948, sec. 7 (the entropy of a chain).
        https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
    """

    support: Support = "tokens"

    def __init__(
        self,
        states: int = 5,
        length: int = 16,
        concentration: float = 0.5,
        chain_seed: int = 0,
        train: int = 16_000,
        data_seed: int = 0,
        batch_size: int = 200,
    ) -> None:
        super().__init__(train, data_seed, batch_size)
        if not 2 <= states <= 256:
            raise ValueError(f"states must be 2 to 256, got {states}")
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        if not 0.05 <= concentration < math.inf:  # below, numbers too small for a float are drawn
            raise ValueError(f"concentration must be at least 0.05, got {concentration}")
        if chain_seed < 0:
            raise ValueError(f"chain_seed must be non-negative, got {chain_seed}")
        self.shape = (length, states)
        generator = np.random.default_rng(chain_seed)
        rows = generator.dirichlet(np.full(states, concentration), size=states)
        self.transitions = torch.from_numpy(rows)
        self.stationary = _stationary(self.transitions)

    @property
    def entropy_rate(self) -> float:
        """-Σᵢ πᵢ Σⱼ Pᵢⱼ ln Pᵢⱼ: nats per token, but for the first, that none can go below."""
        p = self.transitions
        return float(-self.stationary @ torch.special.xlogy(p, p).sum(1))

    def draw(self, n: int, generator: torch.Generator) -> Split:
        length, _ = self.shape
        uniform = torch.rand(n, length, generator=generator, dtype=torch.double)
        token = _invert(self.stationary.expand(n, -1), uniform[:, 0])
        tokens = [token]
        for t in range(1, length):
            tokens.append(token := _invert(self.transitions[token], uniform[:, t]))
        return Split(torch.stack(tokens, dim=1).to(torch.uint8))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return the true log p(x) of one-hot sequences ``(N, T, V)``, of shape ``(N,)``."""
        tokens = x.argmax(-1).cpu()
        steps = self.transitions[tokens[:, :-1], tokens[:, 1:]].log().sum(1)
        first: Tensor = self.stationary[tokens[:, 0]].log()
        return first + steps


def _stationary(transitions: Tensor) -> Tensor:
    """Solve π = πP, Σ π = 1."""
    states = len(transitions)
    system = torch.cat([transitions.T - torch.eye(states), torch.ones(1, states)])
    right = torch.zeros(states + 1, dtype=torch.double)
    right[-1] = 1
    solution: Tensor = torch.linalg.lstsq(system, right.unsqueeze(1)).solution
    return solution.squeeze(1)


def _invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Turn uniform numbers ``(N,)`` into states of probabilities ``(N, V)``."""
    passed: Tensor = uniform.unsqueeze(1) >= probabilities.cumsum(1)[:, :-1]
    return passed.sum(1)
