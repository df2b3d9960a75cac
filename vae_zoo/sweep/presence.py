"""Which runners of a queue live: on this machine by a lock, on others by what they say."""

import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from vae_zoo.sweep.queue import Queue, Runner

BEAT = 5.0  # seconds after which a runner says that it lives
SILENCE = 60.0  # seconds of silence after which a runner of another machine counts as dead


class Presence:
    """This runner among those of its queue.

    Clocks of machines differ: that another one is silent is measured by the clock of this one.

    Args:
        queue: The queue.
        folder: The sweep's, where each runner holds a lock as long as it lives.
    """

    def __init__(self, queue: Queue, folder: Path) -> None:
        self.queue, self.folder = queue, folder / ".runners"
        self.id = secrets.token_hex(8)
        self._lock = FileLock(self.folder / self.id, timeout=0)
        self._beaten = time.monotonic()
        self._heard: dict[str, tuple[int, float]] = {}  # beats of others, and since when

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        self.queue.join(self.id, host())
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def beat(self) -> None:
        """Say that this runner lives, from time to time."""
        if time.monotonic() > self._beaten + BEAT:
            self._beaten = time.monotonic()
            self.queue.beat(self.id)

    def living(self) -> set[str]:
        """The ids of all runners that live, as far as is known."""
        runners = self.queue.runners().items()
        return {id for id, runner in runners if id == self.id or self._lives(id, runner)}

    def elsewhere(self) -> set[str]:
        """The ids of runners of other machines, which may have been silent for long."""
        here = host().rsplit("/", 1)[0]
        runners = self.queue.runners().items()
        return {id for id, runner in runners if runner.host.rsplit("/", 1)[0] != here}

    def _lives(self, id: str, runner: Runner) -> bool:
        machine, boot = host().rsplit("/", 1)
        its_machine, its_boot = runner.host.rsplit("/", 1)
        # Of another boot it is dead, unless that is another machine of the same name.
        if its_machine == machine and (its_boot == boot or (self.folder / id).exists()):
            return is_held(self.folder / id)
        beats, since = self._heard.get(id, (-1, 0.0))
        if runner.beats != beats:
            self._heard[id] = runner.beats, time.monotonic()
            return True
        return time.monotonic() < since + SILENCE


def is_held(file: Path) -> bool:
    """Whether a living process of this machine holds a lock."""
    if not file.exists():
        return False
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def host() -> str:
    """This machine, since it was started: all that ran before that is dead."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()}/{boot.read_text().strip() if boot.exists() else ''}"
