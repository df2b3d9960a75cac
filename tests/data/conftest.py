"""The folder of real files, where there is one."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_files() -> Path:
    folder = os.environ.get("VAE_ZOO_DATA")
    if not folder:
        pytest.skip("VAE_ZOO_DATA names no folder of downloaded data")
    return Path(folder)
