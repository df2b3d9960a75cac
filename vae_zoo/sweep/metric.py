"""What the trials of a sweep are judged by."""

from collections.abc import Callable, Sequence
from typing import Any

from vae_zoo.runs import Run
from vae_zoo.sweep.grid import Parameters
from vae_zoo.sweep.queue import ENDED, Trial
from vae_zoo.sweep.validation import suggest


class Metric:
    """A metric of the trials' own, as they log it.

    Args:
        block: ``name``, ``goal``, ``target`` and ``impute`` of a sweep file.
        run_of: The run of a trial.
    """

    def __init__(self, block: dict[str, Any], run_of: Callable[[str], Run]) -> None:
        self.name: str = block["name"]
        self.goal: str = block.get("goal", "minimize")
        self.target: float | None = block.get("target")
        self.impute: str = block.get("impute", "worst")
        self.run_of = run_of
        self._finished: dict[str, float] = {}  # values of what changes no more

    def history(self, id: str) -> list[float]:
        """The values that a trial logged, in their order; none where its file cannot be read."""
        try:
            rows = Run(self.run_of(id).folder).rows
        except (ValueError, OSError):
            return []
        return [row[self.name] for row in rows if self.name in row]

    def value(self, id: str) -> float | None:
        """The last value that a trial logged."""
        return next(reversed(self.history(id)), None)

    def results(self, trials: Sequence[Trial]) -> list[tuple[Parameters, float]]:
        """What the trials that have ended found; a failed one counts as ``impute`` says."""
        values = {t.id: self.value(t.id) for t in trials if t.state in ENDED}
        known = [values[t.id] for t in trials if t.state == "finished"]
        found = [value for value in known if value is not None]
        lowest, highest = min(found, default=None), max(found, default=None)
        if self.goal == "minimize":
            imputed = {"best": lowest, "worst": highest}
        else:
            imputed = {"best": highest, "worst": lowest}
        results = []
        for trial in trials:
            if trial.state == "failed" and self.impute != "latest":
                values[trial.id] = imputed[self.impute]
            if (value := values.get(trial.id)) is not None:
                results.append((trial.parameters, value))
        return results

    def complaint(self, id: str) -> str:
        """What is wrong if a trial that ended well has not logged the metric."""
        if self.value(id) is not None:
            return ""
        try:
            logged = self.run_of(id).summary
        except (ValueError, OSError):
            logged = {}
        return f"metric: no run logs {self.name!r}. {suggest(self.name, logged)}"

    def reached(self, trials: Sequence[Trial]) -> bool:
        """Whether a trial has reached the target, if there is one."""
        if self.target is None:
            return False
        new = [t.id for t in trials if t.state == "finished" and t.id not in self._finished]
        found = {id: self.value(id) for id in new}
        self._finished |= {id: value for id, value in found.items() if value is not None}
        values = self._finished.values()
        sign = 1 if self.goal == "minimize" else -1
        return any(sign * value <= sign * self.target for value in values)
