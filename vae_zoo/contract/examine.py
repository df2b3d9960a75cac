"""How a contract is gone through: property by property, each with noise of a fixed seed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from vae_zoo.contract.codes import SEED
from vae_zoo.contract.verdict import Property, Verdict

Subject = TypeVar("Subject")
Part = TypeVar("Part")


def examine(
    properties: Mapping[str, Callable[[Subject], Verdict]], subject: Subject, not_reached: Verdict
) -> list[Property]:
    """Look at each property of a subject.

    Args:
        properties: What looks at each, by its name; without the first, the rest is not reached.
        subject: What is held to the contract.
        not_reached: What is said of the rest.
    """
    found: list[Property] = []
    for name, look in properties.items():
        reached = not found or found[0].holds
        verdict = _look(look, subject) if reached else not_reached
        found.append(Property(name, *verdict))
    return found


@dataclass(frozen=True)
class Contract(Generic[Subject]):
    """What all parts of a family are held to.

    Args:
        make: Makes the subject of the properties, from what makes the part.
        properties: What looks at each, by its name; without the first, the rest is not reached.
        not_reached: What is said of the rest.
    """

    make: Callable[[Callable[..., Any]], Subject]
    properties: Mapping[str, Callable[[Subject], Verdict]]
    not_reached: str

    def __call__(self, factory: Callable[..., Any]) -> list[Property]:
        """Hold a part to the contract.

        Args:
            factory: The class, or a ``functools.partial`` of it that gives its options.

        Returns:
            The properties; one fails whose ``holds`` is False.

        Raises:
            ValueError: It refuses its options.
            OSError: Files are missing.
        """
        not_reached = Verdict(None, f"not reached: {self.not_reached}", "")
        return examine(self.properties, self.make(factory), not_reached)


def _look(look: Callable[[Subject], Verdict], subject: Subject) -> Verdict:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        try:
            return look(subject)
        except Exception as error:  # of a class of the user's own
            return Verdict(False, f"{type(error).__name__}: {error}", "no error")


def make_first(makers: Iterable[Callable[[], Part]]) -> Part:
    """Make a part in the first of several ways that it does not refuse.

    Raises:
        ValueError: It refuses all, the first with this, or fails otherwise.
    """
    refusals: list[ValueError] = []
    for make in makers:
        try:
            return make()
        except ValueError as error:
            refusals.append(error)
        except Exception as error:  # of a class of the user's own
            raise ValueError(f"its constructor fails: {type(error).__name__}: {error}") from error
    raise refusals[0]


def together(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Put what holds in several cases into one verdict."""
    answers = [verdict.holds for verdict in verdicts.values()]
    holds = None if all(answer is None for answer in answers) else False not in answers
    named = (f"{name}: {verdict.figure}" for name, verdict in verdicts.items())
    first = next(iter(verdicts.values()))
    figure = first.figure if len(verdicts) == 1 else "; ".join(named)
    return Verdict(holds, figure, first.expected)
