"""``vae-zoo compare``: a table in the terminal and a page of HTML."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from vae_zoo.comparison.page import write
from vae_zoo.comparison.reading import read
from vae_zoo.comparison.terminal import show


def compare(folders: Sequence[Path], output: Path | None = None, reference: str = "") -> Path:
    """Compare the runs in or below some folders.

    Args:
        folders: Folders of runs, or folders that hold such folders.
        output: The page to write, ``comparison.html`` in the first folder by default.
        reference: Label of the group that others are held against, as ``KL β=1``.

    Returns:
        The page's path.

    Raises:
        ValueError: There is nothing to compare, or the page cannot lie where it should.
    """
    if not folders:
        raise ValueError("compare needs at least one folder, such as runs/demo")
    target = folders[0] / "comparison.html" if output is None else output
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise ValueError(f"output must be a file in a folder that exists, got {output}")
    comparison = read(folders, reference)
    console = Console()
    show(comparison, console)
    write(comparison, target)
    # Plain, so that a long path is not broken and a bracket in it is not taken for markup.
    print(target)
    return target
