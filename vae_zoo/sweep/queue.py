"""The queue of a sweep, in one SQLite file: what each trial is and how far it came.

A row is a trial. Its id is fixed when it is added, before anything of it runs, so that a trial that
is run again finds the folder of its first attempt.
"""

import json
import secrets
import sqlite3
import string
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from vae_zoo.sweep.space import Parameters, canonical

State = Literal["waiting", "running", "finished", "failed"]

_TABLE = """
CREATE TABLE IF NOT EXISTS trials (
    id TEXT PRIMARY KEY,
    parameters TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER,
    started REAL,
    ended REAL
)"""


@dataclass(frozen=True)
class Trial:
    """One trial, as the queue knew it when asked."""

    id: str
    parameters: Parameters
    state: State
    attempts: int


class Queue:
    """The trials of a sweep and their states, each change a transaction of its own.

    Args:
        file: The SQLite file; made if it is absent.

    Raises:
        ValueError: The file is something else.
    """

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, timeout=30)
        try:
            with self._connection:
                self._connection.execute(_TABLE)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise ValueError(f"{file} is no queue of a sweep ({error}): move it away") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, parameters: Iterable[Parameters]) -> None:
        """Add what is not in the queue yet; what is there keeps its id and state."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR IGNORE INTO trials (id, parameters) VALUES (?, ?)",
                [(new_id(), canonical(each)) for each in parameters],
            )

    def trials(self) -> list[Trial]:
        """All trials, in the order in which they were added."""
        rows = self._connection.execute(
            "SELECT id, parameters, state, attempts FROM trials ORDER BY rowid"
        )
        return [Trial(id, json.loads(text), state, attempts) for id, text, state, attempts in rows]

    def start(self, id: str) -> None:
        """Note that a trial is about to run, before it does."""
        with self._connection:
            self._connection.execute(
                "UPDATE trials SET state = 'running', attempts = attempts + 1, exit_code = NULL,"
                " started = ?, ended = NULL WHERE id = ?",
                (time.time(), id),
            )

    def end(self, id: str, state: State, exit_code: int | None = None) -> None:
        """Note how an attempt ended; ``waiting`` if it should go on another time."""
        with self._connection:
            self._connection.execute(
                "UPDATE trials SET state = ?, exit_code = ?, ended = ? WHERE id = ?",
                (state, exit_code, time.time(), id),
            )


def new_id() -> str:
    """A random id in the form of W&B's: eight of a-z and 0-9."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
