import json
import re
from importlib import resources
from pathlib import Path

import pytest

from vae_zoo.sweep.source import Source
from vae_zoo.sweep.space import canonical

COMMAND = "program: p.py\n"


def read(tmp_path, text, name=None):
    file = tmp_path / "grid.yaml"
    file.write_text(COMMAND + text)
    return Source.read(file, name)


def trials(source):
    return [*source.given.values()]


def test_the_last_parameter_varies_fastest(tmp_path):
    source = read(tmp_path, "method: grid\nparameters: {b: {values: [2, 1]}, a: {values: [x, y]}}")
    assert trials(source) == [
        {"b": 2, "a": "x"},
        {"b": 2, "a": "y"},
        {"b": 1, "a": "x"},
        {"b": 1, "a": "y"},
    ]


def test_nested_parameters_give_nested_trials_and_branches_stay_whole(tmp_path):
    source = read(
        tmp_path,
        """
method: grid
parameters:
  model:
    parameters:
      latent_dim: {value: 2}
      regularizer:
        values: [{class_path: KL}, {class_path: MMD, init_args: {scales: [0.5, 1], kernel: null}}]
  seed: {values: [0, 1]}
""",
    )
    kl = {"class_path": "KL"}
    mmd = {"class_path": "MMD", "init_args": {"scales": [0.5, 1], "kernel": None}}
    assert trials(source) == [
        {"model": {"latent_dim": 2, "regularizer": regularizer}, "seed": seed}
        for regularizer in (kl, mmd)
        for seed in (0, 1)
    ]


def test_a_huge_grid_is_no_burden_where_few_of_its_trials_are_asked_for(tmp_path):
    values = {"values": list(range(40))}
    parameters = {"model": {"parameters": dict.fromkeys("abcdef", values)}, "g": values}
    text = f"method: grid\nparameters: {json.dumps(parameters)}"
    first, *_, last = trials(read(tmp_path, f"{text}\nrun_cap: 41"))
    assert first == {"model": dict.fromkeys("abcdef", 0), "g": 0}
    assert last == {"model": {**dict.fromkeys("abcde", 0), "f": 1}, "g": 0}
    with pytest.raises(ValueError, match="run_cap: these are 163,840,000,000 trials; at most"):
        read(tmp_path, text)


def test_a_run_cap_that_nobody_reaches_is_refused(tmp_path):
    text = "method: random\nrun_cap: 100000000000\nparameters: {a: {values: [1, 2]}}"
    with pytest.raises(ValueError, match="run_cap: these are 100,000,000,000 trials"):
        read(tmp_path, text)


def test_a_block_that_contains_itself_is_refused(tmp_path):
    text = "method: grid\nparameters: &p {x: {parameters: *p}}"
    with pytest.raises(ValueError, match="a block contains itself"):
        read(tmp_path, text)


def test_a_run_cap_bounds_the_trials(tmp_path):
    source = read(tmp_path, "method: grid\nrun_cap: 2\nparameters: {a: {values: [1, 2, 3]}}")
    assert trials(source) == [{"a": 1}, {"a": 2}]


def test_the_text_of_a_trial_does_not_depend_on_the_order_of_its_keys():
    assert canonical({"b": {"d": 1, "c": 2.0}, "a": None}) == '{"a": null, "b": {"c": 2.0, "d": 1}}'


def test_the_name_is_the_argument_then_the_key_then_the_stem(tmp_path):
    grid = "method: grid\nparameters: {a: {value: 1}}\n"
    assert read(tmp_path, grid).sweep.name == "grid"
    assert read(tmp_path, grid + "name: digits, β").sweep.name == "digits, β"
    assert read(tmp_path, grid + "name: digits", "mine").sweep.name == "mine"


def test_the_project_and_the_entity_go_to_the_trials(tmp_path):
    source = read(tmp_path, "method: grid\nproject: p\nentity: e\nparameters: {a: {value: 1}}")
    assert source.sweep.environment == {"WANDB_PROJECT": "p", "WANDB_ENTITY": "e"}


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../up", "a/b", "a\\b", "/tmp", "-j", "a\nb"])
def test_a_name_that_is_no_folder_in_runs_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="--name: " + re.escape(repr(name))):
        read(tmp_path, "method: grid\nparameters: {a: {value: 1}}", name)


def test_a_file_without_a_program_for_its_command_is_refused(tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text("method: grid\nparameters: {a: {value: 1}}")
    with pytest.raises(ValueError, match="'program' is missing"):
        Source.read(file)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no file"):
        Source.read(tmp_path / "absent.yaml")


def test_an_anchor_that_is_merged_is_no_repeated_key(tmp_path):
    source = read(
        tmp_path,
        "method: grid\nparameters:\n  a: &a {value: 1}\n  b: {<<: *a, value: 2}\n  c: *a",
    )
    assert trials(source) == [{"a": 1, "b": 2, "c": 1}]


def test_the_schema_travels_with_its_origin_and_its_licence():
    package = resources.files("vae_zoo.sweep")
    assert json.loads(package.joinpath("schema.json").read_text())["title"] == "SweepConfig"
    assert "MIT" in package.joinpath("schema.LICENSE").read_text()
    assert "sweeps" in package.joinpath("schema.md").read_text()


def test_our_own_sweeps_are_right():
    for file in Path(__file__).parents[2].glob("sweeps/**/*.yaml"):
        assert Source.read(file).new()
