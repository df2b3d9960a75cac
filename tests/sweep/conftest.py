"""A program of a few lines that behaves as ``vae-zoo fit`` does towards a sweep."""

import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from vae_zoo.sweep.queue import Queue

PROGRAM = """
    import json, os, pathlib, signal, sys, time

    options = json.loads(sys.argv[1])
    folder = pathlib.Path("runs", os.environ["VAE_ZOO_NAME"], os.environ["WANDB_RUN_ID"])

    def write(name, text):
        with (folder / name).open("a") as file:
            file.write(text)

    write("starts.txt", f"{os.getpid()}\\n")
    signal.signal(signal.SIGTERM, lambda *_: (write("stopped.txt", "yes"), sys.exit(0)))
    if options.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    until = pathlib.Path("go")
    while options.get("wait") and not until.exists():
        time.sleep(0.02)
    if options.get("broken"):
        print("loading\\rloaded")
        sys.exit("no such divergence: MDD")
    if options.get("wary"):
        print("vae-zoo: warning: it ends too soon\\nall else is well")
    write("metrics.csv", f"epoch,test/elbo,test/loss\\n0,-{options['seed']}.25,3.5\\n")
"""


class Workplace:
    """A folder with the program and one sweep file, and what the sweep left there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "grid.yaml"
        (folder / "program.py").write_text(textwrap.dedent(PROGRAM))

    def write(self, parameters, **keys) -> Path:
        command = [sys.executable, "-S", "${program}", "${args_json}"]
        config = {"program": "program.py", "method": "grid", "command": command}
        self.file.write_text(yaml.safe_dump({**config, "parameters": parameters, **keys}))
        return self.file

    @property
    def runs(self) -> Path:
        return self.folder / "runs" / "grid"

    def trials(self):
        with Queue(self.runs / "sweep.db") as queue:
            return queue.trials()

    def states(self):
        return [trial.state for trial in self.trials()]

    def starts(self):
        """How often the process of each trial started."""
        files = [self.runs / trial.id / "starts.txt" for trial in self.trials()]
        return [len(file.read_text().split()) if file.exists() else 0 for file in files]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path)
