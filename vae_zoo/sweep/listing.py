"""The trials of a sweep, listed: as command lines before they run, and with their states after."""

import os
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vae_zoo.runs import ROOT, Run
from vae_zoo.sweep.command import fill_command
from vae_zoo.sweep.labels import labels
from vae_zoo.sweep.presence import Presence
from vae_zoo.sweep.process import check_program
from vae_zoo.sweep.progress import duration, score
from vae_zoo.sweep.queue import DONE, NoSweepError, Queue, Trial, check_storage, new_id
from vae_zoo.sweep.source import Source

WIDE = 1000  # columns where there is no terminal: a line each
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ESCAPED = re.compile(r"[\x00-\x1f\x7f\\']")


def list_trials(file: Path, name: str | None, storage: str | None, seed: int) -> None:
    """Print the command line of each trial that is not done, a line each; nothing is written.

    They can be run anywhere, as by an array of Slurm: each holds its run's id, so that one that is
    run again goes on where it was. Trials that no queue knows get new ids at each call.

    Args:
        file: The sweep file.
        name: The folder below ``runs/``; by default the file's.
        storage: URL of the queue, if it is no file in that folder.
        seed: Of a random search.

    Raises:
        ValueError: The file or the queue is not right, or the trials depend on results.
    """
    check_storage(storage)
    source = Source.read(file, name, seed)
    sweep = source.sweep
    check_program(sweep)
    if source.bayes:
        raise ValueError(f"{file}: method: bayes chooses each trial by the results of others")
    if "${args_json_file}" in sweep.command:
        raise ValueError(
            f"{file}: ${{args_json_file}} is no file before a trial: use ${{args_json}}"
        )
    for trial in _trials(source, storage, ROOT / sweep.name):
        command = fill_command(sweep.command, sweep.program, trial.parameters, Path())
        wished = {key: word for key, word in sweep.environment.items() if key not in os.environ}
        given = {**wished, "WANDB_RUN_ID": trial.id, "VAE_ZOO_NAME": sweep.name}
        words = [f"{key}={value}" for key, value in given.items()]
        print(" ".join(map(_quoted, ["env", *words, *command])))


def _quoted(word: str) -> str:
    """Quote for bash, so that a line break stays within a line."""
    if CONTROL.search(word):
        return "$'" + ESCAPED.sub(lambda match: f"\\x{ord(match[0]):02x}", word) + "'"
    return shlex.quote(word)


def _trials(source: Source, storage: str | None, folder: Path) -> list[Trial]:
    known: list[Trial] = []
    with (
        suppress(NoSweepError),
        Queue(
            storage or folder / "sweep.db", source.sweep.name, source.search, create=False
        ) as queue,
    ):
        known = [trial for trial in queue.trials() if source.wants(trial)]
    there = {trial.key for trial in known}
    new = {key: each for key, each in source.given.items() if key not in there}
    known += [Trial(new_id(), key, each, "waiting") for key, each in new.items()]
    return [trial for trial in known if trial.state not in DONE]


def show_status(folder: Path, storage: str | None = None) -> None:
    """Print the trials of a sweep, and how far each came.

    Args:
        folder: ``runs/<name>``.
        storage: URL of the queue, if it is no file in the folder.

    Raises:
        ValueError: There is no queue.
    """
    file = folder / "sweep.db"
    if not storage and not file.is_file():
        raise ValueError(f"{folder} is no sweep's folder: it has no sweep.db (or --storage?)")
    with Queue(storage or file, folder.name) as queue:
        trials, presence = queue.trials(), Presence(queue, folder)
        living, elsewhere = presence.living(), presence.elsewhere()
    table = Table(box=None, pad_edge=False)
    for column in ("trial", "state", "starts", "took", "", "what it varies"):
        table.add_column(column, no_wrap=column in ("trial", "state"))
    states = []
    for trial, text in zip(trials, labels([t.parameters for t in trials]), strict=True):
        state: str = trial.state
        if state == "running":
            state = "left" if trial.runner not in living else state
            state += " elsewhere" * (trial.runner in elsewhere & living)
        states.append(state)
        if state == "failed":
            state += f" ({trial.exit_code})"
        took = "" if trial.seconds is None else duration(trial.seconds)
        found = score(Run(folder / trial.id))
        table.add_row(trial.id, state, str(trial.attempts), took, Text(found), Text(text))
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(table)
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    console.print(Text(f"{len(states)} trials: {counts}", "dim"))
