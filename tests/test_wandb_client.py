"""The unmodified client of W&B, with a stand-in for its server: sweeps, their stop, and `sync`."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.wandb_server import ENTITY, SWEEP, Server, combinations, serve
from vae_zoo.columns import columns
from vae_zoo.runs import STAGES, Run

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
SWEEPS = Path(__file__).parents[1] / "sweeps"
TERMS = ["loss", "elbo", "reconstruction", "kl", "penalty"]
TRAINER = {"max_epochs": 2, "accelerator": "cpu", "limit_train_batches": 2}


class Swept(NamedTuple):
    """A sweep that was done, and what the agent printed."""

    folder: Path
    parameters: dict
    server: Server
    printed: str

    def trials(self):
        """What the server has of each trial, and its run's folder."""
        folder = self.folder / "runs" / SWEEP
        return [(received, Run(folder / id)) for id, received in self.server.runs.items()]


@contextmanager
def server_that_knows_all_calls():
    with serve() as server:
        yield server
        assert server.operations
        assert server.unanswered == []


def environment(folder, server, **more):
    """A user's, who has an account: nothing is left of our own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "VAE_ZOO_NAME"))}
    return clean | {
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "WANDB_API_KEY": "a" * 40,
        "WANDB_BASE_URL": server.url,
        **more,
    }


def call(folder, server, *words, **more):
    """Run a program of this environment, and return what it prints."""
    done = subprocess.run(
        [BIN / words[0], *words[1:]],
        cwd=folder,
        env=environment(folder, server, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def begin_sweep(folder, server, name, trials, *own, **trainer):
    """Send one of our sweep files, cut to some short trials; return them, and the sweep's path.

    The last models of the file are tried, or those of one's own.
    """
    config = yaml.safe_load((SWEEPS / f"{name}.yaml").read_text())
    models = [*own] or config["parameters"]["model"]["values"]
    settings = {key: {"value": value} for key, value in {**TRAINER, **trainer}.items()}
    config["parameters"] = last_values(config["parameters"]) | {
        "model": {"values": models[-trials:]},
        "scorecard": {"value": False},
        "trainer": {"parameters": settings},
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config))
    printed = call(folder, server, "wandb", "sweep", file.name, WANDB_PROJECT="zoo")
    [path] = re.findall(r"wandb agent (\S+)", printed)
    assert path == f"{ENTITY['name']}/zoo/{SWEEP}"
    return config["parameters"], path


def last_values(parameters):
    return {
        name: {"parameters": last_values(block["parameters"])}
        if "parameters" in block
        else {"value": block.get("values", [block.get("value")])[-1]}
        for name, block in parameters.items()
    }


@pytest.fixture(scope="module", params=["divergences", "completion"])
def swept(request, tmp_path_factory):
    """A sweep that was begun by `wandb sweep`, and done by `wandb agent`."""
    folder = tmp_path_factory.mktemp(request.param)
    with server_that_knows_all_calls() as server:
        parameters, path = begin_sweep(folder, server, request.param, trials=2)
        printed = call(folder, server, "wandb", "agent", "--count", "2", path)
    return Swept(folder, parameters, server, printed)


def agrees(config, given):
    """Whether a resolved configuration is what was given, but for the short names of classes."""
    if isinstance(given, dict):
        return all(agrees(config[name], value) for name, value in given.items())
    if isinstance(config, dict):
        config = config["class_path"]
    return config == given or str(config).endswith(f".{given}")


def beside(config):
    """What a run writes beside the words of its sweep."""
    return {"resolved": config, "zoo": columns(config)}


def tried(parameters, config):
    """The combination of a grid that W&B takes a run for, by the run's configuration alone.

    Of a value that is a mapping, it looks at the keys which any value of the parameter has.

    References:
        Weights & Biases, ``sweeps`` (2026), ``src/sweeps/grid_search.py``, and its pull request
        121. https://github.com/wandb/sweeps
    """
    combination = {}
    for name, block in parameters.items():
        value = config[name]
        if "parameters" in block:
            value = tried(block["parameters"], value)
        elif "value" in block:  # no choice, and not looked at
            value = block["value"]
        elif isinstance(value, dict):
            known = {key for each in block["values"] if isinstance(each, dict) for key in each}
            value = {key: value[key] for key in value.keys() & known}
        combination[name] = value
    return combination


def assert_has_all_terms(received, run):
    """Compare the history, row by row, with the run's own file."""
    for stage in STAGES:
        for term in TERMS:
            name = f"{stage}/{term}"
            sent = [row[name] for row in received.history if name in row]
            kept = [row[name] for row in run.rows if name in row]
            assert len(kept) == (1 if stage == "test" else TRAINER["max_epochs"])
            assert sent == pytest.approx(kept)


def assert_has_the_pictures(received, run):
    for name in ("reconstructions", "samples"):
        [path] = received.last[f"images/{name}"]["filenames"]
        sent = Image.open(io.BytesIO(received.files[path]))
        kept = Image.open(run.images / f"{name}.png")
        np.testing.assert_array_equal(np.asarray(sent), np.asarray(kept))


def test_every_trial_of_a_sweep_runs_once_and_ends_well(swept):
    given = [received.parameters for received, _ in swept.trials()]
    assert given == combinations(swept.parameters)
    assert len(given) == 2
    for received, run in swept.trials():
        assert received.exit_codes == [0]
        assert received.metadata["sweep"] == SWEEP
        assert received.metadata["project"] == "zoo"
        assert run.finished


def test_a_trial_runs_with_the_parameters_that_the_server_gave(swept):
    for received, run in swept.trials():
        assert agrees(run.config, received.parameters)


def test_wandb_has_the_words_of_the_sweep_and_the_whole_configuration_beside_them(swept):
    for received, run in swept.trials():
        assert received.config == received.parameters | beside(run.config)
    assert "locked" not in swept.printed  # as the client says of what it does not send


def test_the_grid_of_wandb_takes_a_trial_for_the_combination_it_was_given(swept):
    for received, _ in swept.trials():
        assert tried(swept.parameters, received.config) == received.parameters


def test_the_history_of_a_trial_has_the_five_terms_of_all_splits_and_the_metric(swept):
    for received, run in swept.trials():
        assert_has_all_terms(received, run)
        metric = swept.server.sweep["metric"]["name"]
        assert received.last[metric] == pytest.approx(run.summary[metric])


def test_the_pictures_of_a_trial_are_uploaded(swept):
    for received, run in swept.trials():
        assert_has_the_pictures(received, run)


def begin_agent(folder, server, path, *words, **more):
    """Start an agent, and wait until its trial has logged something."""
    agent = subprocess.Popen(
        [BIN / "wandb", "agent", "--count", "1", *words, path],
        cwd=folder,
        env=environment(folder, server, WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL="1", **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not any(received.history for received in server.runs.values()):
        assert agent.poll() is None, agent.communicate()[0]
        time.sleep(0.1)
    return agent


def clients_of(agent):
    """The processes of W&B's client that an agent and its run have started."""
    found = subprocess.run(
        ["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True, check=True
    )
    table = [line.split(maxsplit=2) for line in found.stdout.splitlines()[1:]]
    below = {str(agent)}
    for pid, parent, _ in table:  # children come after their parents
        if parent in below:
            below.add(pid)
    clients = [int(pid) for pid, _, name in table if pid in below and "wandb-core" in name]
    assert clients
    return clients


def test_a_run_that_the_agent_is_told_to_stop_ends_early_and_not_as_finished(tmp_path):
    with server_that_knows_all_calls() as server:
        _, path = begin_sweep(tmp_path, server, "divergences", trials=1, max_epochs=2000)
        agent = begin_agent(tmp_path, server, path, VAE_ZOO_PREEMPTED=str(tmp_path / "told"))
        server.stops.update(server.runs)
        printed, _ = agent.communicate(timeout=90)
    [(id, received)] = server.runs.items()
    run = Run(tmp_path / "runs" / SWEEP / id)
    assert f"Stop: {id}" in printed
    assert f"Kill: {id}" not in printed  # which comes after 30 seconds
    [code] = received.exit_codes
    assert code != 0
    assert not received.preempting
    assert received.last["epoch"] < 1999
    assert not run.finished


@pytest.mark.parametrize("client", ["lives", "dies"])
def test_a_run_that_slurm_preempts_is_given_out_again_and_goes_on(tmp_path, client):
    with server_that_knows_all_calls() as server:
        _, path = begin_sweep(tmp_path, server, "divergences", trials=1, max_epochs=300)
        told = tmp_path / "told"  # by docs/slurm.sh
        slurm = {"VAE_ZOO_PREEMPTED": str(told)}
        agent = begin_agent(tmp_path, server, path, "--forward-signals", **slurm)
        told.touch()
        if client == "dies":  # as where all processes of a job get the signal
            for pid in clients_of(agent.pid):
                os.kill(pid, signal.SIGTERM)
        agent.terminate()
        agent.communicate(timeout=90)
        [(id, received)] = server.runs.items()
        assert received.preempting
        [first] = received.exit_codes
        assert first != 0
        before = received.last["epoch"]
        call(tmp_path, server, "wandb", "agent", "--count", "1", path)
    run = Run(tmp_path / "runs" / SWEEP / id)
    assert run.finished
    assert received.exit_codes == [first, 0]
    epochs = [row["epoch"] for row in received.history if "val/elbo" in row]
    assert epochs == sorted({*epochs})
    assert before < 299 == epochs[-1]
    assert received.config == received.parameters | beside(run.config)


WITNESS = """
import os
from pathlib import Path

from vae_zoo.regularizers import KL


class Witness(KL):
    \"\"\"Writes down what each process was given.\"\"\"

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)
        Path(f"rank{os.environ.get('LOCAL_RANK', 0)}.txt").write_text(str(weight))
"""


@pytest.mark.parametrize("by", ["agent", "runner"])
def test_the_processes_of_a_trial_are_one_run_with_one_configuration(tmp_path, by):
    (tmp_path / "mine.py").write_text(WITNESS)
    regularizer = {"class_path": "mine.Witness", "init_args": {"weight": 2.5}}
    ranks = {"strategy": "ddp", "devices": 2}
    with server_that_knows_all_calls() as server:
        model = {"regularizer": regularizer}
        _, path = begin_sweep(tmp_path, server, "divergences", 1, model, **ranks)
        if by == "agent":
            call(tmp_path, server, "wandb", "agent", "--count", "1", path)
        else:
            call(tmp_path, server, "vae-zoo", "sweep", "divergences.yaml")
    ranks = [file.read_text() for file in sorted(tmp_path.glob("rank*.txt"))]
    assert ranks == ["2.5", "2.5"]
    [file] = tmp_path.glob("runs/*/*/config.yaml")
    run = Run(file.parent)
    [(id, received)] = server.runs.items()
    assert id == run.id
    assert received.exit_codes == [0]
    config = dict(received.config)
    assert config.pop("zoo") == columns(run.config)
    config = config["resolved"] if by == "agent" else config
    assert config == run.config
    assert config["trainer"]["devices"] == 2
    assert_has_all_terms(received, run)


def test_sync_sends_a_run_that_was_made_without_a_network(tmp_path):
    words = ["-c", "base", "--scorecard", "false", "--seed_everything", "3"]
    words += [word for key, value in TRAINER.items() for word in (f"--trainer.{key}", str(value))]
    ours = {"WANDB_MODE": "offline", "WANDB_RUN_ID": "4e5f6a7b", "VAE_ZOO_NAME": "divergences"}
    run = Run(tmp_path / "runs" / "divergences" / "4e5f6a7b")
    with server_that_knows_all_calls() as server:
        call(tmp_path, server, "vae-zoo", "fit", *words, **ours)
        assert server.operations == []
        [offline] = run.folder.glob("wandb/offline-run-*")
        call(tmp_path, server, "wandb", "sync", offline)
    assert [*server.runs] == [run.id]
    received = server.runs[run.id]
    assert received.metadata["displayName"] == "divergences/4e5f6a7b"
    assert received.exit_codes == [0]
    assert received.config == run.config | {"zoo": columns(run.config)}
    assert_has_all_terms(received, run)
    assert_has_the_pictures(received, run)
