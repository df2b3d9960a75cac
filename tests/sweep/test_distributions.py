import json
import math
import re
from collections import Counter
from importlib import resources

import numpy as np
import pytest
from scipy import stats

from vae_zoo.sweep.distributions import (
    Categorical,
    Constant,
    Integers,
    Real,
    distribution,
    lossless,
)

# Quantiles from end to end, the first and the last that random numbers have among them.
QUANTILES = [0.0, *np.linspace(0.0005, 0.9995, 400), 1 - 2.0**-53]

CONTINUOUS = {
    "uniform": ({"min": -1.5, "max": 4}, stats.uniform(-1.5, 5.5)),
    "log_uniform": ({"min": -7, "max": 2}, stats.loguniform(math.exp(-7), math.exp(2))),
    "log_uniform_values": ({"min": 1e-4, "max": 0.1}, stats.loguniform(1e-4, 0.1)),
    "inv_log_uniform": ({"min": -2, "max": 7}, stats.loguniform(math.exp(-7), math.exp(2))),
    "inv_log_uniform_values": ({"min": 1e-4, "max": 0.1}, stats.loguniform(1e-4, 0.1)),
    "normal": ({"mu": 3, "sigma": 0.5}, stats.norm(3, 0.5)),
    "log_normal": ({"mu": 1, "sigma": 0.5}, stats.lognorm(0.5, scale=math.e)),
    "beta": ({"a": 0.5, "b": 3}, stats.beta(0.5, 3)),
}
QUANTIZED = ["uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta"]
QUANTA = {"log_uniform_values": 0.01, "beta": 0.05}


def make(name, **numbers):
    return distribution({"distribution": name, **numbers}, "parameters.a")


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_quantiles_are_those_of_scipy(name):
    numbers, reference = CONTINUOUS[name]
    law = make(name, **numbers)
    for u in QUANTILES[1:]:
        assert law.quantile(u) == pytest.approx(reference.ppf(u), rel=1e-9, abs=1e-12)
    assert type(law.quantile(0.3)) is float


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_least_random_number_gives_a_finite_value(name):
    law = make(name, **CONTINUOUS[name][0])
    assert math.isfinite(law.quantile(0.0))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_position_of_a_value_is_its_quantile(name):
    law = make(name, **CONTINUOUS[name][0])
    for u in QUANTILES[1:-1]:
        assert law.position(law.quantile(u)) == pytest.approx(u, abs=1e-9)


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantized_value_is_the_nearest_multiple_of_q(name):
    numbers, reference = CONTINUOUS[name]
    q = QUANTA.get(name, 0.25)
    law = make(f"q_{name}", q=q, **numbers)
    for u in QUANTILES[1:]:
        assert law.quantile(u) == round(reference.ppf(u) / q) * q
    assert len({law.quantile(u) for u in QUANTILES}) > 5


@pytest.mark.parametrize("name", QUANTIZED)
def test_the_position_of_a_quantized_value_is_amid_those_that_give_it(name):
    numbers, reference = CONTINUOUS[name]
    q = QUANTA.get(name, 0.25)
    law = make(f"q_{name}", q=q, **numbers)
    for u in QUANTILES[1:-1]:
        value = law.quantile(u)
        below, above = reference.cdf(value - q / 2), reference.cdf(value + q / 2)
        assert law.position(value) == pytest.approx((below + above) / 2, abs=1e-9)
        assert law.quantile(law.position(value)) == value


def test_a_quantized_value_is_an_int_where_q_is_one():
    values = [make("q_normal", q=2, sigma=10).quantile(u) for u in QUANTILES]
    assert {type(value) for value in values} == {int}
    assert {value % 2 for value in values} == {0}
    assert type(make("q_normal", q=2.0, sigma=10).quantile(0.9)) is float


@pytest.mark.parametrize(("name", "value"), [("normal", 1.0), ("log_normal", math.e)])
def test_a_normal_distribution_is_standard_by_default(name, value):
    one_sigma = stats.norm.cdf(1)
    assert make(name).quantile(one_sigma) == pytest.approx(value)
    assert make(f"q_{name}").quantile(one_sigma) == round(value)


def test_a_beta_distribution_is_uniform_by_default():
    assert make("beta").quantile(0.3) == pytest.approx(0.3)
    assert {make("q_beta").quantile(u) for u in QUANTILES} == {0.0, 1.0}


@pytest.mark.parametrize("high", [0.1, 0.3, 0.7, 1e-3, 3e3])
def test_no_value_leaves_the_range(high):
    for name, low in (("log_uniform_values", 1e-5), ("uniform", -0.1)):
        law = make(name, min=low, max=high)
        assert low <= law.quantile(0.0)
        assert law.quantile(1 - 2.0**-53) <= high
        assert law.quantile(1.0) <= high


def test_whole_numbers_are_equally_likely_with_both_ends():
    law = make("int_uniform", min=-2, max=5)
    counts = Counter(law.quantile(u) for u in np.arange(0, 1, 1 / 800))
    assert counts == dict.fromkeys(range(-2, 6), 100)
    assert {type(value) for value in counts} == {int}
    assert law.quantile(1.0) == 5
    assert all(law.quantile(law.position(value)) == value for value in range(-2, 6))


def test_a_very_wide_range_of_whole_numbers_keeps_its_end():
    law = make("int_uniform", min=0, max=2**60)
    assert law.quantile(1 - 2.0**-53) <= 2**60


def test_values_are_equally_likely_and_stay_what_they_were():
    values = [1, 1.0, True, None, "1", [1, {"a": 2}]]
    law = distribution({"values": values}, "parameters.a")
    drawn = [law.quantile(u) for u in np.arange(0, 1, 1 / 600)]
    assert [lossless(value) for value in drawn[::100]] == [lossless(value) for value in values]
    assert Counter(map(lossless, drawn)) == dict.fromkeys(map(lossless, values), 100)
    assert [law.index(value) for value in values] == list(range(6))


def test_probabilities_are_kept():
    law = distribution(
        {"values": list("abcd"), "probabilities": [0, 0.25, 0.75, 0]}, "parameters.a"
    )
    drawn = [law.quantile(u) for u in np.arange(0, 1, 1 / 400)]
    assert drawn == ["b"] * 100 + ["c"] * 300
    assert law.quantile(1 - 2.0**-53) == "c"


def test_probabilities_rounded_below_one_never_give_an_impossible_value():
    probabilities = [0.3, 0.6999995, 0]
    law = distribution({"values": [1, 2, 3], "probabilities": probabilities}, "parameters.a")
    assert law.quantile(1 - 2.0**-53) == 2


INFERRED = [
    ({"value": 3}, Constant(3)),
    ({"values": [1, 2]}, Categorical([1, 2])),
    ({"values": [1, 2], "probabilities": [0.5, 0.5]}, Categorical([1, 2], [0.5, 0.5])),
    ({"min": 1, "max": 3}, Integers(1, 3)),
]


@pytest.mark.parametrize(("block", "meant"), INFERRED)
def test_a_distribution_without_a_name_is_inferred(block, meant):
    assert distribution(block, "parameters.a") == meant


@pytest.mark.parametrize(("low", "high"), [(1.0, 3.0), (1, 3.0), (1.0, 3)])
def test_a_range_with_a_float_is_continuous(low, high):
    law = distribution({"min": low, "max": high}, "parameters.a")
    assert isinstance(law, Real)
    assert law.quantile(0.25) == 1.5


def test_a_range_of_whole_numbers_said_to_be_uniform_is_continuous():
    assert make("uniform", min=0, max=1).quantile(0.25) == 0.25


def test_every_distribution_of_the_schema_can_be_had():
    schema = json.loads(resources.files("vae_zoo.sweep").joinpath("schema.json").read_text())
    names = set()
    for key, rule in schema["definitions"].items():
        if key.startswith("param_") and key != "param_dict":
            for kind in rule.get("anyOf", [rule]):
                names |= set(kind["properties"]["distribution"]["enum"])
    mine = {*CONTINUOUS, *(f"q_{name}" for name in QUANTIZED), "int_uniform"}
    assert names == mine | {"constant", "categorical", "categorical_w_probabilities"}


def test_the_ends_of_an_infinite_range_are_no_place_to_search():
    assert make("uniform", min=0, max=1).ends == make("q_beta").ends == (0, 1)
    low, high = make("log_normal").ends
    assert math.exp(-3.2) < make("log_normal").quantile(low)
    assert make("log_normal").quantile(high) < math.exp(3.2)


BAD = [
    ({"min": 3, "max": 1}, "min should be below max, got 3 and 1"),
    ({"min": 2, "max": 2}, "min should be below max, got 2 and 2"),
    ({"distribution": "uniform", "min": 0.5, "max": -0.5}, "below max, got 0.5 and -0.5"),
    ({"distribution": "inv_log_uniform", "min": 2, "max": 1}, "below max, got 2 and 1"),
    ({"distribution": "int_uniform", "min": 1.0, "max": 3}, "whole numbers, got 1.0 and 3.0"),
    ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "min should be positive, got 0"),
    ({"distribution": "q_log_uniform_values", "min": -1, "max": 1}, "positive, got -1"),
    ({"distribution": "inv_log_uniform_values", "min": 0, "max": 1}, "positive, got 0"),
    ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "q should be positive, got 0"),
    ({"distribution": "q_normal", "q": -0.5}, "q should be positive, got -0.5"),
    ({"distribution": "normal", "sigma": 0}, "sigma should be positive, got 0"),
    ({"distribution": "log_normal", "sigma": -1}, "sigma should be positive, got -1"),
    ({"distribution": "beta", "a": 0}, "a should be positive, got 0"),
    ({"distribution": "q_beta", "b": 0}, "b should be positive, got 0"),
    ({"distribution": "log_uniform", "min": 1, "max": 1000}, "would reach 1000, beyond ±700"),
    ({"distribution": "log_normal", "mu": 900}, "natural logarithm would reach"),
    ({"distribution": "uniform", "min": 0}, "uniform needs 'max'"),
    ({"distribution": "normal", "min": 0}, "normal takes mu, sigma, got 'min'"),
    ({"min": 0, "max": 1, "q": 1}, "int_uniform takes min, max, got 'q'"),
    ({"min": "1e-4", "max": 1.0}, "got '1e-4'. YAML reads 1e-4 as a text: write 1.0e-4"),
    ({"min": -math.inf, "max": 1.0}, "min should be a finite number, got -inf"),
    ({"min": False, "max": True}, "min should be a finite number, got False"),
    ({"values": [1, 2], "probabilities": [1]}, "as many as values, got 1 and 2"),
    ({"values": [1, 2], "probabilities": [0.5, 0.4]}, "sum to 1, got [0.5, 0.4] with sum 0.9"),
    ({"values": [1, 2], "probabilities": [1.5, -0.5]}, "should be non-negative"),
    ({"values": [1, math.nan]}, "nan cannot be passed on as JSON"),
    ({"value": {1: 2}}, "{1: 2} cannot be passed on as JSON"),
]


@pytest.mark.parametrize(("block", "message"), BAD)
def test_a_bad_block_gets_one_line_with_its_path(block, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        distribution(block, "parameters.model.parameters.weight")
    assert str(caught.value).startswith("parameters.model.parameters.weight: ")
    assert "\n" not in str(caught.value)
