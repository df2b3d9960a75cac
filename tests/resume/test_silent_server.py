"""A server of W&B that stops to answer in the middle of a run holds up neither it nor its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vae_zoo.runs import Run

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
SERVER = """
import time
from tests.wandb_server import serve
with serve() as server:
    print(server.url, flush=True)
    time.sleep(300)
"""
FIT = [
    *("fit", "-c", "base", "--name", "a", "--scorecard", "false", "--trainer.max_epochs", "20"),
    *("--trainer.accelerator", "cpu", "--model.encoder.hidden", "[8]"),
]


def test_a_run_ends_without_its_server_and_is_sent_later(tmp_path):
    words = [sys.executable, "-c", SERVER]
    root = Path(__file__).parents[2]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=root)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "VAE_ZOO_NAME"))}
    environment = clean | {
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "WANDB_API_KEY": "a" * 40,
        "WANDB_BASE_URL": server.stdout.readline().strip(),
        "WANDB_FINISH_TIMEOUT": "5",
        "WANDB_RUN_ID": "r",
    }
    done = Run(tmp_path / "runs" / "a" / "r")
    try:
        fit = [sys.executable, "-m", "vae_zoo", *FIT]
        process = subprocess.Popen(fit, cwd=tmp_path, env=environment)
        while not done.last_checkpoint.is_file():
            assert process.poll() is None
            time.sleep(0.05)
        server.send_signal(signal.SIGSTOP)  # it takes what is sent, and never answers
        assert process.wait(timeout=120) == 0
        assert done.finished
        server.send_signal(signal.SIGCONT)
        [kept] = done.folder.glob("wandb/run-*")
        sync = [BIN / "wandb", "sync", "--no-skip-online", kept]
        sent = subprocess.run(
            sync,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert sent.returncode == 0, sent.stdout + sent.stderr
        assert "No runs to sync" not in sent.stderr
    finally:
        server.kill()
        server.communicate()
