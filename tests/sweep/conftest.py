"""A program of a few lines that behaves as ``vae-zoo fit`` does towards a sweep."""

import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from vae_zoo.sweep.queue import Queue
from vae_zoo.sweep.source import Source

PROGRAM = """
    import json, os, pathlib, signal, sys, time

    options = json.loads(sys.argv[1])
    folder = pathlib.Path("runs", os.environ["VAE_ZOO_NAME"], os.environ["WANDB_RUN_ID"])

    def write(name, text):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("a") as file:
            file.write(text)

    def log(epoch, val="", test=""):
        new = not (folder / "metrics.csv").exists()
        header = "epoch,val/elbo,test/elbo,test/loss\\n"
        write("metrics.csv", f"{header * new}{epoch},{val},{test},{test and 3.5}\\n")

    write("starts.txt", f"{os.getpid()}\\n")
    write("gpus.txt", os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    signal.signal(signal.SIGTERM, lambda *_: (write("stopped.txt", "yes"), sys.exit(143)))
    if options.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    until = pathlib.Path("go")
    if options.get("wait"):
        write("waits.txt", f"{os.getpid()} {os.getppid()}\\n")
    while options.get("wait") and not until.exists():
        time.sleep(0.02)
    if options.get("broken"):
        print("loading\\rloaded")
        sys.exit("no such divergence: MDD")
    if options.get("wary"):
        print("vae-zoo: warning: it ends too soon\\nall else is well")
    for epoch in range(options.get("epochs", 0)):  # the worse, the slower
        log(epoch, val=-options["seed"])
        time.sleep(0.05 * options["seed"])
    log(0, test=-options["seed"] - 0.25)
"""


class Workplace:
    """A folder with the program and one sweep file, and what the sweep left there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "grid.yaml"
        self.storage = None
        (folder / "program.py").write_text(textwrap.dedent(PROGRAM))

    def write(self, parameters, **keys) -> Path:
        command = [sys.executable, "-S", "${program}", "${args_json}"]
        config = {"program": "program.py", "method": "grid", "command": command}
        self.file.write_text(yaml.safe_dump({**config, "parameters": parameters, **keys}))
        return self.file

    @property
    def search(self) -> str:
        """By which the file's queue is known."""
        return Source.read(self.file).search

    @property
    def runs(self) -> Path:
        return self.folder / "runs" / "grid"

    def trials(self):
        with Queue(self.storage or self.runs / "sweep.db", "grid") as queue:
            return queue.trials()

    def states(self):
        return [trial.state for trial in self.trials()]

    def starts(self):
        """How often the process of each trial started."""
        return [len(self.written(trial, "starts.txt").split()) for trial in self.trials()]

    def finishes(self):
        """How often it came to its end."""
        return [self.written(trial, "metrics.csv").count(",3.5\n") for trial in self.trials()]

    def written(self, trial, name) -> str:
        file = self.runs / trial.id / name
        return file.read_text() if file.exists() else ""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path)
