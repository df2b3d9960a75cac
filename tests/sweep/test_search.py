import json
import math
import re
import subprocess
import sys
from statistics import median

import pytest
from scipy import stats

from vae_zoo.sweep.search import Bayes, draw

SPACE = {
    "model": {
        "parameters": {
            "weight": {"distribution": "log_uniform_values", "min": 1e-3, "max": 1e3},
            "latent_dim": {"min": 2, "max": 16},
            "kind": {"value": {"class_path": "MMD"}},
        }
    },
    "lr": {"distribution": "q_log_normal", "mu": -6, "q": 1e-4},
    "kernel": {"values": ["rbf", "imq", ["mixed", 1]]},
}


def loss(trial):
    """Least at weight = 10 and latent_dim = 5, on the scale of the search."""
    model = trial["model"]
    return (math.log10(model["weight"]) - 1) ** 2 + ((model["latent_dim"] - 5) / 4) ** 2


def history(count, space=SPACE, seed=0):
    return [(trial, loss(trial)) for trial in (draw(space, seed, n) for n in range(count))]


def test_a_trial_is_nested_and_ordered_as_the_parameters_are():
    trial = draw(SPACE, 0, 0)
    assert list(trial) == ["model", "lr", "kernel"]
    assert list(trial["model"]) == ["weight", "latent_dim", "kind"]
    assert trial["model"]["kind"] == {"class_path": "MMD"}
    assert json.loads(json.dumps(trial)) == trial


def test_a_random_trial_depends_on_its_seed_and_its_number_alone():
    code = f"from vae_zoo.sweep.search import draw; print(repr(draw({SPACE!r}, 3, 7)))"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert elsewhere.stdout.decode().strip() == repr(draw(SPACE, 3, 7))
    assert draw(SPACE, 3, 8) != draw(SPACE, 3, 7) != draw(SPACE, 4, 7)


def test_a_parameter_keeps_its_values_when_others_come_and_go():
    assert draw({"lr": SPACE["lr"]}, 0, 5)["lr"] == draw(SPACE, 0, 5)["lr"]


def test_random_trials_stay_the_same_from_version_to_version():
    space = {"a": {"min": 0.0, "max": 1.0}, "b": {"values": [1, 2, 3]}}
    first, second = {"a": 0.14018811866629644, "b": 3}, {"a": 0.3861291797135318, "b": 1}
    assert [draw(space, 0, n) for n in range(2)] == [first, second]


def test_random_trials_follow_the_distribution():
    space = {"a": {"distribution": "normal", "mu": 2}, "b": {"min": 0.0, "max": 1.0}}
    trials = [draw(space, 1, n) for n in range(2000)]
    assert stats.kstest([t["a"] for t in trials], stats.norm(2).cdf).pvalue > 0.01
    assert stats.kstest([t["b"] for t in trials], stats.uniform.cdf).pvalue > 0.01
    ranks = stats.spearmanr([t["a"] for t in trials], [t["b"] for t in trials])
    assert abs(ranks.statistic) < 0.06


def test_a_draw_loads_no_torch():
    code = (
        f"import sys; from vae_zoo.sweep.search import Bayes, draw; draw({SPACE!r}, 0, 0);"
        f"Bayes({SPACE!r}, 'minimize', 0);"
        "assert not {'torch', 'optuna', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_first_trials_of_a_bayesian_search_are_random():
    bayes = Bayes(SPACE, "minimize", 0)
    assert bayes.propose(9, history(9), []) == draw(SPACE, 0, 9)
    assert bayes.propose(30, history(9), [draw(SPACE, 0, 9)]) == draw(SPACE, 0, 30)
    assert bayes.propose(10, history(10), []) != draw(SPACE, 0, 10)


def test_a_proposal_depends_on_seed_number_and_results_alone():
    first = Bayes(SPACE, "minimize", 0)
    first.propose(10, history(10), [])
    proposed = first.propose(11, history(11), [draw(SPACE, 0, 11)])
    again = Bayes(SPACE, "minimize", 0).propose(11, history(11), [draw(SPACE, 0, 11)])
    assert again == proposed
    assert Bayes(SPACE, "minimize", 1).propose(11, history(11), []) != proposed


def test_a_proposal_is_nested_ordered_and_fit_for_json():
    trial = Bayes(SPACE, "minimize", 0).propose(10, history(10), [])
    assert list(trial) == ["model", "lr", "kernel"]
    assert list(trial["model"]) == ["weight", "latent_dim", "kind"]
    assert trial["model"]["kind"] == {"class_path": "MMD"}
    assert json.loads(json.dumps(trial)) == trial
    assert type(trial["model"]["latent_dim"]) is int


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_bayesian_search_beats_a_random_one(goal):
    sign = {"minimize": 1, "maximize": -1}[goal]
    space = {"model": {"parameters": dict(list(SPACE["model"]["parameters"].items())[:2])}}
    bayes_best, random_best = [], []
    for seed in range(3):
        bayes = Bayes(space, goal, seed)
        results = []
        for number in range(25):
            trial = bayes.propose(number, results, [])
            results.append((trial, sign * loss(trial)))
        bayes_best.append(min(sign * value for _, value in results))
        random_best.append(min(value for _, value in history(25, space, seed)))
    assert median(bayes_best) < 0.01
    assert median(bayes_best) < median(random_best) / 4


def test_the_best_of_the_values_is_found():
    space = {"a": {"values": ["bad", "good", "worse"]}, "b": {"min": 0.0, "max": 1.0}}
    results = []
    for n in range(12):
        trial = draw(space, 0, n)
        results.append((trial, {"good": 0, "bad": 3, "worse": 5}[trial["a"]] + trial["b"]))
    assert Bayes(space, "minimize", 0).propose(12, results, [])["a"] == "good"


def test_two_at_once_do_not_try_the_same():
    space = {"a": {"min": 0.0, "max": 1.0}}
    results = [(trial, (trial["a"] - 0.4) ** 2) for trial in (draw(space, 0, n) for n in range(10))]
    bayes = Bayes(space, "minimize", 0)
    alone = bayes.propose(10, results, [])
    assert alone == bayes.propose(10, results, [])
    both = bayes.propose(10, results, [alone])
    assert abs(both["a"] - alone["a"]) > 1e-3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_value_that_is_not_finite_counts_as_the_worst(goal, bad):
    results = history(10)
    worst = max if goal == "minimize" else min
    imputed = [*results[:-1], (results[-1][0], worst(value for _, value in results[:-1]))]
    bayes = Bayes(SPACE, goal, 0)
    proposed = bayes.propose(10, [*results[:-1], (results[-1][0], bad)], [])
    assert proposed == bayes.propose(10, imputed, [])


def test_nothing_but_diverged_trials_leaves_a_random_search():
    results = [(trial, math.nan) for trial, _ in history(12)]
    assert Bayes(SPACE, "minimize", 0).propose(12, results, []) == draw(SPACE, 0, 12)


def test_the_same_value_everywhere_is_no_obstacle():
    results = [(trial, 1.0) for trial, _ in history(10)]
    assert Bayes(SPACE, "minimize", 0).propose(10, results, [])["kernel"]


def test_constants_alone_are_proposed_as_they_are():
    space = {"a": {"value": 1}}
    assert Bayes(space, "minimize", 0).propose(10, [({"a": 1}, 0.0)] * 10, []) == {"a": 1}


def test_one_value_only_and_dotted_names_are_no_obstacle():
    space = {
        "a": {"values": [[3]]},
        "b.c": {"min": 0.0, "max": 1.0},
        "b": {"parameters": {"c": {"min": 5.0, "max": 6.0}}},
    }
    results = [(draw(space, 0, n), float(n)) for n in range(10)]
    trial = Bayes(space, "minimize", 0).propose(10, results, [])
    assert trial["a"] == [3]
    assert 0 <= trial["b.c"] <= 1
    assert 5 <= trial["b"]["c"] <= 6


def test_a_search_writes_nothing(capfd):
    Bayes(SPACE, "minimize", 0).propose(10, history(10), [draw(SPACE, 0, 10)])
    assert capfd.readouterr() == ("", "")


def test_probabilities_are_for_random_search_only():
    block = {"values": [1, 2], "probabilities": [0.5, 0.5]}
    space = {"model": {"parameters": {"depth": block}}}
    assert draw(space, 0, 0)["model"]["depth"] in (1, 2)
    message = "parameters.model.parameters.depth: method: bayes takes values without probabilities"
    with pytest.raises(ValueError, match=re.escape(message)):
        Bayes(space, "minimize", 0)


@pytest.mark.parametrize("method", [draw, Bayes])
def test_a_bad_parameter_is_named_by_its_path(method):
    space = {"model": {"parameters": {"weight": {"min": 3, "max": 1}}}}
    message = "parameters.model.parameters.weight: min should be below max, got 3 and 1"
    with pytest.raises(ValueError, match=re.escape(message)):
        method(space, 0, 0) if method is draw else method(space, "minimize", 0)
