"""The queue of a sweep, in a database: what each trial is, who runs it, and how far it came.

A trial's id is fixed when it is added, before anything of it runs, so that a trial that is run
again finds the folder of its first attempt. What several runners could do at once is a single
statement, which succeeds for one of them.
"""

import json
import re
import secrets
import string
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from sqlalchemy import URL, Connection, create_engine, inspect, make_url, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.schema import CreateTable

from vae_zoo.sweep.grid import Parameters
from vae_zoo.sweep.tables import RUNNERS, SWEEPS, TABLES, TRIALS, VERSION

ID = r"[a-z0-9]{1,64}"
PASSWORD = re.compile(r"(?<=//).*(?=@)|(?<=\?).*")  # who connects, and options
PATIENCE = 60.0  # seconds for a server that restarts
DONE = ("finished", "stopped")
ENDED = (*DONE, "failed")
LOCK = 0x7AE_200  # of PostgreSQL, by which runners make the tables one after the other
State = Literal["waiting", "running", "finished", "failed", "stopped"]


@dataclass(frozen=True)
class Trial:
    """One trial, as the queue knew it when asked.

    Args:
        id: Of its run.
        key: What no other trial of the sweep has: its parameters, or its number in the search.
        parameters: Nested.
        state: ``stopped`` is what early termination did.
        attempts: How often it was started.
        runner: Who runs it, or was the last to.
        exit_code: Of the last attempt, if that has ended here.
        seconds: That it took.
    """

    id: str
    key: str
    parameters: Parameters
    state: State
    attempts: int = 0
    runner: str | None = None
    exit_code: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Runner:
    """A runner, as the queue knew it when asked: where it runs, and how often it said that."""

    host: str
    beats: int


def check_storage(storage: str | None) -> None:
    """Refuse an empty address, as of a variable that is not set.

    Raises:
        ValueError: It is empty.
    """
    if storage is not None and not storage.strip():
        raise ValueError("--storage is empty: give a database's address, or leave it out")


class NoSweepError(ValueError):
    """The database knows no such sweep."""


class Queue:
    """The trials of a sweep and their states, each change a transaction of its own.

    Args:
        url: Of the database: ``postgresql://…``, or the path of an SQLite file. What is not there
            yet is made.
        sweep: Name of the sweep: a database may hold several.
        search: What its trials are drawn from; a queue of others is refused. None is any search, of
            a sweep that is there.
        create: Whether to make the tables and the sweep where they are not there.

    Raises:
        ValueError: The database cannot be opened, or is of something else, of another version or
            of another search, or has no such sweep and is not to be given one.
    """

    def __init__(
        self, url: str | Path, sweep: str, search: str | None = None, create: bool = True
    ) -> None:
        self.sweep = sweep
        try:
            self._own_file = isinstance(url, Path)
            if isinstance(url, Path):
                address = URL.create("sqlite", database=str(url))
            else:
                address = make_url(url)
            self.shown = str(url) if isinstance(url, Path) else _shown(address)
            options = {"timeout": 30} if address.get_backend_name() == "sqlite" else {}
            self._engine = create_engine(address, connect_args=options, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
            raise ValueError(
                f"--storage should be as postgresql+psycopg://user@host/database, got "
                f"{PASSWORD.sub('…', str(url))}: {PASSWORD.sub('…', _reason(error))}"
            ) from error
        self._patience = 0.0  # none for a server that was never there
        dialect = sqlite if address.get_backend_name() == "sqlite" else postgresql
        self._insert = dialect.insert
        try:
            self._open(search, create and search is not None)
        except BaseException:
            self._engine.dispose()
            raise
        self._patience = 0.0 if dialect is sqlite else PATIENCE

    def _open(self, search: str | None, create: bool) -> None:
        file = self._engine.url.database or ""
        if self._engine.name == "sqlite" and not create and not Path(file).is_file():
            raise NoSweepError(f"there is no queue {self.shown}")
        with self._begin() as connection:
            # In a shared database a table of that name is another program's.
            if self._engine.name == "sqlite" and inspect(connection).has_table("trials"):
                raise ValueError(
                    f"{self.shown} was made by an older version of vae_zoo: finish the sweep with "
                    "that one, or move the file away"
                )
        with self._begin() as connection:
            self._adopt(connection)
            if create:
                if self._engine.name == "postgresql":  # where making a table is no single step
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
                for table in TABLES.sorted_tables:
                    connection.execute(CreateTable(table, if_not_exists=True))
                given = {"name": self.sweep, "version": VERSION, "search": search or ""}
                connection.execute(self._insert(SWEEPS).values(given).on_conflict_do_nothing())
            self._check(connection, search)

    def _adopt(self, connection: Connection) -> None:
        """Take the sweep that a file holds, whose folder may have been renamed since."""
        if self._engine.name == "sqlite" and inspect(connection).has_table(SWEEPS.name):
            names = connection.execute(select(SWEEPS.c.name)).scalars().all()
            if self._own_file and len(names) == 1:
                self.sweep = names[0]

    def _check(self, connection: Connection, search: str | None) -> None:
        """Refuse a queue of another version or search."""
        known = None
        if inspect(connection).has_table(SWEEPS.name):
            known = connection.execute(select(SWEEPS).where(SWEEPS.c.name == self.sweep)).first()
        if known is None:
            raise NoSweepError(f"{self.shown} has no sweep of the name {self.sweep}")
        if known.version != VERSION:
            raise ValueError(
                f"{self.shown} was made by another version of vae_zoo (its tables are "
                f"{known.version}, this one's {VERSION}): go on with that one, or choose a --name"
            )
        if search is not None and known.search != search:
            raise ValueError(
                f"{self.shown} is the queue of another sweep, with another program, command or "
                "method, or of another search: choose a --name for this one"
            )

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """A transaction.

        Raises:
            ValueError: The database refuses.
        """
        try:
            with self._connect() as connection, connection.begin():
                yield connection
        except UnicodeDecodeError as error:
            raise ValueError(f"the queue {self.shown} cannot be used: {error}") from error
        except DatabaseError as error:
            reason = _reason(error.orig or error)
            raise ValueError(f"the queue {self.shown} cannot be used: {reason}") from error

    def _connect(self) -> Connection:
        until = time.monotonic() + self._patience
        while True:
            try:
                return self._engine.connect()
            except DatabaseError:
                if time.monotonic() > until:
                    raise
                time.sleep(1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def add(self, trials: Mapping[str, Parameters]) -> None:
        """Add trials by their keys; what is there keeps its id, parameters and state."""
        rows = [
            {"sweep": self.sweep, "id": new_id(), "key": key, "parameters": json.dumps(each)}
            for key, each in trials.items()
        ]
        if rows:
            with self._begin() as connection:
                connection.execute(self._insert(TRIALS).on_conflict_do_nothing(), rows)

    def trials(self) -> list[Trial]:
        """All trials, in the order in which they were added.

        Raises:
            ValueError: One is none that a sweep has added.
        """
        query = select(TRIALS).where(TRIALS.c.sweep == self.sweep).order_by(TRIALS.c.number)
        with self._begin() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if not _is_trial(row):
                raise ValueError(
                    f"the queue {self.shown} holds a trial that no sweep has added, of the id "
                    f"{row.id!r:.40}: move the file away, and begin anew"
                )
        return [_trial(row) for row in rows]

    def claim(self, trial: Trial, runner: str) -> bool:
        """Take a trial, as long as it is as it was; say whether that came off."""
        was = (TRIALS.c.id == trial.id) & (TRIALS.c.state == trial.state)
        was &= TRIALS.c.runner.is_not_distinct_from(trial.runner)
        was &= TRIALS.c.attempts == trial.attempts  # as it may have come and gone since
        values: dict[str, Any] = {"state": "running", "runner": runner, "exit_code": None}
        values |= {"attempts": trial.attempts + 1, "started": time.time(), "ended": None}
        with self._begin() as connection:
            return connection.execute(update(TRIALS).where(was).values(values)).rowcount == 1

    def end(self, id: str, runner: str, state: State, exit_code: int | None = None) -> None:
        """Note how an attempt ended; ``waiting`` if it should go on another time."""
        values: dict[str, Any] = {"state": state, "exit_code": exit_code, "ended": time.time()}
        own = (TRIALS.c.id == id) & (TRIALS.c.runner == runner) & (TRIALS.c.state == "running")
        with self._begin() as connection:
            connection.execute(update(TRIALS).where(own).values(values))

    def join(self, runner: str, host: str) -> None:
        """Add a runner."""
        given = {"id": runner, "sweep": self.sweep, "host": host}
        with self._begin() as connection:
            connection.execute(self._insert(RUNNERS).values(given))

    def beat(self, runner: str) -> None:
        """Say that a runner lives."""
        own = update(RUNNERS).where(RUNNERS.c.id == runner)
        with self._begin() as connection:
            connection.execute(own.values(beats=RUNNERS.c.beats + 1))

    def runners(self) -> dict[str, Runner]:
        """All runners that there ever were, by their ids."""
        query = select(RUNNERS).where(RUNNERS.c.sweep == self.sweep)
        with self._begin() as connection:
            rows: Iterable[Any] = connection.execute(query).all()
        return {row.id: Runner(row.host, row.beats) for row in rows}


def new_id() -> str:
    """A random id in the form of W&B's: eight of a-z and 0-9."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def _is_trial(row: Any) -> bool:
    """Whether a row, perhaps of another's file, may be taken for a trial."""
    try:
        parameters = json.loads(row.parameters)
    except (TypeError, ValueError, RecursionError):
        return False
    numbers = (row.exit_code, row.started, row.ended)
    return (
        isinstance(row.id, str)
        and re.fullmatch(ID, row.id) is not None  # it is the name of a folder
        and isinstance(parameters, dict)
        and parameters != {}  # a sweep has one at least
        and isinstance(row.key, str)
        and row.state in get_args(State)
        and isinstance(row.attempts, int)
        and all(number is None or isinstance(number, int | float) for number in numbers)
    )


def _trial(row: Any) -> Trial:
    parameters = json.loads(row.parameters)
    seconds = row.ended - row.started if row.started and row.ended else None
    state = row.id, row.key, parameters, row.state, row.attempts, row.runner, row.exit_code
    return Trial(*state, seconds)


def _shown(address: URL) -> str:
    """Say where a database is, without passwords: options may hold them too."""
    return address.set(query={}).render_as_string()


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
