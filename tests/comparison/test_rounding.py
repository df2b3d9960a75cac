import pytest

from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.evaluation.score import Score


def column(*pairs, least=0):
    estimates = [
        Estimate(*(pair if isinstance(pair, tuple) else (pair, None)), 1) for pair in pairs
    ]
    rounding = Rounding.of(estimates, least)
    return [rounding.show(each) for each in estimates]


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([(-20.1834, 0.1132), (-7.4561, 0.25)], ["−20.2 ± 0.1", "−7.5 ± 0.2"]),
        ([(0.53974, 0.00821), (0.91, 0.0051)], ["0.540 ± 0.008", "0.910 ± 0.005"]),
        ([(0.53974, 0.00121)], ["0.5397 ± 0.0012"]),
        ([0.00012, 0.0345], ["0.0001", "0.0345"]),
        ([0.00012, 0.345, 0.5], ["0.0001", "0.3450", "0.5000"]),
        ([0.00012], ["0.000120"]),
        ([0.0123, 0.02], ["0.0123", "0.0200"]),
        ([(0.0123, 0.0), (0.02, 0.0)], ["0.0123 ± 0.0000", "0.0200 ± 0.0000"]),
        ([412.34], ["412"]),
        ([12345.678], ["12,346"]),
        ([165456.0, 7.0], ["165,456", "7"]),
        ([(165456.0, 0.0)], ["165,456"]),
        ([(3.14159, 1e-7)], ["3.142 ± <0.001"]),
        ([(-0.00001, 0.002), (0.3, 0.002)], ["0.000 ± 0.002", "0.300 ± 0.002"]),
        ([0.0, 0.0], ["0", "0"]),
        ([1.25e-7, 3e-7], ["1.25·10⁻⁷", "3.00·10⁻⁷"]),
        ([(-1.25e-7, 5e-8), (0.0, None)], ["(−1.25 ± 0.50)·10⁻⁷", "0"]),
        ([2.5e12], ["2.50·10¹²"]),
        ([1e12], ["1.00·10¹²"]),
        ([2.5e-308, 1e308], ["2.50·10⁻³⁰⁸", "1.00·10³⁰⁸"]),
        ([], []),
    ],
)
def test_a_column_has_as_many_decimals_as_its_errors_bear(numbers, shown):
    assert column(*numbers) == shown


def test_numbers_of_seven_digits_are_written_by_powers_of_ten():
    assert column((5011809.49, 81488.4), (1846943.09, 551673.95), (12.0, 3.0)) == [
        "(5.01 ± 0.08)·10⁶",
        "(1.85 ± 0.55)·10⁶",
        "(1.20 ± 0.30)·10¹",
    ]


def test_a_single_run_that_diverged_leaves_the_digits_of_the_others():
    assert column((-1e5, 300.0), (-102.34, 0.21), (-99.11, 0.2))[1:] == [
        "−102.3 ± 0.2",
        "−99.1 ± 0.2",
    ]


def test_terms_in_nats_have_two_decimals_as_in_all_tables():
    assert column((-102.34, 4.0), least=2) == ["−102.34 ± 4.00"]


def test_one_score_keeps_its_own_error_and_several_have_that_of_their_mean():
    assert Estimate.of_scores([Score(3.0, 0.5)]) == (3.0, 0.5, 1)
    assert Estimate.of_scores([Score(3.0)]) == (3.0, None, 1)
    assert Estimate.of_scores([Score(3.0, 0.5), Score(5.0, 0.5)]) == (4.0, 1.0, 2)
