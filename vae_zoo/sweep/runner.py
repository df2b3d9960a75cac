"""Run the trials of a sweep on this machine, some at a time, and go on after any interruption."""

import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vae_zoo.runs import ROOT, Run
from vae_zoo.sweep.interrupts import Interrupts
from vae_zoo.sweep.labels import labels
from vae_zoo.sweep.process import Attempt, check_program, finished, in_use, start, stop
from vae_zoo.sweep.progress import Display
from vae_zoo.sweep.queue import Queue, State, Trial
from vae_zoo.sweep.space import Sweep, canonical, read_sweep

POLL = 0.1  # seconds between two looks at the processes
QUICK = 60.0  # seconds within which a program that cannot work fails
HOPELESS = 3  # as many quick failures, and nothing finished: the program cannot work


def run_sweep(file: Path, name: str | None = None, jobs: int = 1) -> int:
    """Run a W&B sweep file, the one that ``wandb sweep`` takes, or what is left of it.

    Args:
        file: The sweep file; its method is grid.
        name: The folder below ``runs/``; by default the file's ``name:``, else its stem.
        jobs: How many trials run at once.

    Returns:
        The exit code: 0 if all trials are finished, 130 if interrupted, else 1.

    Raises:
        ValueError: The file, the name or the number of jobs is wrong, or the sweep runs already.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    sweep = read_sweep(file, name)
    check_program(sweep)
    folder = ROOT / sweep.name
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), Queue(folder / "sweep.db") as queue, Interrupts() as interrupts:
        return Runner(sweep, folder, queue, jobs, interrupts).run()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"{folder} is in use by another `vae-zoo sweep`: wait for it, or choose a --name"
        ) from None
    try:
        yield
    finally:
        lock.release()


class Runner:
    """One pass over a queue: starts trials, waits for them, notes how they end.

    Args:
        sweep: The trials that are wanted; the queue may hold others, of an earlier file.
        folder: ``runs/<name>``.
        queue: Where the states are kept.
        jobs: How many trials run at once.
        interrupts: Looked at between two steps.
    """

    def __init__(
        self, sweep: Sweep, folder: Path, queue: Queue, jobs: int, interrupts: Interrupts
    ) -> None:
        self.sweep, self.folder, self.queue, self.jobs = sweep, folder, queue, jobs
        self.interrupts = interrupts
        queue.add(sweep.trials)
        wanted = {canonical(each) for each in sweep.trials}
        known = queue.trials()
        trials = [trial for trial in known if canonical(trial.parameters) in wanted]
        self.others = len(known) - len(trials)
        self.states: dict[str, State] = {trial.id: trial.state for trial in trials}
        self.active: list[Attempt] = []
        self.quick_failures = 0
        self.todo = self._recover(trials)
        texts = labels([trial.parameters for trial in trials])
        self.display = Display(
            {trial.id: text for trial, text in zip(trials, texts, strict=True)},
            finished=list(self.states.values()).count("finished"),
        )

    def _recover(self, trials: list[Trial]) -> list[Trial]:
        """Settle what an earlier runner left as running; what failed comes after what waits."""
        for trial in trials:
            run = Run(self.folder / trial.id)
            if trial.state == "running" and not in_use(run):
                self._end(trial, "finished" if finished(run) else "waiting")
        todo = [trial for trial in trials if self.states[trial.id] != "finished"]
        # An orphan takes its place among the jobs first.
        order: list[State] = ["running", "waiting", "failed"]
        return sorted(todo, key=lambda trial: order.index(self.states[trial.id]))

    def run(self) -> int:
        """Run until nothing is left, or an interrupt, or no hope."""
        with self.display:
            try:
                while (self.todo or self.active) and not self.interrupts.count:
                    self._fill()
                    self._collect()
                    if self._hopeless():
                        break
                    self.display.update()
                    time.sleep(POLL)
                self._collect()
            finally:
                self._stop()
        return self._report()

    def _fill(self) -> None:
        while self.todo and len(self.active) < self.jobs:
            trial = self.todo.pop(0)
            run = Run(self.folder / trial.id)
            # An orphan may have ended since: it is settled like one that ends from now on.
            if self.states[trial.id] == "running" or in_use(run):
                attempt = Attempt(trial, run)
            else:
                self.queue.start(trial.id)
                attempt = start(trial, run, self.sweep, self.jobs)
            self.states[trial.id] = "running"
            self.active.append(attempt)
            self.display.started(attempt)

    def _collect(self) -> None:
        for attempt in [attempt for attempt in self.active if not attempt.alive]:
            self.active.remove(attempt)
            if attempt.process is None:
                self._end(attempt.trial, "finished" if finished(attempt.run) else "waiting")
                self.display.ended(attempt, state := self.states[attempt.trial.id])
                if state == "waiting":
                    self.todo.insert(0, attempt.trial)
            elif code := attempt.process.returncode:
                self.quick_failures += attempt.seconds < QUICK
                self._end(attempt.trial, "failed", code)
                self.display.ended(attempt, "failed", _reason(code))
                words = attempt.last_words().replace("\n", "\n    ")
                self.display.say(f"    {words}")
            else:
                self._end(attempt.trial, "finished", code)
                self.display.ended(attempt, "finished")
                for warning in attempt.warnings():  # nobody reads the log of what ended well
                    self.display.say(f"    {warning}")

    def _end(self, trial: Trial, state: State, code: int | None = None) -> None:
        self.queue.end(trial.id, state, code)
        self.states[trial.id] = state

    def _hopeless(self) -> bool:
        return self.quick_failures >= HOPELESS and "finished" not in self.states.values()

    def _stop(self) -> None:
        """Stop what runs; it waits then, to go on another time. An orphan is left alone."""
        if any(attempt.process for attempt in self.active):
            self.display.say("stopping the running trials (Ctrl-C again: at once, no checkpoint)")
        before = self.interrupts.count
        stop(self.active, lambda: self.interrupts.count > before)
        for attempt in self.active:
            if attempt.process is None:
                self.display.say(f"trial {attempt.run.id} still runs, outside this sweep")
            else:
                # A stopped program may exit with 0 all the same.
                self._end(attempt.trial, "finished" if finished(attempt.run) else "waiting")

    def _report(self) -> int:
        states = list(self.states.values())
        done, failed = states.count("finished"), states.count("failed")
        say = self.display.say
        say(f"{done} of {len(states)} trials finished, {failed} failed, in {self.folder}")
        if self._hopeless() and done + failed < len(states):
            say(f"stopped: the first {HOPELESS} trials failed at once, for the reason above")
        if self.others:
            say(f"{self.others} more trials there are of an earlier version of the file")
        if done < len(states):
            say("the same command goes on with what is left, and tries again what failed")
        if done:
            say(f"vae-zoo compare {shlex.quote(str(self.folder))}")
        if done == len(states):
            return 0
        return 130 if self.interrupts.count else 1


def _reason(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"
