import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vae_zoo.cli import main
from vae_zoo.sweep import list_trials, run_sweep, show_status
from vae_zoo.sweep.presence import host
from vae_zoo.sweep.process import gpus, share
from vae_zoo.sweep.queue import Queue

SEEDS = {"seed": {"values": [0, 1, 2]}}
PARAMETERS = {**SEEDS, "note": {"value": 'it\'s $HOME; "x" * 2'}}


@pytest.fixture
def listed(workplace, capfd):
    """The lines of ``--dry-run``."""

    def listed(**options):
        capfd.readouterr()
        chosen = {"name": None, "storage": None, "seed": 0} | options
        list_trials(workplace.file, **chosen)
        return capfd.readouterr().out.splitlines()

    return listed


def shell(line):
    subprocess.run(["sh", "-c", line], check=True, timeout=30)


def test_a_listed_line_runs_as_typed_and_gives_a_run_of_its_id(workplace, listed):
    workplace.write(PARAMETERS, project="p q")
    first, *others = listed()
    assert len(others) == 2
    assert list(workplace.folder.iterdir()) == [workplace.folder / "program.py", workplace.file]
    shell(first)
    (run,) = workplace.runs.iterdir()
    assert f"WANDB_RUN_ID={run.name} " in first
    assert "'WANDB_PROJECT=p q'" in first
    assert (run / "metrics.csv").read_text().endswith("0,,-0.25,3.5\n")


def test_every_parameter_arrives_through_a_shell_as_it_was(workplace, listed, capfd):
    command = [sys.executable, "-c", "import sys; print(sys.argv[1])", "${args_json}"]
    workplace.write(PARAMETERS, command=command)
    shell(listed()[2])
    assert json.loads(capfd.readouterr().out) == {"seed": 2, "note": PARAMETERS["note"]["value"]}


def test_a_line_cannot_name_a_file_that_is_not_there_yet(workplace, listed):
    workplace.write(SEEDS, command=["cat", "${args_json_file}"])
    with pytest.raises(ValueError, match=r"is no file before a trial: use \$\{args_json\}"):
        listed()


def test_what_is_done_is_not_listed_and_the_rest_keeps_its_id(workplace, listed):
    workplace.write({**SEEDS, "broken": {"values": [False, True]}})
    run_sweep(workplace.file)
    failed = [trial.id for trial in workplace.trials() if trial.state == "failed"]
    assert [line.split("WANDB_RUN_ID=")[1].split()[0] for line in listed()] == failed
    assert len(failed) == 3


def test_what_the_file_has_lost_is_not_listed_and_what_it_gained_is(workplace, listed):
    run_sweep(workplace.write({"seed": {"values": [5, 6]}, "broken": {"value": True}}))
    workplace.write({"seed": {"values": [6, 7]}, "broken": {"value": True}})
    assert [line.split('"seed": ')[1][0] for line in listed()] == ["6", "7"]


def test_listing_with_a_storage_writes_nothing_there(workplace, listed):
    workplace.write(SEEDS)
    Path("shared.db").touch()
    assert len(listed(storage="sqlite:///shared.db")) == 3
    assert not Path("shared.db").read_bytes()


def test_a_random_search_is_listed_by_its_seed_and_a_bayesian_one_is_refused(workplace, listed):
    space, metric = {"seed": {"min": 0.0, "max": 1.0}}, {"name": "test/elbo"}
    workplace.write(space, method="random", run_cap=2)
    first, same, other = [
        [line.split('"seed": ')[1] for line in listed(seed=seed)] for seed in (1, 1, 2)
    ]
    assert first == same
    assert not {*first} & {*other}
    workplace.write(space, method="bayes", run_cap=2, metric=metric)
    with pytest.raises(ValueError, match="bayes chooses each trial by the results of others"):
        listed()


def test_another_search_than_that_of_the_queue_is_not_listed(workplace, listed):
    space = {"seed": {"min": 0.0, "max": 1.0}, "broken": {"value": True}}
    run_sweep(workplace.write(space, method="random", run_cap=1))
    assert len(listed()) == 1
    with pytest.raises(ValueError, match="queue of another sweep"):
        listed(seed=1)


def test_status_tells_how_far_each_trial_came(workplace, capsys):
    run_sweep(workplace.write({**SEEDS, "broken": {"values": [False, True]}}))
    finished, *_ = workplace.trials()
    with Queue(workplace.runs / "sweep.db", "grid") as queue:
        queue.join("killed", host())
        queue.claim(queue.trials()[5], "killed")
    before = sorted(workplace.folder.glob("**/*"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        main(["sweep", "status", "runs/grid"])
    assert exit.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [
        finished.id, "finished", "1", "0", "s", "test/elbo", "-0.25", "broken=false", "seed=0"
    ]  # fmt: skip
    assert sum("failed (1)" in line for line in lines[1:7]) == 2  # the exit code
    assert [line.split()[1] for line in lines[1:7]].count("left") == 1
    assert lines[7].strip() == "6 trials: 3 finished, 2 failed, 1 left"
    assert sorted(workplace.folder.glob("**/*")) == before


def test_status_does_not_know_whether_another_machine_still_runs_a_trial(workplace, capsys):
    run_sweep(workplace.write({**SEEDS, "broken": {"value": True}}))
    with Queue(workplace.runs / "sweep.db", "grid") as queue:
        queue.join("far", "another/boot")
        queue.claim(queue.trials()[0], "far")
    capsys.readouterr()
    show_status(workplace.runs)
    assert "running elsewhere" in capsys.readouterr().out


def test_listing_makes_no_database(workplace, listed):
    workplace.write(SEEDS)
    assert len(listed(storage="sqlite:///new.db")) == 3
    assert not Path("new.db").exists()


def test_a_listed_line_leaves_the_project_to_the_user_who_set_one(workplace, listed, monkeypatch):
    workplace.write(SEEDS, project="theirs")
    assert "WANDB_PROJECT=theirs" in listed()[0]
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    assert "WANDB_PROJECT" not in listed()[0]


def test_status_shows_what_runs(workplace, capsys):
    def look():
        while not list(workplace.runs.glob("*/waits.txt")):
            time.sleep(0.02)
        show_status(workplace.runs)
        (workplace.folder / "go").touch()

    workplace.write({**SEEDS, "wait": {"value": True}})
    thread = threading.Thread(target=look)
    thread.start()
    run_sweep(workplace.file, quiet=True)
    thread.join()
    assert "3 trials: 1 running, 2 waiting" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["status", "."],
            ". is no sweep's folder: it has no sweep.db (or --storage?)",
        ),
        (
            ["status", "nowhere"],
            "nowhere is no sweep's folder: it has no sweep.db (or --storage?)",
        ),
        (["status"], "sweep status needs the sweep's folder, as runs/divergences"),
        (["grid.yaml", "runs"], "sweep takes one file, got grid.yaml and runs"),
    ],
)
def test_status_of_a_folder_that_is_none_is_one_error(workplace, capsys, words, message):
    with pytest.raises(SystemExit) as exit:
        main(["sweep", *words])
    assert exit.value.code == 2
    assert capsys.readouterr().err == f"vae-zoo: error: {message}\n"
    assert not Path("runs").exists()
    assert not Path("nowhere").exists()


def test_the_command_line_lists_runs_and_hands_on_the_exit_code(workplace, capsys):
    file = str(workplace.write({**SEEDS, "broken": {"value": True}}))
    for words, code in {("--dry-run",): 0, ("-j", "2", "--quiet"): 1}.items():
        with pytest.raises(SystemExit) as exit:
            main(["sweep", file, *words])
        assert exit.value.code == code
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[:3]] == ["env"] * 3
    assert said[3] == "0 of 3 trials finished, 3 failed, in runs/grid"


@pytest.fixture
def fake_gpus(workplace, monkeypatch):
    """A machine with two GPUs, as nvidia-smi tells."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = workplace.folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


@pytest.mark.parametrize(
    ("given", "told"), [("2, GPU-8f", ["2", "GPU-8f"]), ("", []), (None, ["0", "1"])]
)
def test_the_gpus_are_those_that_the_environment_allows(fake_gpus, monkeypatch, given, told):
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert gpus() == told


def test_a_machine_without_gpus_has_none(fake_gpus):
    fake_gpus.write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert gpus() == []
    fake_gpus.unlink()
    assert gpus() == []


@pytest.fixture
def gpus_of(workplace):
    """Run a sweep, whose trials wait until so many do; say the GPU of each."""

    def gpus_of(file, jobs, waiting):
        def release():
            end = time.monotonic() + 30
            while len(list(workplace.runs.glob("*/waits.txt"))) < waiting:
                if time.monotonic() > end:
                    break
                time.sleep(0.02)
            (workplace.folder / "go").touch()

        thread = threading.Thread(target=release)
        thread.start()
        assert run_sweep(file, jobs=jobs) == 0
        thread.join()
        return [workplace.written(trial, "gpus.txt") for trial in workplace.trials()]

    return gpus_of


def test_trials_are_dealt_one_gpu_each_and_two_share_one_if_there_are_more(
    workplace, fake_gpus, gpus_of
):
    file = workplace.write({**SEEDS, "wait": {"value": True}})
    assert gpus_of(file, jobs=3, waiting=3) == ["0", "1", "0"]


def test_the_next_trial_has_the_gpu_of_the_one_that_ended(workplace, fake_gpus, gpus_of):
    file = workplace.write({"seed": {"values": [0, 1]}, "wait": {"values": [False, True]}})
    assert gpus_of(file, jobs=2, waiting=2) == ["0", "1", "0", "0"]


@pytest.mark.parametrize(
    ("jobs", "shares"),
    [(1, ["0,1,2,3"]), (2, ["0,1", "2,3"]), (3, ["0", "1", "2"]), (5, ["0", "1", "2", "3", "0"])],
)
def test_gpus_are_shared_out_so_that_a_trial_may_take_several(jobs, shares):
    found = [",".join(share(["0", "1", "2", "3"], jobs, slot)) for slot in range(jobs)]
    assert found == shares
    assert not share([], jobs, 0)


def test_trials_are_told_of_no_gpu_where_there_is_none(workplace, fake_gpus):
    fake_gpus.unlink()
    run_sweep(workplace.write(SEEDS), jobs=3)
    assert [workplace.written(trial, "gpus.txt") for trial in workplace.trials()] == ["none"] * 3
