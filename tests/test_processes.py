"""What needs processes of its own: several ranks, and the real W&B client."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vae_zoo.runs import Run

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "vae_zoo"]
FIT = [
    *("fit", "-c", "base"),
    *("--scorecard", "false"),
    *("--trainer.max_epochs", "2"),
    *("--trainer.limit_train_batches", "4"),
    *("--trainer.accelerator", "cpu"),
]
TERMS = ["loss", "elbo", "reconstruction", "kl", "penalty"]


def run(folder, *words, **environment):
    """Run ``vae-zoo`` in a folder; return what it prints."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "VAE_ZOO_NAME"))}
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=clean | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def only_run(folder):
    [config] = folder.glob("runs/*/*/config.yaml")
    return Run(config.parent)


def test_an_interrupted_run_says_how_to_go_on_with_it(tmp_path):
    words = [*FIT[:5], "--trainer.max_epochs", "500", "--trainer.logger", "false"]
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not list(tmp_path.glob("runs/*/*/checkpoints/last.ckpt")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    folder = only_run(tmp_path).folder.relative_to(tmp_path)
    assert process.returncode != 0
    assert f"stopped; `vae-zoo fit --resume {folder}` goes on where it was" in out
    assert "Traceback" not in out


@pytest.mark.parametrize("devices", [2, 3])
def test_ranks_leave_one_run_whose_terms_are_those_of_all_examples(tmp_path, devices):
    # 200 examples of a split do not divide among three ranks. A deterministic code has no noise.
    words = [
        "--trainer.strategy",
        "ddp",
        "--trainer.devices",
        devices,
        "--model.regularizer",
        "MMD",
    ]
    out = run(tmp_path, *FIT, *words, "--model.posterior", "Deterministic", WANDB_MODE="disabled")
    assert out.count("test split, best.ckpt") == 1
    done = only_run(tmp_path)
    table = run(tmp_path, "test", "--resume", done.folder, *words[:2], "--trainer.devices", 1)
    assert f"{done.summary['test/reconstruction']:.4f}"[:6] in table


def test_the_real_client_keeps_config_group_tags_terms_and_images(tmp_path):
    run(tmp_path, *FIT, "--model.regularizer", "MMD", "--seed_everything", 3, WANDB_MODE="offline")
    done = only_run(tmp_path)
    [file] = done.folder.glob("wandb/offline-run-*/*.wandb")
    leet = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    text = subprocess.run(leet, capture_output=True, text=True, check=True).stdout
    records = [json.loads(line) for line in text.splitlines()]
    [begun] = [record["run"] for record in records if record["type"] == "run"][:1]
    config = {**begun["config"]["update"]}
    config.pop("_wandb")
    assert config == done.config
    assert config["seed_everything"] == 3
    assert begun["run_group"] == "Digits/MMD"
    assert begun["tags"] == ["MMD imq λ=1", "StandardNormal", "Bernoulli", "PenalizedLikelihood"]
    logged = {}
    for record in records:
        if record["type"] == "history":
            logged |= record["history"]["item"]
    for stage in ("train", "val", "test"):
        for term in TERMS:
            assert logged[f"{stage}/{term}"] == pytest.approx(done.summary[f"{stage}/{term}"])
    assert {"best/val_elbo", "best/val_loss", "epoch", "trainer/global_step"} <= set(logged)
    assert len(list(file.parent.glob("files/media/images/images/*.png"))) == 2


def test_without_a_key_a_run_stays_offline_and_without_a_network_too(tmp_path):
    for environment in (
        {"HOME": str(tmp_path)},
        {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"},
    ):
        run(tmp_path, *FIT, **environment)
    assert len(list(tmp_path.glob("runs/*/*/wandb/offline-run-*"))) == 2
