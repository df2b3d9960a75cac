"""Train many times over, and look whether memory, threads, open files or temporary files grow.

    python benchmarks/soak.py --fits 200 --trials 500

First so many short fits in this process, each with its score card left out, metrics, checkpoints
and W&B offline; then a sweep of so many trials, two at a time, whose runner is looked at from
outside. All in a temporary folder. An hour on two cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console
from rich.table import Table

MEGABYTE = 2**20
LOOKS = 10  # at what is used, in the course of each part
FIT = {"trainer": {"max_steps": 20, "limit_val_batches": 1, "limit_test_batches": 1}}
EXAMPLES = 4  # trials of a kind, before the weight changes


class Usage(NamedTuple):
    """What a process uses.

    Args:
        done: Fits or trials so far.
        memory: Resident, MiB.
        threads: Number of them.
        files: That it has open.
        children: Processes that it has started and that run.
        temporary: Files and folders in the temporary folder.
    """

    done: int
    memory: float
    threads: int
    files: int
    children: int
    temporary: int

    @classmethod
    def of(cls, done: int, process: int, temporary: Path) -> "Usage":
        place = Path(f"/proc/{process}")
        pages = int((place / "statm").read_text().split()[1])
        tasks = [*(place / "task").iterdir()]
        children = sum(len((task / "children").read_text().split()) for task in tasks)
        files = len([*(place / "fd").iterdir()])
        found = sum(1 for _ in temporary.rglob("*"))
        memory = pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
        return cls(done, memory, len(tasks), files, children, found)


def fits(count: int, temporary: Path) -> list[Usage]:
    """Use of this process in the course of that many fits."""
    from vae_zoo.cli import main

    Path("short.yaml").write_text(yaml.safe_dump({**FIT, "scorecard": False}))
    used = []
    for i in range(count):
        weight = f"--model.regularizer.weight={1 + i / 10}"
        words = ["fit", "-c", "base", "-c", "short.yaml", "--name", "fits", weight]
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            try:
                main(words)
            except SystemExit as end:
                if end.code:
                    raise RuntimeError(said.getvalue()) from end
        if (i + 1) % max(1, count // LOOKS) == 0:
            used.append(Usage.of(i + 1, os.getpid(), temporary))
    return used


def trials(count: int, temporary: Path) -> list[Usage]:
    """Use of the runner of a sweep in the course of that many trials."""
    sweep = {
        "program": "vae-zoo",
        "method": "grid",
        "command": ["${env}", "${program}", "fit", "--config", "base", "--config", "${args_json}"],
        "parameters": {
            "seed_everything": {"values": [*range(EXAMPLES)]},
            "scorecard": {"value": False},
            "trainer": {"value": {**FIT["trainer"], "logger": False}},
            "model": {
                "values": [
                    {"regularizer": {"class_path": "KL", "init_args": {"weight": 1 + i / 100}}}
                    for i in range(count // EXAMPLES)
                ]
            },
        },
    }
    Path("soak.yaml").write_text(yaml.safe_dump(sweep))
    words = [sys.executable, "-m", "vae_zoo", "sweep", "soak.yaml", "-j", "2", "--quiet"]
    used, step, target = [], max(1, count // LOOKS), max(1, count // LOOKS)
    with Path("soak.log").open("wb") as log:
        runner = subprocess.Popen(words, stdout=log, stderr=log)
        while runner.poll() is None:
            time.sleep(0.2)
            done = sum(1 for _ in Path("runs/soak").glob("*/checkpoints/last.ckpt"))
            if done >= target:
                used.append(Usage.of(done, runner.pid, temporary))
                print(used[-1], flush=True)
                target = done - done % step + step
    print(Path("soak.log").read_text().strip())
    return used


def show(title: str, used: list[Usage], console: Console) -> None:
    """Print what was used."""
    table = Table(title=title, box=None)
    for name in Usage._fields:
        table.add_column(name, justify="right")
    for each in used:
        table.add_row(str(each.done), f"{each.memory:.0f} MiB", *map(str, each[2:]))
    console.print(table)


def soak(part: Callable[[int, Path], list[Usage]], count: int, title: str) -> None:
    """Run a part in a temporary folder that holds all its temporary files too."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "tmp"
        temporary.mkdir()
        os.environ |= {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
        tempfile.tempdir = None
        os.chdir(folder)
        begin = time.perf_counter()
        used = part(count, temporary)
        os.chdir("/")
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        seconds = time.perf_counter() - begin
        show(f"{count} {title}, {seconds:.0f} s", used, Console(width=100))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--trials", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.fits:
        soak(fits, arguments.fits, "fits in one process")
    if arguments.trials:
        soak(trials, arguments.trials, "trials of one runner")
