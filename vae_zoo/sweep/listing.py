"""The trials of a sweep, listed: as command lines before they run, and with their states after."""

import shlex
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
from vae_zoo.sweep.progress import score
from vae_zoo.sweep.queue import NoSweepError, Queue, Trial, new_id
from vae_zoo.sweep.source import Source

DONE = ("finished", "stopped")


def list_trials(file: Path, name: str | None, storage: str | None, seed: int) -> None:
    """Print the command line of each trial that is not done, a line each; nothing is written.

    They can be run anywhere, as by an array of Slurm: each holds its run's id, so that one that is
    run again goes on where it was.

    Args:
        file: The sweep file.
        name: The folder below ``runs/``; by default the file's.
        storage: URL of the queue, if it is no file in that folder.
        seed: Of a random search.

    Raises:
        ValueError: The file or the queue is not right, or the trials depend on results.
    """
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
        given = {**sweep.environment, "WANDB_RUN_ID": trial.id, "VAE_ZOO_NAME": sweep.name}
        words = [f"{key}={value}" for key, value in given.items()]
        print(shlex.join(["env", *words, *command]))


def _trials(source: Source, storage: str | None, folder: Path) -> list[Trial]:
    known, address = [], storage or folder / "sweep.db"
    if isinstance(address, str) or address.is_file():
        with (
            suppress(NoSweepError),
            Queue(address, source.sweep.name, source.search, create=False) as queue,
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
        raise ValueError(f"{folder} is no sweep's folder: it has no sweep.db")
    with Queue(storage or file, folder.name) as queue:
        trials, living = queue.trials(), Presence(queue, folder).living()
    table = Table(box=None, pad_edge=False)
    for column in ("trial", "state", "starts", "", "what it varies"):
        table.add_column(column)
    for trial, text in zip(trials, labels([t.parameters for t in trials]), strict=True):
        state = "left" if trial.state == "running" and trial.runner not in living else trial.state
        found = score(Run(folder / trial.id))
        table.add_row(trial.id, state, str(trial.attempts), Text(found), Text(text))
    console = Console()
    console.print(table)
    states = [trial.state for trial in trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    console.print(Text(f"{len(states)} trials: {counts}", "dim"))
