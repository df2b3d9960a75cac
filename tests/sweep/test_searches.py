import shutil
from collections import namedtuple

import pytest

from vae_zoo.sweep import agenda, run_sweep, runner
from vae_zoo.sweep.search import Bayes

SPACE = {"seed": {"min": 0.0, "max": 1.0}}
ELBO = {"name": "test/elbo", "goal": "maximize"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(runner, "POLL", 0.02)
    monkeypatch.setattr(agenda, "LOOK", 0.1)


def seeds(*values, **others):
    return {"seed": {"values": [*values]}} | {k: {"value": v} for k, v in others.items()}


def found(workplace):
    return [trial.parameters["seed"] for trial in workplace.trials()]


def test_a_random_search_runs_as_many_trials_as_its_cap_says(workplace):
    assert run_sweep(workplace.write(SPACE, method="random", run_cap=3), jobs=2) == 0
    assert workplace.states() == ["finished"] * 3
    assert workplace.starts() == [1, 1, 1]
    assert len(set(found(workplace))) == 3


def test_a_random_search_that_is_asked_for_more_goes_on_with_those(workplace):
    run_sweep(workplace.write(SPACE, method="random", run_cap=2))
    before = workplace.trials()
    assert run_sweep(workplace.write(SPACE, method="random", run_cap=3)) == 0
    assert workplace.trials()[:2] == before
    assert workplace.starts() == [1, 1, 1]


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_a_search_without_a_bound_is_refused(workplace, method):
    with pytest.raises(ValueError, match=f"method: {method} never comes to an end"):
        run_sweep(workplace.write(SPACE, method=method, metric=ELBO))
    assert not workplace.runs.exists()


def test_a_seed_decides_the_random_trials(workplace):
    file = workplace.write(SPACE, method="random", run_cap=2)
    trials = []
    for seed in (1, 1, 2):
        run_sweep(file, seed=seed)
        trials.append(found(workplace))
        shutil.rmtree(workplace.runs)
    first, same, other = trials
    assert first == same
    assert not {*first} & {*other}


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_a_search_that_has_changed_is_refused(workplace, method):
    keys = {"method": method, "metric": ELBO, "run_cap": 1}
    file = workplace.write(SPACE, **keys)
    run_sweep(file)
    with pytest.raises(ValueError, match="queue of another sweep"):
        run_sweep(file, seed=1)
    with pytest.raises(ValueError, match="queue of another sweep"):
        run_sweep(workplace.write({"seed": {"min": 0.0, "max": 2.0}}, **keys))
    assert workplace.starts() == [1]


def test_custom_search_is_refused(workplace):
    with pytest.raises(ValueError, match="no method: custom, but grid, random, bayes"):
        run_sweep(workplace.write(SPACE, method="custom"))


def test_a_bayesian_search_goes_where_the_metric_is_best(workplace):
    file = workplace.write(SPACE, method="bayes", metric=ELBO, run_cap=13)
    assert run_sweep(file, jobs=2) == 0
    assert workplace.states() == ["finished"] * 13
    assert workplace.starts() == [1] * 13
    drawn, proposed = found(workplace)[:10], found(workplace)[10:]
    assert min(proposed) < min(drawn)  # the ELBO is least at 1 and best at 0


@pytest.fixture
def told(monkeypatch):
    """What a Bayesian search is told at each proposal: the results, and what runs."""
    told = []
    propose = Bayes.propose

    def listen(self, number, results, running):
        told.append((results, running))
        return propose(self, number, results, running)

    monkeypatch.setattr(Bayes, "propose", listen)
    return told


def test_a_bayesian_search_is_told_of_what_runs(workplace, told):
    run_sweep(workplace.write(SPACE, method="bayes", metric=ELBO, run_cap=3), jobs=2)
    first, second, _ = [trial.parameters for trial in workplace.trials()]
    results, running = told[2]
    assert told[:2] == [([], []), ([], [first])]
    assert results == [(trial, -trial["seed"] - 0.25) for trial, _ in results] != []
    for trial in (first, second):
        assert (trial in running) != (trial in [ended for ended, _ in results])


@pytest.mark.parametrize(
    ("goal", "impute", "counted"),
    [
        ("maximize", "worst", [-1.25, -3.25, -3.25]),
        ("maximize", "best", [-1.25, -3.25, -1.25]),
        ("minimize", "worst", [-1.25, -3.25, -1.25]),
        ("maximize", "latest", [-1.25, -3.25]),
    ],
)
def test_a_failed_trial_counts_as_impute_says(workplace, monkeypatch, told, goal, impute, counted):
    trials = iter([{"seed": 1}, {"seed": 3}, {"seed": 2, "broken": True}, {"seed": 0}])
    monkeypatch.setattr("vae_zoo.sweep.search.draw", lambda *_: next(trials))
    metric = {"name": "test/elbo", "goal": goal, "impute": impute}
    assert run_sweep(workplace.write(SPACE, method="bayes", metric=metric, run_cap=4)) == 1
    assert workplace.states() == ["finished", "finished", "failed", "finished"]
    assert [value for _, value in told[-1][0]] == counted


def test_a_target_that_is_reached_ends_the_sweep(workplace, capsys):
    metric = {**ELBO, "target": -1.5}
    run_sweep(workplace.write(seeds(2, 1, 0), metric=metric))
    assert workplace.states() == ["finished", "finished", "waiting"]
    assert "stopped: test/elbo has reached its target, -1.5\n" in capsys.readouterr().out
    run_sweep(workplace.file)
    assert workplace.starts() == [1, 1, 0]


def test_a_bayesian_search_by_a_metric_that_no_run_logs_ends(workplace, capsys):
    metric = {"name": "test/elb"}
    assert run_sweep(workplace.write(SPACE, method="bayes", metric=metric, run_cap=3)) == 1
    said = capsys.readouterr().out
    assert workplace.states() == ["finished"]
    assert "stopped: metric: no run logs 'test/elb'. Did you mean test/elbo?" in said


def test_a_grid_with_a_metric_that_no_run_logs_says_so_once(workplace, capsys):
    assert run_sweep(workplace.write(seeds(0, 1), metric={"name": "test/elb"})) == 0
    assert capsys.readouterr().out.count("no run logs 'test/elb'") == 1


def test_hyperband_stops_the_trials_that_fall_behind(workplace, capsys):
    metric = {"name": "val/elbo", "goal": "maximize"}
    early = {"type": "hyperband", "min_iter": 2}
    file = workplace.write(seeds(0, 1, 2, epochs=100), metric=metric, early_terminate=early)
    assert run_sweep(file, jobs=2) == 0
    assert workplace.states() == ["finished", "stopped", "stopped"]
    said = capsys.readouterr().out
    assert "early: others are better" in said
    assert "1 of 3 trials finished, 0 failed, 2 stopped early" in said
    assert "goes on" not in said

    assert run_sweep(file, retry_failed=True) == 0
    assert workplace.starts() == [1, 1, 1]
    for trial in workplace.trials()[1:]:
        assert 2 <= workplace.written(trial, "metrics.csv").count("\n") - 1 < 50
        assert workplace.written(trial, "stopped.txt")


def test_a_quiet_sweep_prints_its_end_alone(workplace, capsys):
    run_sweep(workplace.write(seeds(0, broken=True)), quiet=True)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "0 of 1 trials finished, 1 failed, in runs/grid"
    assert rest == ["--retry-failed tries again what failed"]


def test_a_failed_trial_of_a_search_is_tried_again_if_asked(workplace):
    space = {"seed": {"min": 0.0, "max": 1.0}, "broken": {"value": True}}
    file = workplace.write(space, method="random", run_cap=2)
    assert run_sweep(file) == 1
    program = workplace.folder / "program.py"
    program.write_text(program.read_text().replace('options.get("broken")', "False"))
    assert run_sweep(file) == 1
    assert run_sweep(file, retry_failed=True) == 0
    assert workplace.starts() == [2, 2]


def test_nothing_starts_on_a_full_disk(workplace, monkeypatch):
    monkeypatch.setattr(runner, "SPARE", 2**80)
    with pytest.raises(OSError, match="runs/grid: there is no space left on its disk"):
        run_sweep(workplace.write(seeds(0)))
    assert not list(workplace.runs.iterdir())


def test_a_trial_that_fails_on_a_full_disk_waits_and_the_sweep_ends(workplace, monkeypatch, capsys):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(
        runner.shutil,
        "disk_usage",
        lambda folder: usage(0 if [*workplace.runs.glob("*/starts.txt")] else 2**40),
    )
    file = workplace.write(seeds(0, 1, broken=True))
    assert run_sweep(file) == 1
    assert workplace.states() == ["waiting", "waiting"]
    assert workplace.starts() == [1, 0]
    said = capsys.readouterr().out
    assert "stopped: there is no space left on the disk of runs/grid: make some\n" in said
    assert "the same command goes on" in said

    monkeypatch.undo()
    monkeypatch.chdir(workplace.folder)
    program = workplace.folder / "program.py"
    program.write_text(program.read_text().replace('options.get("broken")', "False"))
    assert run_sweep(file) == 0
    assert workplace.starts() == [2, 1]
