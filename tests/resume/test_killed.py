"""The real command, killed at a random moment and resumed, ends as an undisturbed one."""

import csv
import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.runs import Run

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-W", "ignore", "-m", "vae_zoo"]
FIT = [
    *("fit", "-c", "base", "--name", "a", "--scorecard", "false", "--trainer.max_epochs", "12"),
    *("--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", "5"),
    *("--model.encoder.hidden", "[32]", "--model.decoder.hidden", "[32]"),
]
SUM = (
    '[{"class_path": "Annealed", "init_args": {"inner": "MMD", "steps": 100}}, '
    '{"class_path": "Cyclical", "init_args": {"inner": "KL", "steps": 40}}]'
)
CASES = {
    "schedules": [
        *("-c", "prior/mixture_of_normals", "--model.regularizer", "Sum"),
        *("--model.regularizer.parts", SUM),
    ],
    "averages": [
        *("-c", "callback/ema", "-c", "callback/early_stopping", "-c", "objective/geco"),
        *("--model.lr_scheduler", "torch.optim.lr_scheduler.ExponentialLR"),
        *("--model.lr_scheduler.gamma", "0.9", "-c", "prior/vamp_prior"),
    ],
}


def start(folder, *words):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "VAE_ZOO_NAME"))}
    more = {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", "WANDB_RUN_ID": "r"}
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([*COMMAND, *words], cwd=folder, env=clean | more)


def rows(run):
    """What was logged, without what it cost."""
    with run.metrics_file.open() as file:
        found = [row for row in csv.DictReader(file) if not row.get("cost/epoch_seconds")]
    return [{k: row[k] for k in row if not k.startswith("cost/")} for row in found]


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_goes_on_to_the_same_end(case, tmp_path):
    assert start(tmp_path / "whole", *FIT, *CASES[case]).wait(timeout=200) == 0
    process = start(tmp_path / "part", *FIT, *CASES[case])
    done = Run(tmp_path / "part" / "runs" / "a" / "r")
    while not done.last_checkpoint.is_file():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(Random(case).random() * 0.3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = torch.load(done.last_checkpoint)["epoch"]
    assert reached < 11, "it was killed too late"
    assert start(tmp_path / "part", "fit", "--resume", str(done.folder)).wait(timeout=200) == 0
    whole = Run(tmp_path / "whole" / "runs" / "a" / "r")
    for name in ("last.ckpt", "best.ckpt"):
        one, other = (torch.load(run.checkpoints / name) for run in (whole, done))
        for part in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers"):
            assert_close(one.get(part), other.get(part), rtol=0, atol=0)
    assert rows(done) == rows(whole)
    epochs = [row["epoch"] for row in rows(done) if row["val/loss"]]
    assert epochs == [str(epoch) for epoch in range(12)]
