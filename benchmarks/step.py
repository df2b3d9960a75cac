"""Time a training step beside a bare PyTorch loop, and beside Lightning without any logging.

    make bench    (or: python benchmarks/step.py)

The three take turns in one process, an epoch each, so that whatever else the machine does hits all
alike; the ratios are of medians over epochs. ``fit`` is what ``vae-zoo fit`` runs: it observes every
term, and writes to metrics.csv and to W&B offline. Takes two minutes on two cores.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from vae_zoo.data import DataModule
from vae_zoo.fit import quieten
from vae_zoo.likelihoods import Normal
from vae_zoo.loggers import MetricsFile, WeightsAndBiases
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import KL, Regularizer
from vae_zoo.runs import Run
from vae_zoo.sampling import draw, gather
from vae_zoo.vae import VAE

Optimizer = partial(torch.optim.Adam, lr=1e-3, fused=True)


class Noise(DataModule):
    """Binary noise, for its size alone."""
