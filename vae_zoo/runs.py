"""A run's folder, ``runs/<name>/<id>``: where its files lie, and how they are read.

Sweeps and comparisons know runs only through these files, so nothing here imports torch.
"""

import csv
import os
import re
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from vae_zoo.plain_yaml import read_yaml_file

ROOT = Path("runs")
STAGES = ("train", "val", "test")
# What a trial's configuration on W&B has, that no sweep gave it.
RESERVED = {"_wandb", "resolved", "zoo"}
# The link of W&B's client to a log of its own, which it makes anew and never writes through.
LOG_OF_WANDB = re.compile(r"wandb/[^/]+/logs/debug-core\.log")


@dataclass(frozen=True)
class Run:
    """One run, by its folder.

    Args:
        folder: ``runs/<name>/<id>``.
    """

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def name(self) -> str:
        return self.folder.parent.name

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.csv"

    @property
    def scorecard_file(self) -> Path:
        return self.folder / "scorecard.json"

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The complete configuration.

        Raises:
            ValueError: The file is no YAML mapping.
        """
        self.check_links()
        try:
            config = read_yaml_file(self.config_file)
        except ValueError as error:
            reason = str(error).removeprefix("no valid YAML: ")
            raise ValueError(f"{self.config_file} is no valid YAML: {reason}") from error
        if not isinstance(config, dict):
            raise ValueError(f"{self.config_file} should hold a mapping, got {config!r:.80}")
        return config

    def check_links(self) -> None:
        """Refuse a folder that would have files read or written elsewhere, or never to an end.

        Raises:
            ValueError: A link in it leads out of it, it holds what is neither file nor folder, or
                settings of W&B's client, which no run has.
        """
        if self.folder.is_dir():
            _ = self._checked

    def import_own(self, trusted: Sequence[str]) -> None:
        """Let modules of one's own be found in the current folder, after all others.

        Raises:
            ValueError: The current folder is the run's, whose modules may be another's.
        """
        here = Path.cwd()
        if here.is_relative_to(self.folder.resolve()):
            raise ValueError(
                f"--trust {' '.join(trusted)}: the current folder is the run's own, whose modules "
                "may be another's: start this in the folder of yours"
            )
        if str(here) not in sys.path:
            sys.path.append(str(here))

    @cached_property
    def _checked(self) -> bool:
        home = self.folder.resolve()
        for root, folders, files in os.walk(home):
            for name in (*folders, *files):
                path = Path(root, name)
                shown = self.folder / path.relative_to(home)
                try:
                    mode = path.lstat().st_mode
                except FileNotFoundError:  # of a run that goes on
                    continue
                if stat.S_ISLNK(mode):
                    own = LOG_OF_WANDB.fullmatch(path.relative_to(home).as_posix())
                    if not own and not path.resolve().is_relative_to(home):
                        raise ValueError(
                            f"{shown} is a link out of the run's folder, to {path.readlink()}: put "
                            "the file itself there"
                        )
                elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                    raise ValueError(f"{shown} is neither a file nor a folder: remove it")
                if name == "settings" and path.parent.name in ("wandb", ".wandb"):
                    raise ValueError(
                        f"{shown} would tell W&B's client where to send your key, and no run "
                        "writes it: remove it"
                    )
        return True

    def raw_rows(self) -> list[dict[str, str]]:
        """The rows of metrics.csv as they stand, without a line that a kill has torn."""
        if not self.metrics_file.exists():
            return []
        lines = self.metrics_file.read_text().splitlines(keepends=True)
        return list(csv.DictReader(line for line in lines if line.endswith("\n")))

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """The rows of metrics.csv, without their empty cells.

        Raises:
            ValueError: A cell is no number.
        """
        try:
            return [
                {name: float(value) for name, value in row.items() if value}
                for row in self.raw_rows()
            ]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.metrics_file} holds no metrics: {error}") from error

    @property
    def summary(self) -> dict[str, float]:
        """The last value of every metric, as of ``test/elbo`` (at best.ckpt, on the test split)."""
        return {name: value for row in self.rows for name, value in row.items()}

    @property
    def finished(self) -> bool:
        """Whether ``fit`` came to its end, whose last act is to log the terms of the test split."""
        return "test/loss" in self.summary

    def lock(self) -> FileLock:
        """The lock of the process that writes to the folder; when that dies, it is free."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock", timeout=0)

    @property
    def in_use(self) -> bool:
        """Whether a living process writes to the folder."""
        if not self.folder.exists():
            return False
        lock = self.lock()
        try:
            lock.acquire()
        except TimeoutError:
            return True
        lock.release()
        return False


def check_name(key: str, name: str) -> None:
    """Refuse a name that is none of a visible folder below ``runs/``.

    Raises:
        ValueError: It is not.
    """
    if not name.strip() or name[0] in ".-" or not name.isprintable() or {"/", "\\"} & set(name):
        raise ValueError(
            f"{key}: {name!r} is no name of a folder in runs/: it should be without slashes, and "
            "not begin with a dot or a hyphen"
        )


def check_new(path: Path | None) -> None:
    """Refuse a file that is there already, or whose folder is not.

    Raises:
        OSError: One of the two.
    """
    if path is not None and path.exists():
        raise FileExistsError(f"{path} is there already: name another file, or delete it")
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")


def replace(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: It cannot be written, as on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError as error:
        if error.filename or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_torn(folder: Path) -> None:
    """Remove what processes that were killed in the middle of ``replace`` have left below it."""
    for file in folder.rglob(".*"):
        if re.fullmatch(r"\..+\.\d+", file.name) and file.is_file():
            file.unlink(missing_ok=True)


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """Find the runs in or below each folder, in the order of their paths, each once.

    Raises:
        ValueError: A folder does not exist.
    """
    found: dict[Path, Run] = {}
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder: give a run's, or one that holds runs")
        linked = [each for each in folder.iterdir() if each.is_symlink() and each.is_dir()]
        files = [file for each in (folder, *linked) for file in each.glob("**/config.yaml")]
        for file in sorted(files):
            if "wandb" not in file.relative_to(folder).parts:
                found.setdefault(file.parent.resolve(), Run(file.parent))
    return list(found.values())
