import math

import pytest

from vae_zoo.sweep.hyperband import Hyperband


def hyperband(goal="minimize", **block):
    return Hyperband.from_config({"type": "hyperband", **block}, goal)


# Nine trials at the bands 1 and 3 with eta 3. At band 1 the losses are 1 to 9, and the one of rank
# 3 is 4. Band 3 was reached by a, b, c and d with losses 5, 6, 2 and 8: rank 1 is 5.
TABLE = {
    "a": [1, 1, 5],
    "b": [2, 2, 6, 6],
    "c": [3, 9, 2],
    "d": [9, 9, 8],
    "e": [4],
    "f": [5, 3],
    "g": [6, 6],
    "h": [7],
    "i": [8, 1],
    "j": [],
}


def test_the_strict_rule_judges_by_the_value_at_the_last_band():
    stopped = hyperband(min_iter=1, eta=3, strict=True).to_stop(TABLE, set(TABLE))
    assert stopped == {"b", "d", "f", "g", "h", "i"}


def test_the_lenient_rule_judges_by_the_best_value_so_far():
    stopped = hyperband(min_iter=1, eta=3, strict=False).to_stop(TABLE, set(TABLE))
    assert stopped == {"d", "g", "h"}


def test_the_rule_is_strict_by_default_as_the_schema_says():
    assert hyperband(min_iter=1).strict


def test_only_running_trials_are_stopped_but_all_are_compared_with():
    assert hyperband(min_iter=1).to_stop(TABLE, {"a", "d", "e"}) == {"d"}


def test_maximizing_is_minimizing_the_negative():
    negative = {name: [-value for value in values] for name, values in TABLE.items()}
    for strict in (True, False):
        up = hyperband("maximize", min_iter=1, strict=strict).to_stop(negative, set(TABLE))
        assert up == hyperband(min_iter=1, strict=strict).to_stop(TABLE, set(TABLE))


def test_a_trial_is_judged_only_from_its_first_band_on():
    rule = hyperband(min_iter=3)
    good = {"a": [0, 0, 0], "b": [0, 0, 0]}
    assert rule.to_stop({**good, "bad": [9, 9]}, {"bad"}) == set()
    assert rule.to_stop({**good, "bad": [9, 9, 9]}, {"bad"}) == {"bad"}


def test_between_bands_the_value_at_the_last_one_still_counts():
    rule = hyperband(min_iter=2, eta=4)
    histories = {"good": [1, 1], "late": [5, 5, 0]}
    assert rule.to_stop(histories, {"late"}) == {"late"}


def test_the_first_at_a_band_goes_on():
    assert hyperband(min_iter=1).to_stop({"a": [5]}, {"a"}) == set()


def test_trials_of_the_same_value_go_on():
    histories = {str(n): [1.0] for n in range(9)}
    assert hyperband(min_iter=1).to_stop(histories, set(histories)) == set()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_value_that_is_not_finite_is_the_worst(bad, goal):
    histories = {"a": [1], "b": [2], "c": [bad]}
    assert "c" in hyperband(goal, min_iter=1).to_stop(histories, set(histories))


def test_diverged_trials_do_not_stop_each_other():
    histories = {"a": [math.nan], "b": [math.nan]}
    assert hyperband(min_iter=1).to_stop(histories, set(histories)) == set()


def test_a_trial_that_logged_nothing_yet_goes_on():
    assert hyperband(min_iter=1).to_stop({"a": [1]}, {"a", "new"}) == set()


BANDS = [
    ({"min_iter": 3}, (3, 9, 27)),
    ({"min_iter": 2, "eta": 2.5}, (2, 5, 12)),
    ({"min_iter": 1, "eta": 1.2}, (1, 2, 3)),
    ({"max_iter": 27, "s": 2}, (3, 9)),
    ({"max_iter": 18, "s": 2}, (2, 6)),
    ({"max_iter": 5, "s": 2, "eta": 2}, (1, 2)),
    ({"max_iter": 9, "s": 10}, (1, 3)),
    ({"max_iter": 81, "s": 3.0}, (3, 9, 27)),
    ({"max_iter": 27, "s": 1, "min_iter": 2}, (9,)),
    ({"min_iter": 2, "s": 1}, (2, 6, 18)),
]


@pytest.mark.parametrize(("block", "bands"), BANDS)
def test_the_bands_are_those_of_the_documentation(block, bands):
    found = hyperband(**block).bands
    assert found[:3] == bands
    assert "max_iter" not in block or len(found) == len(bands)


def test_a_schedule_beyond_all_numbers_ends():
    assert hyperband(min_iter=1, eta=1e10).bands[-1] > 1e290


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"max_iter": 2, "s": 2}, "early_terminate: max_iter 2, s 2 and eta 3 leave no band"),
        ({"max_iter": 9, "s": 0}, "s at least 1"),
        ({"max_iter": 9, "s": 1.5}, "early_terminate.s should be a whole number, got 1.5"),
    ],
)
def test_a_schedule_without_bands_is_refused(block, message):
    with pytest.raises(ValueError, match=message):
        hyperband(**block)
