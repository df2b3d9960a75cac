"""Trained runs, once for a module, and a copy of them for each of its tests."""

import shutil
import sys

import pytest

from tests.evaluation.commands import run


@pytest.fixture(scope="module")
def trained(request, tmp_path_factory):
    """A run for each of the module's ``RUNS``, by its ``FIT`` and the words of the run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["vae-zoo"])
        patch.setenv("WANDB_MODE", "disabled")
        for name, words in request.module.RUNS.items():
            patch.setenv("WANDB_RUN_ID", name)
            assert run(*request.module.FIT, *words) == 0
    return folder / "runs"


@pytest.fixture
def copies(trained, empty_folder, monkeypatch):
    """A copy of the trained runs, in the current folder."""
    monkeypatch.setenv("COLUMNS", "100")
    shutil.copytree(trained, "runs")
