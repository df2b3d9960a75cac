"""Features of a data set: what they know, that they are always the same, and that they are kept."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from sklearn.linear_model import LogisticRegression
from torch.testing import assert_close
from torchmetrics.image.fid import FrechetInceptionDistance

from vae_zoo.data import Completion, DataModule, Digits, MarkovChain, TwoModes
from vae_zoo.data.binarization import GreyData
from vae_zoo.data.splits import Split, Splits
from vae_zoo.evaluation import Features, feature_networks, features
from vae_zoo.evaluation import features as made
from vae_zoo.evaluation.feature_networks import make_network, principal_components


class Points(DataModule):
    """Given examples."""

    def __init__(self, x, y=None, classes=0, support="real"):
        super().__init__()
        self.x, self.y, self.classes, self.support = x, y, classes, support
        self.shape = tuple(x.shape[1:])

    def load(self):
        size = len(self.x)
        data = Split(self.x, self.y)
        return Splits.at_random(data, val=1, test=size // 4, seed=0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_ZOO_CACHE", str(tmp_path))
    return tmp_path / "features"


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(feature_networks, "EPOCHS", 2)


@pytest.fixture
def counted(monkeypatch):
    """How often features are made."""
    module, count = __import__("sys").modules["vae_zoo.evaluation.features"], []
    make = module._make

    def counting(data):
        count.append(data)
        return make(data)

    monkeypatch.setattr(module, "_make", counting)
    return count
