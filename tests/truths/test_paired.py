"""Differences over seeds: against scipy, an example by hand, and their promise over many draws."""

import numpy as np
import pytest
from scipy import stats

from vae_zoo.comparison.paired import Difference, against, holm, paired


def by_seed(values):
    return dict(enumerate(float(value) for value in values))


def test_a_difference_is_that_of_the_paired_test_of_scipy():
    rng = np.random.default_rng(0)
    values, reference = rng.normal(1.0, 1.0, 7), rng.normal(0.0, 1.0, 7)
    expected = stats.ttest_rel(values, reference)
    interval = expected.confidence_interval(0.95)
    found = paired(by_seed(values), by_seed(reference))
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.mean == pytest.approx((values - reference).mean())
    assert found.seeds == 7


def test_only_shared_seeds_count_and_fewer_than_three_say_nothing():
    values = {0: 1.0, 1: 2.5, 2: 3.0, 7: 100.0}
    reference = {0: 0.0, 1: 1.0, 2: 2.0, 8: -100.0}
    found = paired(values, reference)
    assert found.seeds == 3
    assert found.mean == pytest.approx(3.5 / 3)
    assert paired({0: 1.0, 1: 2.0}, {0: 0.0, 1: 1.0}) is None


def test_equal_groups_do_not_differ_and_a_constant_difference_is_sure():
    values = {0: 1.0, 1: 2.0, 2: 4.0}
    assert paired(values, values) == Difference(0.0, 0.0, 0.0, 1.0, 3)
    shifted = paired({seed: value + 1.0 for seed, value in values.items()}, values)
    assert shifted == Difference(1.0, 1.0, 1.0, 0.0, 3)


def test_holm_is_that_of_his_example_by_hand():
    # Sorted .005, .01, .03, .04: times 4, 3, 2, 1, and none below one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_hold_95_times_in_100_where_those_of_a_bootstrap_do_not(seeds):
    rng = np.random.default_rng(0)
    draws, kept, bootstrapped = 1000, 0, 0
    again = rng.integers(seeds, size=(500, seeds))
    for _ in range(draws):
        found = rng.normal(size=seeds)
        difference = paired(by_seed(found), by_seed(np.zeros(seeds)))
        kept += difference.low <= 0 <= difference.high
        low, high = np.quantile(found[again].mean(1), [0.025, 0.975])
        bootstrapped += low <= 0 <= high
    assert kept / draws == pytest.approx(0.95, abs=0.025)
    assert bootstrapped / draws < 0.92


def test_among_ten_groups_that_are_alike_one_stands_out_in_one_of_twenty_comparisons():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        groups = {str(i): by_seed(rng.normal(size=5)) for i in range(10)}
        wrong += any(each.beyond_noise for each in against(groups, groups.pop("0")).values())
    assert wrong / 300 < 0.08
