"""Every regularizer of the zoo keeps the contract; a new one is found by itself."""

import os
import sys
from abc import ABC
from functools import partial

import pytest

from vae_zoo import regularizers
from vae_zoo.catalogue import catalogue
from vae_zoo.contract import check_in_one_process, same_gradient_on_two_processes
from vae_zoo.regularizers import KL, MMD

WRAPPERS = {  # what cannot be made without options
    "Annealed": lambda: partial(regularizers.Annealed, KL(), steps=100),
    "Capacity": lambda: partial(regularizers.Capacity, KL(), nats=0.01, steps=100),
    "Cyclical": lambda: partial(regularizers.Cyclical, KL(), steps=100),
    "FreeBits": lambda: partial(regularizers.FreeBits, KL(), nats=0.05),
    "Sum": lambda: partial(regularizers.Sum, [KL(), MMD(weight=3.0)]),
}
NAMES = [entry.name for entry in catalogue() if entry.family == "regularizers"]
NAMES = [name for name in NAMES if ABC not in getattr(regularizers, name).__bases__]


def factory(name):
    return WRAPPERS[name]() if name in WRAPPERS else getattr(regularizers, name)


@pytest.fixture(scope="module")
def on_two_processes(pytestconfig):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "OMP_NUM_THREADS", "1")
        patch.setattr(sys, "path", [str(pytestconfig.rootpath), *sys.path])
        return same_gradient_on_two_processes({name: factory(name) for name in NAMES})


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract(name):
    assert not [found for found in check_in_one_process(factory(name)) if found.holds is False]


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one(name, on_two_processes):
    assert on_two_processes[name].holds, on_two_processes[name].figure
