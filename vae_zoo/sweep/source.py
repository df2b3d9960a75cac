"""Where the trials of a sweep come from: all at once, or one by one from what others found."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from vae_zoo.sweep.grid import Parameters, check_count, expand
from vae_zoo.sweep.hyperband import Hyperband
from vae_zoo.sweep.metric import Metric
from vae_zoo.sweep.queue import Trial
from vae_zoo.sweep.search import Bayes, draw
from vae_zoo.sweep.space import Sweep, canonical, read_sweep


class Source:
    """The trials of a sweep, each by the key that it has in the queue.

    A grid's is the trial itself, so that the file may gain trials and lose some; that of a search
    is the number of the trial.

    Args:
        sweep: What the file asks for.
        seed: Of random numbers.

    Raises:
        ValueError: A parameter is not right for the method.
    """

    def __init__(self, sweep: Sweep, seed: int) -> None:
        self.sweep, self.seed = sweep, seed
        self.given = self._given()
        block = sweep.early_terminate
        self.hyperband = Hyperband.from_config(block, sweep.goal) if block else None
        self.bayes = Bayes(sweep.space, sweep.goal, seed) if sweep.method == "bayes" else None

    @classmethod
    def read(cls, file: Path, name: str | None = None, seed: int = 0) -> Self:
        """Read a sweep file.

        Raises:
            ValueError: Something in it is wrong.
        """
        sweep = read_sweep(file, name)
        try:
            return cls(sweep, seed)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error

    def _given(self) -> dict[str, Parameters]:
        sweep = self.sweep
        if sweep.method == "grid":
            trials = expand(sweep.space, sweep.run_cap)
            return {canonical(each): each for each in trials}
        if sweep.method == "random":
            count = sweep.run_cap or 0
            check_count(count)
            return {str(n): draw(sweep.space, self.seed, n) for n in range(count)}
        return {}

    @property
    def search(self) -> str:
        """What its trials are of: their program, and in a search what they are drawn from."""
        sweep = self.sweep
        program = [sweep.method, sweep.program, sweep.command]
        drawn = [] if sweep.method == "grid" else [sweep.space, self.seed]
        return json.dumps([*program, *drawn], sort_keys=True)

    @property
    def total(self) -> int:
        """How many trials there will be."""
        return (self.sweep.run_cap or 0) if self.bayes else len(self.given)

    def new(self, known: Sequence[Trial] = ()) -> list[Parameters]:
        """The trials that a queue lacks; of a Bayesian search that has none yet, a random one."""
        keys = {trial.key for trial in known}
        if self.bayes:
            return [] if keys else [draw(self.sweep.space, self.seed, 0)]
        return [parameters for key, parameters in self.given.items() if key not in keys]

    def wants(self, trial: Trial) -> bool:
        """Whether a trial of the queue is one of these; a grid may have lost it.

        Raises:
            ValueError: It has the key of one, and other parameters.
        """
        if self.bayes:
            return trial.key.isdecimal() and int(trial.key) < self.total
        given = self.given.get(trial.key)
        if given is not None and canonical(trial.parameters) != canonical(given):
            raise ValueError(
                f"trial {trial.id} has other parameters in the queue than in the sweep file: move "
                "the queue away, and begin anew"
            )
        return trial.key in self.given

    def propose(self, trials: Sequence[Trial], metric: Metric) -> dict[str, Parameters]:
        """The next trial, if there is to be one, by the results of those that have ended."""
        if self.bayes is None or len(trials) >= self.total:
            return {}
        number = len(trials)
        running = [t.parameters for t in trials if t.state in ("waiting", "running")]
        results = metric.results(trials)
        return {str(number): self.bayes.propose(number, results, running)}
