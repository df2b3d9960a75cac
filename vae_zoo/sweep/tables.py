"""The tables of a queue, the same in SQLite and in PostgreSQL."""

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, UniqueConstraint

VERSION = 3  # of the tables; another version's are not read

TABLES = MetaData()
SWEEPS = Table(
    "vae_zoo_sweeps",
    TABLES,
    Column("name", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("search", String, nullable=False),
)
TRIALS = Table(
    "vae_zoo_trials",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("sweep", String, nullable=False),
    Column("id", String, nullable=False, unique=True),
    Column("key", String, nullable=False),
    Column("parameters", String, nullable=False),
    Column("state", String, nullable=False, default="waiting"),
    Column("runner", String),
    Column("attempts", Integer, nullable=False, default=0),
    Column("exit_code", Integer),
    Column("started", Float),
    Column("ended", Float),
    UniqueConstraint("sweep", "key"),
)
RUNNERS = Table(
    "vae_zoo_runners",
    TABLES,
    Column("id", String, primary_key=True),
    Column("sweep", String, nullable=False),
    Column("host", String, nullable=False),
    Column("beats", Integer, nullable=False, default=0),
)
