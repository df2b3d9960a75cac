"""The short words of a configuration that runs are grouped by on W&B."""

import pytest

from vae_zoo.columns import BLOCK, columns
from vae_zoo.runs import RESERVED

MMD = {"class_path": "vae_zoo.regularizers.MMD", "init_args": {"weight": 10.0, "kernel": "imq"}}
KL = {"class_path": "vae_zoo.regularizers.KL", "init_args": {"weight": 0.5}}


def config(regularizer, seed=3):
    return {
        "seed_everything": seed,
        "model": {
            "latent_dim": 8,
            "regularizer": regularizer,
            "prior": {"class_path": "vae_zoo.priors.VampPrior", "init_args": {"components": 5}},
            "posterior": "vae_zoo.posteriors.DiagonalNormal",
            "likelihood": {"class_path": "vae_zoo.likelihoods.Bernoulli"},
        },
        "data": {"class_path": "vae_zoo.data.Digits", "init_args": {"batch_size": 64}},
    }


def wrapped(name, **arguments):
    return {"class_path": f"vae_zoo.regularizers.{name}", "init_args": arguments}


def test_a_run_is_told_by_short_names_and_plain_numbers():
    assert columns(config(MMD)) == {
        "regularizer": "MMD",
        "prior": "VampPrior",
        "posterior": "DiagonalNormal",
        "likelihood": "Bernoulli",
        "data": "Digits",
        "latent_dim": 8,
        "weight": 10.0,
        "seed": 3,
    }


def test_a_wrapped_regularizer_is_named_with_what_it_wraps_and_has_its_weight():
    found = columns(config(wrapped("Annealed", inner=MMD, steps=100)))
    assert (found["regularizer"], found["weight"]) == ("Annealed(MMD)", 10.0)


@pytest.mark.parametrize(
    "regularizer", [wrapped("Sum", parts=[KL, MMD]), wrapped("NoRegularizer")], ids=["two", "none"]
)
def test_a_weight_that_is_not_one_number_is_absent(regularizer):
    assert "weight" not in columns(config(regularizer))


@pytest.mark.parametrize("seed", [None, True, False])
def test_a_seed_that_is_not_known_is_absent_and_that_of_zero_is_not(seed):
    assert "seed" not in columns(config(KL, seed))
    assert columns(config(KL, 0))["seed"] == 0


def test_no_parameter_of_a_sweep_may_take_the_place_of_the_columns():
    assert BLOCK in RESERVED
