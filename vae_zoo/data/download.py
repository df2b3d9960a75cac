"""Published files under the user's data folder: downloaded once, verified whenever they are read.

A file of the user's is never written over and never deleted.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

import pooch

VARIABLE = "VAE_ZOO_DATA"


class PublishedFile(NamedTuple):
    """One file as published: its place below the data folder, its address and its SHA-256."""

    path: str
    url: str
    sha256: str


def data_folder(root: str | Path | None) -> Path:
    """Return root, or else what VAE_ZOO_DATA names, or else the user's cache folder."""
    return Path(root or os.environ.get(VARIABLE) or pooch.os_cache("vae_zoo")).expanduser()


def fetch(root: Path, files: Iterable[PublishedFile]) -> None:
    """Download those files that are absent, each whole and verified or not at all.

    Raises:
        FileNotFoundError: A file is absent and cannot be had.
    """
    absent = [file for file in files if not (root / file.path).exists()]
    for number, file in enumerate(absent):
        target = root / file.path
        new = [folder for folder in target.parents if not folder.exists()]
        downloader = pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=(5, 30))
        try:
            pooch.retrieve(file.url, file.sha256, target.name, target.parent, None, downloader)
        except (OSError, ValueError) as error:  # no network, no such page, no right to write
            for folder in new:
                with suppress(OSError):
                    folder.rmdir()
            reason = f"the download failed: {shorten(str(error), 120, placeholder=' …')}"
            raise missing(root, absent[number:], reason) from error


def read(root: Path, file: PublishedFile) -> bytes:
    """Read a file whose content must be the published one.

    Raises:
        FileNotFoundError: It is absent.
        ValueError: It is another, or a broken one.
    """
    path = root / file.path
    if not path.exists():
        raise missing(root, [file], "prepare_data() downloads it")
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != file.sha256:
        raise corrupt(path, f"its SHA-256 is {found[:8]}…, the published one {file.sha256[:8]}…")
    return content


def missing(root: Path, files: Sequence[PublishedFile], reason: str) -> FileNotFoundError:
    """Say which files are wanted, where they can be had and where they belong."""
    return FileNotFoundError(
        f"{root} lacks {', '.join(file.path for file in files)} ({reason}): put there what "
        f"{files[0].url.rpartition('/')[0]} has, or name the folder that holds it with "
        f"--data.root or {VARIABLE}"
    )


def corrupt(path: Path, reason: str) -> ValueError:
    """Say which file is broken and how to mend it."""
    return ValueError(f"{path} is corrupt ({reason}): delete it, and it is downloaded again")
