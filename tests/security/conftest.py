"""A trained run, once for a module, and a copy of it for each of its tests."""

import shutil
import sys
from pathlib import Path

import pytest

from vae_zoo.cli import main

FIT = [
    *("fit", "-c", "base", "--name", "a", "--trainer.max_epochs", "1", "--scorecard", "false"),
    *("--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"),
    *("--model.encoder.hidden", "[4]", "--model.decoder.hidden", "[4]"),
    *("--model.condition", "OneHot", "--trainer.enable_progress_bar", "false"),
]


def code(*words: object) -> object:
    """Run a command in this process, and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["vae-zoo"])
        patch.setattr(sys, "path", [*sys.path])
        patch.setenv("WANDB_MODE", "disabled")
        patch.setenv("WANDB_RUN_ID", "x")
        assert code(*FIT, "--trainer.logger", "false") == 0
    return folder / "runs"


@pytest.fixture
def run(trained, empty_folder):
    """``runs/a/x`` in the current folder."""
    shutil.copytree(trained, "runs")
    return Path("runs/a/x")
