"""What every test starts from: fixed noise, and a trainer that prints and writes nothing."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from jsonargparse._common import parsing_settings
from lightning import Trainer

torch.set_num_threads(1)  # two on busy cores are slower than one


@pytest.fixture(autouse=True)
def fixed_noise() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def trust_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a resumed run may import holds for a process, and is not to hold for the next test."""
    for name, value in [*parsing_settings.items()]:
        monkeypatch.setitem(parsing_settings, name, value)


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    return partial(
        Trainer,
        accelerator="cpu",
        devices=1,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
    )


@pytest.fixture(scope="module")
def folder_of_the_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder, without W&B, that all tests of a file work in."""
    folder = tmp_path_factory.mktemp("file")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(sys, "argv", ["vae-zoo"])
        patch.setenv("WANDB_MODE", "disabled")
        yield folder


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, without W&B; what a command sets in this process is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["vae-zoo"])
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "VAE_ZOO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "disabled")
