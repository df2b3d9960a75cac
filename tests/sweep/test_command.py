import json
import sys
from pathlib import Path

import pytest

from vae_zoo.sweep.command import DEFAULT_COMMAND, fill_command

PARAMETERS = {
    "seed": 3,
    "fast": True,
    "slow": False,
    "rate": 1e-3,
    "model": {"latent_dim": 2, "prior": None, "names": ["é", 'a "b"']},
    "note": "two words",
}
COMMAND = [
    "${env}",
    "${interpreter}",
    "${program}",
    "${args}",
    "${args_no_hyphens}",
    "${args_no_equals}",
    "${args_no_boolean_flags}",
    "${args_append_hydra}",
    "${args_override_hydra}",
    "${args_json}",
    "${args_json_file}",
    "--home=${envvar:SOME_HOME}/x",
    "${envvar:NEVER_SET}",
    "--plain",
]


def agents_line(monkeypatch, command):
    """What W&B's own agent would start: its code, with a process that only takes notes."""
    from wandb import wandb_agent

    lines = []

    class Process:
        def __init__(self, command, **_):
            lines.append(command)

    monkeypatch.setattr(wandb_agent, "AgentProcess", Process)
    for name in ("WANDB_DIR", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, ".")  # the agent sets them for good: undone after the test
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    agent = wandb_agent.Agent(api=None, queue=None)
    agent._sweep_command = list(command)
    # The server sends names in alphabetical order.
    arguments = {name: {"value": PARAMETERS[name]} for name in sorted(PARAMETERS)}
    agent._command_run({"args": arguments, "run_id": "abc", "program": "train.py"})
    return lines[0]


@pytest.mark.parametrize("command", [COMMAND, DEFAULT_COMMAND])
def test_the_command_line_is_the_one_of_the_wandb_agent(monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_HOME", "/home/of/ours")
    theirs = agents_line(monkeypatch, command)
    json_file = Path("./wandb/sweep-sweep/config-abc.json")
    ours = fill_command(command, "train.py", PARAMETERS, json_file)
    assert theirs.pop(1) == "python"
    assert ours.pop(1) == sys.executable
    assert [word.removeprefix("./") for word in theirs] == ours
    if command is COMMAND:
        assert json.loads((tmp_path / json_file).read_text()) == PARAMETERS


def test_the_json_of_a_trial_is_lossless():
    (text,) = fill_command(["${args_json}"], None, PARAMETERS, Path())
    assert json.loads(text) == PARAMETERS
