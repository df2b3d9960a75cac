"""``vae-zoo compare``: a table in the terminal and a page of HTML, or a form for other programs."""

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from vae_zoo.comparison.forms import Form, write_form
from vae_zoo.comparison.page import write
from vae_zoo.comparison.reading import read
from vae_zoo.comparison.terminal import show, show_left_out


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
    target = page_of(folders, output)
    comparison = read(folders, reference)
    write(comparison, target)
    show(comparison, Console())
    # Plain, so that a long path is not broken and a bracket in it is not taken for markup.
    print(target)
    return target


def export(
    form: Form, folders: Sequence[Path], output: Path | None = None, reference: str = ""
) -> Path | None:
    """Print a form of the comparison and nothing else; what was left out goes to stderr.

    Args:
        form: Which.
        folders: As of `compare`.
        output: A page to write besides; none by default.
        reference: As of `compare`.

    Returns:
        The page's path, if there is one.

    Raises:
        ValueError: As of `compare`.
    """
    if output is not None:
        page_of(folders, output)
    comparison = read(folders, reference)
    show_left_out(comparison, Console(stderr=True, soft_wrap=True))
    if output is not None:
        write(comparison, output)
    sys.stdout.write(write_form(comparison, form))
    return output


def page_of(folders: Sequence[Path], output: Path | None) -> Path:
    """Say where the page lies, before anything is read.

    Raises:
        ValueError: It cannot lie there.
    """
    if not folders:
        raise ValueError("compare needs at least one folder, such as runs/demo")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise ValueError(f"output must be a file in a folder that exists, got {output}")
    return folders[0] / "comparison.html" if output is None else output


def open_page(page: Path) -> None:
    """Open a page in the browser."""
    if not webbrowser.open(page.resolve().as_uri()):
        print(f"vae-zoo: found no browser to open {page} with", file=sys.stderr)
