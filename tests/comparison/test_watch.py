import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from vae_zoo.comparison import read
from vae_zoo.comparison.page import render
from vae_zoo.comparison.watch import Watch, live

RELOADS = "location.reload()"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--virtual-time-budget=8000",
    "--dump-dom",
)
# The name of a window outlives its page. Three are enough.
COUNT = """<script>
window.name = 1 + Number(window.name);
document.documentElement.dataset.loads = window.name;
if (window.name === "3") for (let i = 0; i < 9999; i++) clearInterval(i);
</script></body></html>
"""


class Looks:
    """What happens between one look and the next; then Ctrl-C."""

    def __init__(self, *events):
        self.events, self.waited = [*events], []

    def __call__(self, seconds):
        self.waited.append(seconds)
        if not self.events:
            raise KeyboardInterrupt
        self.events.pop(0)()


def nothing():
    pass


def kept(page, found):
    """An event that notes when the page was written, and whether it reloads."""

    def note():
        found.append((page.stat().st_ino, RELOADS in page.read_text()))

    return note


def test_the_page_is_written_again_only_when_runs_have_changed(runs, capsys):
    runs.write("a")
    page, found = runs.path / "comparison.html", []
    note = kept(page, found)
    looks = Looks(note, note, lambda: runs.write("b", latent_dim=2), note)
    Watch([runs.path], seconds=7.0).run(looks)
    assert looks.waited == [7.0] * 5
    assert [reloads for _, reloads in found] == [True] * 3
    (first, second, third) = (written for written, _ in found)
    assert first == second != third
    assert capsys.readouterr().out.count(str(page)) == 2
    assert "latent_dim 2" in page.read_text()


def test_ctrl_c_leaves_a_page_that_stays_as_it_is(runs):
    runs.write("a")
    Watch([runs.path]).run(Looks(nothing))
    html = (runs.path / "comparison.html").read_text()
    assert RELOADS not in html
    assert html.rstrip().endswith("</html>")


def test_what_stands_in_a_score_card_or_a_picture_counts_as_a_change(runs):
    folder = runs.write("a")
    watch = Watch([runs.path])
    watch.look()
    first = (runs.path / "comparison.html").stat().st_mtime_ns
    runs.card(folder, likelihood={"elbo": -20.0})
    watch.look()
    second = (runs.path / "comparison.html").stat().st_mtime_ns
    (folder / "images" / "samples.png").unlink()
    watch.look()
    assert first < second < (runs.path / "comparison.html").stat().st_mtime_ns


def test_a_sweep_without_a_finished_run_is_waited_for_and_that_is_said_once(runs, capsys):
    runs.write("half", epochs=2)
    opened = []
    looks = Looks(nothing, nothing, lambda: runs.write("whole", 1), nothing)
    Watch([runs.path], opened=opened.append).run(looks)
    assert opened == [runs.path / "comparison.html"]
    err = capsys.readouterr().err
    assert err.startswith("vae-zoo: waiting: no finished run in ")
    assert err.count("waiting") == 1


def test_a_folder_that_is_none_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="is no folder"):
        Watch([tmp_path / "demo"])


def test_a_page_reloads_itself_after_that_many_milliseconds():
    assert live("<body>x</body></html>", 2.5).endswith("}, 2500);\n</script>\n</body></html>")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_watched_page_reloads_itself_in_a_browser(runs, tmp_path):
    runs.write("a")
    page = tmp_path / "page.html"
    body, _, _ = live(render(read([runs.path])), 1.0).rpartition("</body>")
    page.write_text(body + COUNT)
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert 'data-loads="3"' in done.stdout
    assert "CONSOLE" not in done.stderr


def test_watch_ends_with_ctrl_c_and_exit_code_0(runs):
    runs.write("a")
    page = runs.path / "comparison.html"
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}; from vae_zoo.cli import main; main()"  # in the background it is ignored
    command = [sys.executable, "-c", code, "compare", str(runs.path), "--watch", "0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not page.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        runs.write("b", 1, latent_dim=2)
        while "latent_dim 2" not in page.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert out.count(str(page)) >= 2
    assert RELOADS not in page.read_text()
