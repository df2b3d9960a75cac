"""The process of one trial: its environment, its log, whether it lives, how it is stopped."""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.runs import Run, replace
from vae_zoo.scorecard import ScoreCard
from vae_zoo.sweep.command import fill_command
from vae_zoo.sweep.queue import Trial
from vae_zoo.sweep.space import Sweep

GRACE = 20.0  # seconds between SIGTERM and SIGKILL, for a last checkpoint


@dataclass
class Attempt:
    """A trial that runs now.

    Args:
        trial: Which one.
        run: Its folder.
        process: Its process; None for an orphan, which an earlier runner started and left behind.
        log_start: Where in the log the output of this attempt begins.
        slot: Which of the runner's places it takes.
        judged: When early termination told it to end, if it did.
    """

    trial: Trial
    run: Run
    process: subprocess.Popen[bytes] | None = None
    log_start: int = 0
    slot: int = 0
    judged: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def alive(self) -> bool:
        return in_use(self.run) if self.process is None else self.process.poll() is None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the trial and all that it started; an orphan is left alone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def judge(self) -> None:
        """Tell it to end, since others are better; if it does not, end it."""
        if self.judged is None:
            self.judged = time.monotonic()
            self.signal(signal.SIGTERM)
        elif time.monotonic() > self.judged + GRACE:
            self.signal(signal.SIGKILL)

    def warnings(self) -> list[str]:
        """What this attempt warned of, once each."""
        with log_file(self.run).open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return [*dict.fromkeys(line for line in lines if line.startswith("vae-zoo: warning: "))]

    def last_words(self, lines: int = 8) -> str:
        """The last lines that this attempt wrote, without what a progress bar wrote over."""
        with log_file(self.run).open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self.log_start, end - 8192))
            text = log.read().decode(errors="replace")
        shown = [line.rstrip().rpartition("\r")[2] for line in text.split("\n")]
        return "\n".join([line for line in shown if line.strip()][-lines:]) or "(no output)"


def log_file(run: Run) -> Path:
    """Where a trial's stdout and stderr go, attempt after attempt."""
    return run.folder / "output.log"


def in_use(run: Run) -> bool:
    """Whether a process of the trial lives.

    Its output is locked from before it starts until the last process that writes there ends, be
    the runner alive or not: the folder's own lock, which ``fit`` takes once it has loaded, is late.
    """
    if log_file(run).exists():
        with log_file(run).open("rb") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return run.in_use


def finished(run: Run) -> bool:
    """Whether the folder itself says that the run came to its end, with its score card if any."""
    run = Run(run.folder)  # afresh: a Run keeps what it has read
    try:
        if not run.finished:
            return False
        if not run.config_file.is_file() or not run.config.get("scorecard"):
            return True
        return ScoreCard.read(run.scorecard_file).parts.keys() >= PARTS.keys()
    except (OSError, ValueError):
        return False  # another program's file, which says nothing; or no card yet


def start(trial: Trial, run: Run, sweep: Sweep, jobs: int, gpus: Sequence[str] = ()) -> Attempt:
    """Start a trial in a session of its own, so that a terminal's Ctrl-C does not reach it.

    Raises:
        ValueError: A link in its folder leads elsewhere.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    run.check_links()
    json_file = run.folder / "args.json"
    command = fill_command(sweep.command, sweep.program, trial.parameters, json_file)
    if "${args_json_file}" in sweep.command:
        replace(json_file, json.dumps(trial.parameters))
    with log_file(run).open("ab") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another runner was faster: it runs, and is waited for
            return Attempt(trial, run)
        log.write(f"$ {shlex.join(command)}\n".encode())
        log.flush()
        log_start = log.tell()
        process = subprocess.Popen(
            command,
            env=environment(sweep, run.id, jobs, gpus),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Attempt(trial, run, process, log_start)


def environment(sweep: Sweep, id: str, jobs: int, gpus: Sequence[str] = ()) -> dict[str, str]:
    """What a trial finds in its environment: the user's wish goes before the file's and ours."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} if jobs > 1 else {}
    # A trial is no task of Slurm's: were it taken for one, it could not start processes of its own.
    inherited = {name: value for name, value in os.environ.items() if name != "SLURM_NTASKS"}
    # So that `vae-zoo` is found without an activated environment.
    path = [str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]
    own = {"WANDB_RUN_ID": id, "VAE_ZOO_NAME": sweep.name, "PATH": os.pathsep.join(path)}
    if gpus:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    return {**threads, **sweep.environment, **inherited, **own}


def share(gpus: Sequence[str], jobs: int, slot: int) -> Sequence[str]:
    """The GPUs of one of so many trials at once: as many for each, and one in turn of too few."""
    if len(gpus) < jobs:
        return gpus[slot % len(gpus) :][:1] if gpus else ()
    count = len(gpus) // jobs
    return gpus[slot * count : (slot + 1) * count]


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them; torch, which knows, loads slowly."""
    if (given := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [each.strip() for each in given.split(",") if each.strip()]
    if not (program := shutil.which("nvidia-smi")):
        return []
    asked = [program, "--query-gpu=index", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:  # of a driver that hangs
        return []
    return told.stdout.split() if told.returncode == 0 else []


def check_program(sweep: Sweep) -> None:
    """Refuse a command whose first word is no program, before anything is written.

    Raises:
        ValueError: It is not found on the PATH of a trial.
    """
    program = fill_command(sweep.command[:1], sweep.program, {}, Path())[0]
    if shutil.which(program, path=environment(sweep, "", jobs=1)["PATH"]) is None:
        raise ValueError(f"command starts with {program!r}, which is no program on the PATH")


def stop(attempts: list[Attempt], hurry: Callable[[], bool]) -> None:
    """End attempts: SIGTERM, then SIGKILL for what outlives the grace, at once if in a hurry."""
    attempts = [attempt for attempt in attempts if attempt.process]
    for attempt in attempts:
        attempt.signal(signal.SIGTERM)
    until = time.monotonic() + GRACE
    while alive := [attempt for attempt in attempts if attempt.alive]:
        if time.monotonic() > until or hurry():
            for attempt in alive:
                attempt.signal(signal.SIGKILL)
        time.sleep(0.05)
