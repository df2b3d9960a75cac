"""What a user sees of a running sweep: bars on a terminal, plain lines elsewhere."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from vae_zoo.runs import Run
from vae_zoo.sweep.process import Attempt

REFRESH = 1.0  # seconds between two looks into the running trials' folders


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _score(run: Run, *stages: str) -> str:
    """The ELBO at a stage, the loss where there is none, or nothing."""
    summary = run.summary
    names = [f"{stage}/{term}" for stage in stages for term in ("elbo", "loss")]
    return next((f"{name} {summary[name]:.2f}" for name in names if name in summary), "")


def score(run: Run) -> str:
    """What a run came to on the test split, or on the validation split so far."""
    try:
        return _score(run, "test", "val")
    except (ValueError, OSError):
        return ""  # another program's file


class Watched:
    """How far a running trial came, by the files that it writes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.max_epochs = 0
        self.fraction = 0.0
        self.text = "starting"

    def look(self) -> None:
        run = Run(self.run.folder)  # a Run keeps what it has read
        try:
            if not self.max_epochs and run.config_file.exists():
                self.max_epochs = max(int(run.config["trainer"]["max_epochs"]), 0)
            epoch = int(run.summary["epoch"]) + 1
            score = _score(run, "val")
            scoring = run.finished
        except (ValueError, OSError, KeyError, TypeError):
            return  # not written yet, or another program's: its last state still holds
        if self.max_epochs:
            epoch = min(epoch, self.max_epochs)  # the test comes after the last one
            self.fraction = epoch / self.max_epochs
        if scoring:
            self.text = f"score card {_score(run, 'test')}"
            return
        self.text = f"epoch {epoch}{f'/{self.max_epochs}' * bool(self.max_epochs)} {score}"


class Display:
    """Follow the trials of a sweep.

    Args:
        quiet: Whether to show the end alone.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.labels: dict[str, str] = {}  # the short text of each trial, by its id
        self.finished = self.over = self.count = 0
        self.console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[status]}", markup=False),
            console=self.console,
            refresh_per_second=2,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self.total = self.bars.add_task("all trials", total=0, status="")
        self._tasks: dict[str, TaskID] = {}
        self._watched: dict[str, Watched] = {}
        self._said: set[str] = set()
        self._began = self._looked = time.monotonic()
        self._before: int | None = None  # trials that had ended when this began

    def know(self, labels: dict[str, str], finished: int, over: int, count: int) -> None:
        """Be told of all trials, and of how many are finished, or over for whatever reason."""
        self.labels, self.finished, self.over, self.count = labels, finished, over, count
        if self._before is None:
            self._before = self.over
        self.bars.update(self.total, completed=self.over, total=count)

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def say(self, text: str) -> None:
        """Print a line, above the bars."""
        if not self.quiet:
            self.console.print(text)

    def say_once(self, text: str) -> None:
        """Print a line that was not printed before."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def conclude(self, text: str) -> None:
        """Print a line of the end, though it be quiet."""
        self.console.print(text)

    def started(self, attempt: Attempt) -> None:
        """Show a trial that runs from now on."""
        id, again = attempt.run.id, " again" if attempt.trial.attempts else ""
        if attempt.process is None:
            self.say(f"waiting   {self._name(id)}: it runs already, outside this sweep")
        elif not self.console.is_terminal:
            self.say(f"started   {self._name(id)}{again}")
        self._watched[id] = Watched(attempt.run)
        self._tasks[id] = self.bars.add_task(self.labels[id] or id, total=1, status="starting")

    def ended(self, attempt: Attempt, state: str, reason: str = "") -> None:
        """Show how an attempt ended."""
        id = attempt.run.id
        self._watched.pop(id)
        self.bars.remove_task(self._tasks.pop(id))
        about = [
            f"in {duration(attempt.seconds)}",
            reason or score(Run(attempt.run.folder)),
            self._outlook(),
        ]
        self.say(f"{state:9} {self._name(id)}: {', '.join(each for each in about if each)}")

    def update(self) -> None:
        """Look into the folders of the running trials, once a second."""
        if self.bars.disable or time.monotonic() < self._looked + REFRESH:
            return
        self._looked = time.monotonic()
        for id, watched in self._watched.items():
            watched.look()
            self.bars.update(self._tasks[id], completed=watched.fraction, status=watched.text)
        self.bars.update(self.total, completed=self.over, status=self._outlook())

    def _name(self, id: str) -> str:
        return f"{id}  {self.labels[id]}".rstrip()

    def _outlook(self) -> str:
        """The whole: how much is finished, and the time left at the speed so far."""
        text = f"{self.finished}/{self.count} finished"
        before = self._before or 0
        done = self.over - before + sum(watched.fraction for watched in self._watched.values())
        todo = self.count - before
        if done <= 0 or done >= todo:
            return text
        seconds = (time.monotonic() - self._began) * (todo - done) / done
        return f"{text}, about {duration(seconds)} left"
