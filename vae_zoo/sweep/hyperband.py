"""Early termination of a sweep's trials by successive halving, as W&B does it."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

_MOST_BANDS = 100  # of a schedule that has a beginning and no end


@dataclass(frozen=True)
class Hyperband:
    """Of all trials that reached a band, the best 1/eta go on.

    A band is a number of logged values of the metric. A trial is judged at the last band that it
    has reached: it stops if it is worse than the value of rank ⌊n/eta⌋ (the best has rank 0) among
    the values that the n trials which came so far had there. A trial as good as that goes on, so
    that the first at a band always does.

    Args:
        bands: Where trials are judged, in logged values, ascending.
        eta: One trial in so many goes on.
        strict: Judge by the value at the band; otherwise by the best value so far, whenever it
            came, which stops fewer trials.
        goal: ``minimize`` or ``maximize``.

    References:
        Weights & Biases, sweeps 0.3.0, hyperband_stopping.py (2025), MIT licence.
        https://github.com/wandb/sweeps
        Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization" (2018).
        https://arxiv.org/abs/1603.06560
    """

    bands: tuple[int, ...]
    eta: float
    strict: bool
    goal: str

    @classmethod
    def from_config(cls, block: Mapping[str, Any], goal: str) -> Self:
        """Read the block ``early_terminate:`` of a sweep file that fits W&B's schema.

        Bands are min_iter, min_iter·eta, min_iter·eta², …; or max_iter/eta, max_iter/eta², … down
        to max_iter/eta^s, those below one left out. Where both are given, max_iter decides. By
        default eta is 3 and strict is true, as the schema says.

        Raises:
            ValueError: ``s`` is no whole number, or no band is left.
        """
        eta = block.get("eta", 3)
        if "max_iter" in block and "s" in block:
            bands = _up_to(block["max_iter"], block["s"], eta)
        else:
            bands = _from(block["min_iter"], eta)
        return cls(bands, eta, block.get("strict", True), goal)

    def to_stop(
        self, histories: Mapping[str, Sequence[float]], running: Collection[str]
    ) -> set[str]:
        """Those of the running trials that should stop now.

        Args:
            histories: The metric's values in the order logged, of every trial there was. One that
                is not finite counts as the worst.
            running: The trials that may be stopped.
        """
        losses = {name: [self._loss(value) for value in each] for name, each in histories.items()}
        return {name for name in running if self._falls_behind(losses.get(name, []), losses)}

    def _loss(self, value: float) -> float:
        if not math.isfinite(value):
            return math.inf
        return value if self.goal == "minimize" else -value

    def _falls_behind(self, own: list[float], losses: Mapping[str, list[float]]) -> bool:
        band = max((band for band in self.bands if band <= len(own)), default=None)
        if band is None:
            return False
        reached = sorted(each[band - 1] for each in losses.values() if len(each) >= band)
        return (own[band - 1] if self.strict else min(own)) > reached[int(len(reached) / self.eta)]


def _from(min_iter: int, eta: float) -> tuple[int, ...]:
    def steps() -> Iterator[int]:
        band: float = min_iter
        for _ in range(_MOST_BANDS):
            if math.isinf(band):
                return
            yield int(band)
            band *= eta

    return tuple(sorted(set(steps())))


def _up_to(max_iter: int, s: float, eta: float) -> tuple[int, ...]:
    if s != int(s):
        raise ValueError(f"early_terminate.s should be a whole number, got {s}")
    bands = {int(band) for k in range(1, int(s) + 1) if (band := max_iter / eta**k) >= 1}
    if not bands:
        raise ValueError(
            f"early_terminate: max_iter {max_iter}, s {s} and eta {eta} leave no band to judge at: "
            "max_iter should be at least eta, and s at least 1"
        )
    return tuple(sorted(bands))
