"""What every test starts from: fixed noise, and a trainer that prints and writes nothing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning import Trainer

torch.set_num_threads(1)  # two on busy cores are slower than one


@pytest.fixture(autouse=True)
def fixed_noise() -> None:
    torch.manual_seed(0)


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
