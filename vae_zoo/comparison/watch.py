"""``vae-zoo compare --watch``: the page is written again whenever runs have changed."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from vae_zoo.comparison.command import page_of
from vae_zoo.comparison.page import render
from vae_zoo.comparison.reading import read
from vae_zoo.comparison.terminal import show
from vae_zoo.runs import find_runs, replace

READ = ("config.yaml", "metrics.csv", "scorecard.json", "checkpoints/best.ckpt", "images/*.png")
# Reloading keeps the place on the page, but no sorting: whoever uses it is let alone for a while.
RELOAD = """<script>
let used = 0;
for (const event of ["pointermove", "pointerdown", "keydown", "wheel"])
  addEventListener(event, () => (used = performance.now() || 1), { passive: true });
setInterval(() => {
  if (!used || performance.now() - used > 30000) location.reload();
}, %d);
</script>
"""
State: TypeAlias = dict[Path, tuple[int, int]]


class Watch:
    """Compares again and again while runs change; their folders need hold no finished run yet.

    Args:
        folders: As of `compare`.
        output: As of `compare`. While it is watched, the page reloads itself.
        reference: As of `compare`.
        seconds: From one look at the runs to the next.
        opened: What is called with the page when it is first there.

    Raises:
        ValueError: A folder does not exist, or the page cannot lie where it should.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        output: Path | None = None,
        reference: str = "",
        seconds: float = 10.0,
        opened: Callable[[Path], None] | None = None,
    ) -> None:
        self.target = page_of(folders, output)
        self.folders, self.reference, self.seconds = folders, reference, seconds
        self.opened = opened
        self.html = ""  # what was last written, without the script that reloads it
        self.seen: State = _state(folders)
        self.said = ""

    def run(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Look at the runs until Ctrl-C, which leaves a page that stays as it is."""
        try:
            while True:
                try:
                    self.look()
                except (OSError, ValueError) as error:
                    self._tell(error)
                wait(self.seconds)
        except KeyboardInterrupt:
            if self.html:
                replace(self.target, self.html)

    def look(self) -> None:
        """Write the page, if runs have changed since it was written.

        Raises:
            ValueError: There is nothing to compare.
            OSError: A file cannot be read or written.
        """
        state = _state(self.folders)
        if self.html and state == self.seen:
            return
        comparison = read(self.folders, self.reference)
        html, first = render(comparison, self.target.parent), not self.html
        replace(self.target, live(html, self.seconds))
        self.html, self.seen, self.said = html, state, ""
        console = Console()
        console.clear()
        show(comparison, console)
        print(self.target)
        console.print(Text(f"Looking again every {self.seconds:g} s; Ctrl-C ends.", "dim"))
        if first and self.opened:
            self.opened(self.target)

    def _tell(self, error: Exception) -> None:
        """Say why there is no new page, once."""
        if str(error) != self.said:
            self.said = str(error)
            print(f"vae-zoo: waiting: {error}", file=sys.stderr, flush=True)


def live(html: str, seconds: float) -> str:
    """Let a page reload itself."""
    body, end, rest = html.rpartition("</body>")
    return body + RELOAD % max(1, round(1000 * seconds)) + end + rest


def _state(folders: Sequence[Path]) -> State:
    """All files that a comparison reads, each with its time and size."""
    found: State = {}
    for run in find_runs(folders):
        for pattern in READ:
            for file in run.folder.glob(pattern):
                known = file.stat()
                found[file] = (known.st_mtime_ns, known.st_size)
    return found
