"""``vae-zoo workspace``: what is made, what W&B is sent, and whether runs have what it shows."""

import json
import os
import subprocess
import sys

import pytest

from tests.test_processes import SCORED, logged, offline_files, only_run, records, run
from tests.wandb_server import ENTITY, serve

AXES = ("xAxis", "yAxis")
COMMAND = [sys.executable, "-m", "vae_zoo", "workspace"]
WITHOUT_THE_LIBRARY = """
import sys
sys.modules["wandb_workspaces"] = None
from vae_zoo.cli import main
main(["workspace", "--dry-run"])
"""


def start(folder, *words, **environment):
    """Run a command as a user does who has no account, unless the environment has a key."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    return subprocess.run(
        words,
        cwd=folder,
        env=clean | {"HOME": str(folder)} | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """What would be sent, without an account, a network or a key."""
    done = start(tmp_path_factory.mktemp("spec"), *COMMAND, "--dry-run")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def panels(spec):
    """The configurations of the panels by the names of their sections."""
    sections = spec["section"]["panelBankConfig"]["sections"]
    return {each["name"]: [panel["config"] for panel in each["panels"]] for each in sections}


def pinned(spec):
    [runset] = spec["section"]["runSets"]
    return [name for name, is_pinned in runset["runFeed"]["columnPinned"].items() if is_pinned]


def test_curves_and_bars_are_grouped_by_regularizer(spec):
    for panel in panels(spec)["Terms"] + panels(spec)["Score card"]:
        assert panel["groupBy"] == "zoo.value.regularizer"
        assert panel["groupAgg"] == "mean"
    assert panels(spec)["Terms"][0]["metrics"] == ["val/elbo"]
    assert {one["xAxis"] for one in panels(spec)["Terms"]} == {"epoch"}


def test_the_plane_is_of_rate_and_distortion(spec):
    [test, val] = panels(spec)["Rate and distortion"]
    assert (test["xAxis"], test["yAxis"]) == ("summary:test/kl", "summary:test/reconstruction")
    assert (val["xAxis"], val["yAxis"]) == ("summary:val/kl", "summary:val/reconstruction")


def test_the_coordinates_lead_from_hyper_parameters_to_the_best_elbo(spec):
    [coordinates] = panels(spec)["Hyper-parameters"]
    *parameters, elbo = [column["accessor"] for column in coordinates["columns"]]
    assert elbo == "summary:best/val_elbo"
    assert {"config:zoo.value.weight", "config:zoo.value.latent_dim"} <= set(parameters)


def test_without_the_library_an_error_names_what_to_install(tmp_path):
    done = start(tmp_path, sys.executable, "-c", WITHOUT_THE_LIBRARY)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("vae-zoo: error: ")
    assert "pip install 'vae_zoo[workspace]'" in line


@pytest.mark.parametrize("key", [{}, {"WANDB_API_KEY": "short"}], ids=["no key", "no such key"])
def test_without_an_account_an_error_says_so(tmp_path, key):
    done = start(tmp_path, *COMMAND, **key)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert ("API key must have" if key else "needs an account of W&B") in line


@pytest.mark.slow
def test_the_server_gets_what_a_dry_run_prints_and_the_address_is_printed(tmp_path, spec):
    with serve() as server:
        account = {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": server.url}
        words = ("--project", "zoo", "--name", "Mine")
        done = start(tmp_path, *COMMAND, *words, **account)
        assert server.unanswered == []
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{server.url}/{ENTITY['name']}/zoo?nw=")
    [view] = server.views
    assert (view["entityName"], view["projectName"]) == (ENTITY["name"], "zoo")
    assert (view["displayName"], view["type"]) == ("Mine", "project-view")
    sent = json.loads(view["spec"])
    assert panels(sent) == panels(spec)
    assert pinned(sent) == pinned(spec)


@pytest.mark.slow
def test_a_server_that_does_not_take_it_is_quoted_in_one_sentence(tmp_path):
    with serve() as server:
        server.answer = lambda *_: None
        account = {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": server.url}
        done = start(tmp_path, *COMMAND, "--project", "zoo", "--entity", "other", **account)
    assert done.returncode == 2
    assert "vae-zoo: error: W&B did not take the workspace of zoo: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_run_has_all_that_the_workspace_shows(tmp_path, spec):
    run(tmp_path, *SCORED, "--model.latent_dim", 2, WANDB_MODE="offline")
    [file] = offline_files(only_run(tmp_path))
    found = records(file)
    sent = {name.partition("._type")[0] for name in logged(found)}
    media = {name.partition(".")[0] for name in sent}
    columns = {f"zoo.value.{name}" for name in found["run"][0]["config"]["update"]["zoo"]}
    shown = [panel for section in panels(spec).values() for panel in section]
    for panel in shown:
        assert set(panel.get("metrics", [])) <= sent
        assert set(panel.get("mediaKeys", [])) <= media
        assert panel.get("groupBy", "zoo.value.seed") in columns
    [coordinates] = panels(spec)["Hyper-parameters"]
    accessors = [column["accessor"] for column in coordinates["columns"]] + pinned(spec)
    accessors += [panel[axis] for panel in panels(spec)["Rate and distortion"] for axis in AXES]
    for where, _, name in (accessor.partition(":") for accessor in accessors):
        assert name in {"config": columns, "summary": sent, "run": {"displayName"}}[where]
