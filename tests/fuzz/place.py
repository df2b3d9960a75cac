"""A folder to run commands in, where all that a failing command may leave is one error."""

import contextlib
import io
import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

from vae_zoo.cli import main

SECONDS = 10.0
LINES = 5


def tree(folder: Path = Path()) -> dict[str, tuple[int, int]]:
    """All files below a folder, with what changes when they are written."""
    found = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in found}


def ends_well(*words: object, keep: bool = False) -> None:
    """Run a command in this process: it succeeds, or fails by one error and leaves nothing."""
    before, out, err = tree(), io.StringIO(), io.StringIO()
    start = time.process_time()
    code: object = None
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    judge(code, err.getvalue(), time.process_time() - start, {} if keep else before, keep)


def ends_well_alone(*words: object) -> None:
    """Run the real command, likewise."""
    before, start = tree(), _of_children()
    command = [str(Path(sys.executable).with_name("vae-zoo")), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    judge(done.returncode, _without_warnings(done.stderr), _of_children() - start, before)


def _of_children() -> float:
    """Seconds of the processor, which other programs do not lengthen."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _without_warnings(error: str) -> str:
    lines = error.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("vae-zoo: warning: "))


def judge(
    code: object, error: str, seconds: float, before: dict[str, tuple[int, int]], keep: bool = False
) -> None:
    """Hold the end of a command to what is promised, and remove what a success has written."""
    left = {name: kind for name, kind in tree().items() if before.get(name) != kind}
    for name in left:
        if name not in before and not keep:
            Path(name).unlink()
    assert code in (0, 2), f"exit code {code}: {error}"
    assert seconds < SECONDS, f"{seconds:.1f} s"
    assert "Traceback" not in error
    if code == 2:
        assert error.startswith("vae-zoo: error: "), error or "no error"
        assert error.count("vae-zoo: error: ") == 1, error
        assert len(error.splitlines()) <= LINES, error
        assert all(letter.isprintable() for letter in error.replace("\n", "")), repr(error)
        assert not left, f"left behind: {[*left]}"
        assert not (before.keys() - tree().keys()), "a file is gone"


def clear(*names: str) -> None:
    """Remove files and folders."""
    for name in names:
        shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink(missing_ok=True)
