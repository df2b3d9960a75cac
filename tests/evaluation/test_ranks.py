"""Metrics that see parts of the examples on several ranks are those of one process with all."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from vae_zoo.data import Digits
from vae_zoo.evaluation import ActiveUnits, Elbo, Yardsticks
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

METRICS = {
    "active units": partial(ActiveUnits, threshold=8e-4),  # near the variances before a training
    "elbo": Elbo,
    "yardsticks": Yardsticks,
}
BATCHES = [[30], [20, 10]]  # of each rank


def numbers(batches):
    """What the metrics find, as value and standard error, of an untrained model."""
    torch.manual_seed(0)
    vae, found = VAE((1, 8, 8), 8, KL()), {}
    for name, family in METRICS.items():
        metric = family()
        for x in batches:
            metric.update(vae, x)
        found[name] = {each: [*score] for each, score in metric.compute().items()}
    return found


def run_rank(rank, folder):
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=len(BATCHES)
    )
    mine = digits()[rank :: len(BATCHES)]  # gathered, they are in another order
    found = numbers(mine.split(BATCHES[rank]))
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    distributed.barrier()
    distributed.destroy_process_group()


def digits():
    return Digits().splits.test.x[:60]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, pytestconfig):
    """What each rank found."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(pytestconfig.rootpath), *sys.path])  # finds this module
        patch.setitem(os.environ, "OMP_NUM_THREADS", "1")
        multiprocessing.spawn(run_rank, (str(folder),), nprocs=len(BATCHES))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(len(BATCHES))]


@pytest.fixture(scope="module")
def whole():
    return numbers([digits()])


def run_rank_that_may_lack_examples(rank, folder):
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    metric = ActiveUnits()
    if not rank:
        metric.update(VAE((1, 8, 8), 8, KL()), digits())
    with pytest.raises(ValueError, match=r"each process must see examples, got \[60, 0\]"):
        metric.compute()
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_a_rank_without_examples_is_refused_in_all_of_them(tmp_path, monkeypatch, pytestconfig):
    monkeypatch.setattr(sys, "path", [str(pytestconfig.rootpath), *sys.path])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    multiprocessing.spawn(run_rank_that_may_lack_examples, (str(tmp_path),), nprocs=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
def test_each_rank_has_the_numbers_of_all_examples(ranks, whole, name):
    for found in ranks:
        assert found[name].keys() == whole[name].keys()
        for each, score in whole[name].items():
            assert found[name][each] == pytest.approx(score, rel=1e-5)
