"""Kill a sweep at random moments, again and again, and compare its results with an undisturbed one.

    python benchmarks/kills.py --kills 100

Both are sweeps of 24 trials on scikit-learn's digits, in a temporary folder. What is killed, by
SIGKILL, is the runner, a trial, or both at once; the same command is then typed again. Each trial
must end up finished once, with the same terms to the last bit. A quarter of an hour on two cores.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from vae_zoo.runs import Run
from vae_zoo.sweep.queue import Queue

SWEEP = {
    "program": "vae-zoo",
    "method": "grid",
    "command": ["${env}", "${program}", "fit", "--config", "base", "--config", "${args_json}"],
    "parameters": {
        "seed_everything": {"values": [0, 1, 2, 3]},
        "scorecard": {"value": False},
        "trainer": {
            "value": {"max_epochs": 80, "logger": False},
        },
        "model": {
            "values": [
                {"regularizer": {"class_path": "KL", "init_args": {"weight": 0.5}}},
                {"regularizer": {"class_path": "KL", "init_args": {"weight": 1.0}}},
                {"regularizer": {"class_path": "MMD", "init_args": {"weight": 100.0}}},
                {"regularizer": {"class_path": "SlicedWasserstein", "init_args": {"weight": 30.0}}},
                {"regularizer": {"class_path": "CriticWasserstein"}},
                {"prior": {"class_path": "MixtureOfNormals", "init_args": {"components": 10}}},
            ]
        },
    },
}
Table = dict[str, dict[str, float]]


def command(name: str) -> list[str]:
    """The runner's command line."""
    return [sys.executable, "-m", "vae_zoo", "sweep", "kills.yaml", "--name", name, "-j", "2"]


def run(name: str) -> subprocess.Popen[bytes]:
    """Start a runner."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    with Path(f"{name}.log").open("ab") as log:
        return subprocess.Popen(command(name), env=environment, stdout=log, stderr=log)


def trials(name: str) -> list[int]:
    """The processes of the trials that run now, by what their environment says."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if f"VAE_ZOO_NAME={name}".encode() in environment and b"fit" in words:
                found.append(int(folder.name))
    return found


def kill(pid: int) -> None:
    """Kill a process by SIGKILL, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def disturb(name: str, kills: int, chance: random.Random) -> Counter[str]:
    """Run a sweep, killing this and that at random moments, until it was killed often enough."""
    counts: Counter[str] = Counter()
    runner = run(name)
    while counts.total() < kills and runner.poll() != 0:
        time.sleep(chance.uniform(0.2, 5.0))
        if runner.poll():  # trials that were killed wait for the next one
            runner = run(name)
            continue
        what = chance.choice(["runner", "trial", "both"])
        there = trials(name)
        if what != "runner" and not there:
            continue
        counts[what] += 1
        if what != "trial":
            runner.kill()
            runner.wait()
        if what != "runner":
            kill(chance.choice(there))
        if what != "trial":
            time.sleep(chance.choice([0.0, chance.uniform(0.0, 5.0)]))  # while orphans live
            runner = run(name)
    while runner.wait():
        runner = run(name)
    return counts


def results(name: str) -> tuple[Table, Counter[str], int]:
    """The terms of each trial, by its parameters; the states; how often trials were started."""
    table: Table = {}
    folder = Path("runs", name)
    with Queue(folder / "sweep.db", name) as queue:
        known = queue.trials()
    for trial in known:
        rows: Any = Run(folder / trial.id).summary
        table[trial.key] = {key: rows[key] for key in rows if not key.startswith("cost/")}
    return table, Counter(trial.state for trial in known), sum(trial.attempts for trial in known)


def main() -> None:
    """Print what was killed, and whether the results are the same."""
    parser = argparse.ArgumentParser(description="Kill a sweep at random moments.")
    parser.add_argument("--kills", type=int, default=100, help="how often (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    options = parser.parse_args()
    console, folder = Console(), tempfile.mkdtemp()
    os.chdir(folder)
    Path("kills.yaml").write_text(yaml.safe_dump(SWEEP))
    start = time.monotonic()
    while run("calm").wait():
        console.print("the undisturbed sweep failed:", Path("calm.log").read_text()[-2000:])
        sys.exit(1)
    console.print(f"undisturbed: {time.monotonic() - start:.0f} s")
    start = time.monotonic()
    counts = disturb("killed", options.kills, random.Random(options.seed))
    console.print(f"killed: {dict(counts)}, {time.monotonic() - start:.0f} s")
    calm, states, _ = results("calm")
    table, killed_states, attempts = results("killed")
    console.print(f"states: {dict(states)} undisturbed, {dict(killed_states)} killed")
    console.print(f"starts of the {len(table)} trials of the killed one: {attempts}")
    differing = [key for key in calm if calm[key] != table.get(key)]
    console.print(f"trials whose numbers differ: {len(differing)} of {len(calm)}")
    for key in differing:
        console.print(key, calm[key], table.get(key))
    if not differing:
        shutil.rmtree(folder)
    sys.exit(bool(differing) or killed_states != states)


if __name__ == "__main__":
    main()
