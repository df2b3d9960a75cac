"""Run the trials of a sweep on this machine, some at a time, and go on after any interruption."""

import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from vae_zoo.runs import ROOT, Run
from vae_zoo.sweep.agenda import Agenda
from vae_zoo.sweep.grid import Parameters
from vae_zoo.sweep.hyperband import Hyperband
from vae_zoo.sweep.interrupts import Interrupts
from vae_zoo.sweep.labels import labels
from vae_zoo.sweep.metric import Metric
from vae_zoo.sweep.presence import Presence
from vae_zoo.sweep.process import Attempt, check_program, finished, gpus, in_use, share, start, stop
from vae_zoo.sweep.progress import Display
from vae_zoo.sweep.queue import DONE, ENDED, Queue, State, Trial, check_storage
from vae_zoo.sweep.rehearsal import check_parameters
from vae_zoo.sweep.report import report
from vae_zoo.sweep.source import Source

POLL = 0.1  # seconds between two looks at the processes
QUICK = 60.0  # seconds within which a program that cannot work fails
HOPELESS = 3  # as many quick failures, and nothing finished: the program cannot work
SPARE = 64 * 2**20  # bytes that a disk must have left
KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # by others, not its own
STOPPED = 128 + signal.SIGTERM  # the exit code of a program that was told to end, and did


def run_sweep(
    file: Path,
    name: str | None = None,
    jobs: int = 1,
    storage: str | None = None,
    seed: int = 0,
    retry_failed: bool = False,
    quiet: bool = False,
) -> int:
    """Run a W&B sweep file, the one that ``wandb sweep`` takes, or what is left of it.

    Several runners may share a queue, on one machine or on many.

    Args:
        file: The sweep file.
        name: The folder below ``runs/``; by default the file's ``name:``, else its stem.
        jobs: How many trials run at once.
        storage: URL of the queue's database; by default ``sweep.db`` in the sweep's folder.
        seed: Of a random or Bayesian search.
        retry_failed: Whether trials that failed before are tried again.
        quiet: Whether to print the end alone.

    Returns:
        The exit code: 0 if all trials are finished, 128 + the signal that interrupted it, else 1.

    Raises:
        ValueError: The file, the name or the number of jobs is wrong, or the queue is of something
            else.
        OSError: The disk is full.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    check_storage(storage)
    source = Source.read(file, name, seed)
    sweep = source.sweep
    check_program(sweep)
    folder = ROOT / sweep.name
    begun = storage is not None or (folder / "sweep.db").is_file()
    if not begun:
        check_parameters(sweep, source.new())
    folder.mkdir(parents=True, exist_ok=True)
    if not _has_space(folder):
        raise OSError(f"{folder}: there is no space left on its disk: make some, and try again")
    with (
        Queue(storage or folder / "sweep.db", sweep.name, source.search) as queue,
        Presence(queue, folder) as presence,
        Interrupts() as interrupts,
    ):
        if begun:
            check_parameters(sweep, source.new(queue.trials()))
        queue.add(source.given)
        agenda = Agenda(queue, source, presence)
        runner = Runner(source, folder, agenda, interrupts, jobs, Display(quiet))
        return runner.run(retry_failed)


class Runner:
    """One pass over a queue: takes trials, waits for them, notes how they end.

    Args:
        source: What the file asks for.
        folder: ``runs/<name>``.
        agenda: What there is to do.
        interrupts: Looked at between two steps.
        jobs: How many trials run at once.
        display: Shows what happens.
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        agenda: Agenda,
        interrupts: Interrupts,
        jobs: int,
        display: Display,
    ) -> None:
        self.source, self.sweep, self.folder, self.jobs = source, source.sweep, folder, jobs
        self.agenda, self.interrupts, self.display = agenda, interrupts, display
        self.queue, self.id = agenda.queue, agenda.presence.id
        sweep = source.sweep
        self.metric = Metric(sweep.metric, self._run_of) if sweep.metric else None
        self.hyperband = source.hyperband
        self.free = list(range(jobs))  # slots, by which GPUs are dealt out
        self.gpus = gpus()
        self.active: list[Attempt] = []
        self.quick_failures = 0
        self.reason = ""  # why no more trials are started
        self.reached = False  # the metric's target

    def run(self, retry_failed: bool = False) -> int:
        """Run until nothing is left, or an interrupt, or no hope; return the exit code."""
        with self.display:
            try:
                self._look(now=True)
                if retry_failed:
                    self.agenda.retry_failed()
                else:
                    self._remember_failures()
                while self._goes_on():
                    self._collect()
                    self._look()
                    self._fill()
                    self.display.update()
                    time.sleep(POLL)
            finally:
                self._stop()
        self._look(now=True)
        report(self.agenda, self.folder, self.reason, self.reached, self.display.conclude)
        if self.reached or self.agenda.count(*DONE) == self.agenda.total:
            return 0
        return self.interrupts.exit_code or 1

    def _goes_on(self) -> bool:
        if self.interrupts.count > 1:
            return False
        if self.active:
            if self.interrupts.count:
                self.display.say_once(
                    "no new trials; those that run are waited for (Ctrl-C again: they are stopped, "
                    "and go on another time)"
                )
            return True
        return not self.interrupts.count and not self.reason and self.agenda.is_open

    def _look(self, now: bool = False) -> None:
        """Look at the queue, from time to time, and at what the trials have logged."""
        if not self.agenda.look(now):
            return
        trials = self.agenda.trials
        texts = labels([trial.parameters for trial in trials])
        named = dict(zip((trial.id for trial in trials), texts, strict=True))
        over = self.agenda.count(*ENDED)
        self.display.know(named, self.agenda.count("finished"), over, self.agenda.total)
        if self.metric and self.metric.reached(trials):
            self.reached = True
            self.reason = f"{self.metric.name} has reached its target, {self.metric.target}"
        if self.metric and self.hyperband:
            self._terminate_early(self.metric, self.hyperband)

    def _terminate_early(self, metric: Metric, hyperband: Hyperband) -> None:
        mine = {attempt.run.id: attempt for attempt in self.active if attempt.process}
        states = ("running", "finished", "stopped")
        judged = [trial.id for trial in self.agenda.trials if trial.state in states]
        histories = {id: metric.history(id) for id in judged}
        training = {id for id, attempt in mine.items() if not Run(attempt.run.folder).finished}
        for id in hyperband.to_stop(histories, training):
            mine[id].judge()

    def _fill(self) -> None:
        while self.free and not self.interrupts.count and not self.reason:
            if trial := self.agenda.next():
                if self.agenda.claim(trial):
                    self._begin(trial)
            elif proposed := self._proposed():
                self.queue.add(proposed)
            else:
                return
            self._look(now=True)

    def _proposed(self) -> dict[str, Parameters]:
        return self.source.propose(self.agenda.trials, self.metric) if self.metric else {}

    def _begin(self, trial: Trial) -> None:
        run = self._run_of(trial.id)
        if in_use(run):  # an orphan, which outlived its runner
            attempt = Attempt(trial, run)
        elif trial.attempts and finished(run):  # it ended when its runner could not note it
            self._end(trial, "finished")
            self.display.say(f"finished  {trial.id}: it had come to its end before")
            return
        else:
            own = share(self.gpus, self.jobs, self.free[0])
            attempt = start(trial, run, self.sweep, self.jobs, own)
        attempt.slot = self.free.pop(0)
        self.active.append(attempt)
        self.display.started(attempt)

    def _run_of(self, id: str) -> Run:
        return Run(self.folder / id)

    def _collect(self) -> None:
        for attempt in [attempt for attempt in self.active if not attempt.alive]:
            self.active.remove(attempt)
            self.free = sorted([*self.free, attempt.slot])
            state, reason = self._outcome(attempt)
            code = attempt.process.returncode if attempt.process else None
            self._end(attempt.trial, state, code)
            self._look(now=True)
            self.display.ended(attempt, state, reason)
            if state == "failed":
                self.quick_failures += attempt.seconds < QUICK
                words = attempt.last_words().replace("\n", "\n    ")
                self.display.say(f"    {words}")
                if self.quick_failures >= HOPELESS and not self._has_hope():
                    last = words.rpartition("\n")[2].strip()
                    self.reason = f"the first {HOPELESS} trials failed at once: {last}"
            elif state == "finished" and attempt.process:
                for warning in attempt.warnings():  # nobody reads the log of what ended well
                    self.display.say(f"    {warning}")
                self._check_metric(attempt.run)

    def _remember_failures(self) -> None:
        """Start no more trials of a sweep that has been given up before."""
        quick = [t for t in self.agenda.trials if t.state == "failed" and (t.seconds or 0) < QUICK]
        if len(quick) >= HOPELESS and not self._has_hope():
            self.reason = f"{len(quick)} trials have failed at once, and none has finished"

    def _has_hope(self) -> bool:
        """Whether a trial has finished, or has lived for longer than those that fail at once."""
        lasting = any(attempt.seconds > QUICK for attempt in self.active)
        return lasting or self.agenda.count("finished") > 0

    def _outcome(self, attempt: Attempt) -> tuple[State, str]:
        """How an attempt ended, and why."""
        if attempt.process is None:
            return ("finished" if finished(attempt.run) else "waiting"), ""
        code = attempt.process.returncode
        if code == 0:
            return "finished", ""
        if attempt.judged:
            return "stopped", "early: others are better"
        if -code in KILLS or code == STOPPED:
            self.agenda.another_time.add(attempt.run.id)
            number = -code if code < 0 else signal.SIGTERM
            return "waiting", f"killed by {signal.Signals(number).name}"
        if not _has_space(self.folder):
            self.agenda.another_time.add(attempt.run.id)
            self.reason = f"there is no space left on the disk of {self.folder}: make some"
            return "waiting", self.reason
        return "failed", signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _check_metric(self, run: Run) -> None:
        """Complain of a metric that runs do not log."""
        if self.metric and (complaint := self.metric.complaint(run.id)):
            if self.source.bayes or self.hyperband:
                self.reason = complaint
            else:
                self.display.say_once(f"    {complaint}")

    def _end(self, trial: Trial, state: State, code: int | None = None) -> None:
        self.queue.end(trial.id, self.id, state, code)

    def _stop(self) -> None:
        """Stop what runs; it waits then, to go on another time. An orphan is left alone."""
        with suppress(ValueError):  # what cannot be noted is found out by the next runner
            self._collect()
        if any(attempt.process for attempt in self.active):
            self.display.say("stopping the running trials (Ctrl-C again: at once)")
        before = min(self.interrupts.count, 2)
        stop(self.active, lambda: self.interrupts.count > before)
        for attempt in self.active:
            if attempt.process is None:
                self.display.say(f"trial {attempt.run.id} still runs, outside this sweep")
                continue
            # A stopped program may exit with 0 all the same.
            state: State = "stopped" if attempt.judged else "waiting"
            with suppress(ValueError):
                self._end(attempt.trial, "finished" if finished(attempt.run) else state)


def _has_space(folder: Path) -> bool:
    return shutil.disk_usage(folder).free >= SPARE
