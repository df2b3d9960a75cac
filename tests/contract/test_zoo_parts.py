"""Every prior, likelihood and data module of the zoo keeps its contract; a new one is found."""

import inspect
import os
from functools import partial
from importlib import import_module

import pytest

from vae_zoo import data, likelihoods, priors
from vae_zoo.catalogue import catalogue
from vae_zoo.contract import check_data, check_likelihood, check_prior

CHECKS = {"priors": check_prior, "likelihoods": check_likelihood, "data": check_data}
ALONE = {  # what is not checked with its defaults alone
    "Completion": lambda: partial(data.Completion, data.Digits()),
    "Flow": lambda: partial(priors.Flow, transforms=2, hidden=(16,)),
    "Sprites": lambda: partial(data.Sprites, train=2000),
    "Succession": lambda: partial(data.Succession, data.Digits()),
    "VampPrior": lambda: partial(priors.VampPrior, components=10),
}
FURTHER = {  # more ways to be made, each of which is a density of its own
    "Flow, maf": lambda: partial(priors.Flow, transform="maf", hidden=(16,)),
    "Flow, realnvp": lambda: partial(priors.Flow, transform="realnvp", hidden=(16,)),
    "Normal, scalar": lambda: partial(likelihoods.Normal, learned="scalar"),
    "Normal, decoded": lambda: partial(likelihoods.Normal, learned="decoded"),
    "DiscretizedLogistic, decoded": lambda: partial(
        likelihoods.DiscretizedLogistic, learned="decoded"
    ),
    "LaplaceLikelihood, pixel": lambda: partial(likelihoods.LaplaceLikelihood, learned="pixel"),
    "Completion, 3": lambda: partial(data.Completion, data.Digits(), quadrants=3),
    "Digits, grey": lambda: partial(data.Digits, binarization="none"),
}
NAMES = {entry.name: entry.family for entry in catalogue() if entry.family in CHECKS}


def factory(name):
    """What makes a part; skips data of which the files are not here."""
    family = NAMES[name.partition(",")[0]]
    found = getattr(import_module(f"vae_zoo.{family}"), name.partition(",")[0])
    files = family == "data" and "root" in inspect.signature(found).parameters
    if files and not os.environ.get("VAE_ZOO_DATA"):
        pytest.skip("VAE_ZOO_DATA names no folder of downloaded data")
    return (ALONE | FURTHER)[name]() if name in ALONE | FURTHER else found


def needs(found):
    """The options without which it cannot be made, that are no sizes."""
    sizes = {"latent_dim", "condition_dim", "shape"}
    parameters = inspect.signature(found).parameters.values()
    return [one.name for one in parameters if one.default is one.empty and one.name not in sizes]


@pytest.mark.parametrize("name", [*NAMES, *FURTHER])
def test_it_keeps_the_contract(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make = factory(name)
    if needed := needs(make):
        pytest.skip(f"it needs {', '.join(needed)}: a file of the user's own")
    if NAMES[name.partition(",")[0]] == "data":  # a test downloads nothing
        monkeypatch.setattr(getattr(make, "func", make), "prepare_data", lambda self: None)
    try:
        found = CHECKS[NAMES[name.partition(",")[0]]](make)
    except FileNotFoundError as error:
        pytest.skip(f"VAE_ZOO_DATA lacks a file: {error}")
    assert {one.name: one.figure for one in found if one.holds is False} == {}
