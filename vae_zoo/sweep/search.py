"""Random and Bayesian search over the parameters of a sweep file."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from random import Random
from typing import TYPE_CHECKING, Any

from vae_zoo.sweep.distributions import (
    Categorical,
    Constant,
    Distribution,
    Integers,
    Real,
    distribution,
)
from vae_zoo.sweep.grid import Parameters

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_Path = tuple[str, ...]
_Searched = Categorical | Integers | Real


def draw(parameters: Mapping[str, Any], seed: int, number: int) -> Parameters:
    """The random trial of that number, whatever the other trials and the other parameters.

    Args:
        parameters: The block below ``parameters:``.
        seed: Of the sweep.
        number: Of the trial.

    Raises:
        ValueError: A parameter is of no distribution.
    """
    return _nested(
        {
            path: leaf.quantile(Random(f"{seed} {number} {_name(path)}").random())
            for path, leaf in _leaves(parameters)
        }
    )


class Bayes:
    """Proposes trials by expected improvement under a Gaussian process.

    The process sees each number as its quantile u of the parameter's own distribution, so that
    ``log_uniform`` is searched by order of magnitude and a ``normal`` mostly near its mean. It
    takes the metric for a function of the parameters, as it is of a run with a given seed. Its
    state is the results alone: the same seed, number, results and running trials give the same
    proposal on the same machine.

    Args:
        parameters: The block below ``parameters:``.
        goal: ``minimize`` or ``maximize``.
        seed: Of the sweep.
        startup: Trials are random until so many have a result.

    Raises:
        ValueError: A parameter is of no distribution, or has probabilities.

    References:
        Optuna's GPSampler: Matérn 5/2 kernel, log expected improvement.
        https://optuna.readthedocs.io/en/stable/reference/samplers/generated/optuna.samplers.GPSampler.html
    """

    def __init__(
        self, parameters: Mapping[str, Any], goal: str, seed: int, startup: int = 10
    ) -> None:
        self.parameters, self.goal, self.seed, self.startup = parameters, goal, seed, startup
        self._leaves = dict(_leaves(parameters))
        self._searched = {
            path: leaf for path, leaf in self._leaves.items() if not isinstance(leaf, Constant)
        }
        for path, leaf in self._searched.items():
            if isinstance(leaf, Categorical) and leaf.probabilities is not None:
                raise ValueError(
                    f"{_where(path)}: method: bayes takes values without probabilities, got "
                    f"{leaf.probabilities}"
                )

    def propose(
        self,
        number: int,
        results: Sequence[tuple[Parameters, float]],
        running: Sequence[Parameters],
    ) -> Parameters:
        """The trial of that number.

        Args:
            number: Of the trial.
            results: The parameters and the value of each trial that has one. A value that is not
                finite counts as the worst of the others.
            running: The parameters of trials without a value yet: what they may find is not sought
                twice. Where all parameters are discrete, a trial may still be proposed again.
        """
        finite = [value for _, value in results if math.isfinite(value)]
        if len(results) < self.startup or not finite or not self._searched:
            return draw(self.parameters, self.seed, number)
        worst = max(finite) if self.goal == "minimize" else min(finite)
        return self._search(
            number,
            [(trial, value if math.isfinite(value) else worst) for trial, value in results],
            running,
        )

    def _search(
        self,
        number: int,
        results: Sequence[tuple[Parameters, float]],
        running: Sequence[Parameters],
    ) -> Parameters:
        import optuna  # loads torch
        from optuna.trial import TrialState, create_trial

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        space = {_name(path): _range(leaf) for path, leaf in self._searched.items()}
        with warnings.catch_warnings():  # that the last option may change
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(
                seed=Random(f"{self.seed} {number}").getrandbits(32),
                n_startup_trials=1,
                deterministic_objective=True,
            )
        direction = optuna.study.StudyDirection[self.goal.upper()]
        study = optuna.create_study(direction=direction, sampler=sampler)
        for trial, value in results:
            study.add_trial(
                create_trial(value=value, params=self._coordinates(trial), distributions=space)
            )
        for trial in running:  # the sampler maximizes the improvement expected of all together
            study.add_trial(
                create_trial(
                    state=TrialState.RUNNING,
                    params=self._coordinates(trial),
                    distributions=space,
                )
            )
        found = study.ask(fixed_distributions=space).params
        return _nested(
            {path: _value(leaf, found.get(_name(path), 0.0)) for path, leaf in self._leaves.items()}
        )

    def _coordinates(self, trial: Parameters) -> dict[str, float]:
        """Where a trial is in the space that is searched."""
        return {
            _name(path): _coordinate(leaf, reduce(getitem, path, trial))
            for path, leaf in self._searched.items()
        }


def _range(leaf: _Searched) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(leaf, Categorical):
        return CategoricalDistribution(range(len(leaf.values)))
    return FloatDistribution(*leaf.ends)


def _coordinate(leaf: _Searched, value: Any) -> float:
    if isinstance(leaf, Categorical):
        return leaf.index(value)
    low, high = leaf.ends
    return min(max(leaf.position(value), low), high)


def _value(leaf: Distribution, coordinate: float) -> Any:
    if isinstance(leaf, Categorical):
        return leaf.values[int(coordinate)]
    return leaf.quantile(coordinate)


def _leaves(block: Mapping[str, Any], above: _Path = ()) -> Iterator[tuple[_Path, Distribution]]:
    """The distribution of each parameter by its path, nested ones at their places."""
    for name, inner in block.items():
        path = (*above, name)
        if "parameters" in inner:
            yield from _leaves(inner["parameters"], path)
        else:
            yield path, distribution(inner, _where(path))


def _where(path: _Path) -> str:
    return f"parameters.{'.parameters.'.join(path)}"


def _name(path: _Path) -> str:
    return "/".join(path)  # which no name of a parameter contains


def _nested(values: Mapping[_Path, Any]) -> Parameters:
    trial: Parameters = {}
    for path, value in values.items():
        block = trial
        for name in path[:-1]:
            block = block.setdefault(name, {})
        block[path[-1]] = value
    return trial
