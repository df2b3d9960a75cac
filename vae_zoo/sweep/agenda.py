"""What of a sweep is still to be done, as one of its runners sees it."""

import time

from vae_zoo.sweep.presence import Presence
from vae_zoo.sweep.queue import Queue, Trial
from vae_zoo.sweep.source import Source

LOOK = 1.0  # seconds between two looks at the queue


class Agenda:
    """The trials of a queue, and which of them this runner may take.

    Args:
        queue: Where their states are kept.
        source: Which trials the file asks for.
        presence: This runner among others.
    """

    def __init__(self, queue: Queue, source: Source, presence: Presence) -> None:
        self.queue, self.source, self.presence = queue, source, presence
        self.trials: list[Trial] = []
        self.others = 0  # trials of an earlier version of the file
        self.another_time: set[str] = set()  # trials that this runner tries no more
        self._retried: set[str] = set()
        self._living: set[str] = set()  # runners
        self._looked = -LOOK

    def look(self, now: bool = False) -> bool:
        """Look at the queue, from time to time or at once; say whether that was done."""
        if not now and time.monotonic() < self._looked + LOOK:
            return False
        self._looked = time.monotonic()
        self.presence.beat()
        self._living = self.presence.living()
        known = self.queue.trials()
        self.trials = [trial for trial in known if self.source.wants(trial)]
        self.others = len(known) - len(self.trials)
        return True

    def retry_failed(self) -> None:
        """Try again what has failed so far."""
        self._retried = {trial.id for trial in self.trials if trial.state == "failed"}

    @property
    def total(self) -> int:
        """How many trials there are, or will be."""
        return max(self.source.total, len(self.trials))

    def count(self, *states: str) -> int:
        """How many trials are in one of the states."""
        return sum(trial.state in states for trial in self.trials)

    @property
    def is_open(self) -> bool:
        """Whether anything is still to come to its end, here or at another runner."""
        return len(self.trials) < self.total or any(map(self._is_open, self.trials))

    def _is_open(self, trial: Trial) -> bool:
        if trial.state == "waiting":
            return trial.id not in self.another_time
        return trial.state == "running" or self._is_retried(trial)

    def _is_retried(self, trial: Trial) -> bool:
        return trial.state == "failed" and trial.id in self._retried

    def next(self) -> Trial | None:
        """The trial to take now: what a dead runner left, what waits, what is tried again."""
        left = [t for t in self.trials if t.state == "running" and t.runner not in self._living]
        waiting = [t for t in self.trials if t.state == "waiting" and self._is_open(t)]
        failed = [t for t in self.trials if self._is_retried(t)]
        return next(iter([*left, *waiting, *failed]), None)

    def claim(self, trial: Trial) -> bool:
        """Take a trial, unless another runner was first; say whether that came off."""
        if not self.queue.claim(trial, self.presence.id):
            return False
        self._retried.discard(trial.id)
        return True
