"""Each property fails for a prior, likelihood or data module that breaks it, and for that alone."""

from functools import partial

import pytest
import torch

from tests.contract import (
    broken_data,
    broken_likelihoods,
    broken_priors,
    right_data,
    right_likelihoods,
    right_priors,
)
from vae_zoo.contract import check_data, check_likelihood, check_prior
from vae_zoo.data import Digits
from vae_zoo.likelihoods import Bernoulli, Normal
from vae_zoo.priors import ConditionalNormal, StandardNormal

CASES = [
    pytest.param(check, family, name, id=f"{name}: {family.__name__}")
    for check, broken in (
        (check_prior, broken_priors.BROKEN),
        (check_likelihood, broken_likelihoods.BROKEN),
        (check_data, broken_data.BROKEN),
    )
    for family, name in broken.items()
]


def failed(found):
    return {one.name: one.figure for one in found if one.holds is False}


@pytest.mark.parametrize(("check", "family", "name"), CASES)
def test_what_is_broken_fails_in_the_property_that_it_breaks(check, family, name):
    assert set(failed(check(family))) == {name}


@pytest.mark.parametrize(
    ("check", "family"),
    [
        *((check_prior, family) for family in right_priors.RIGHT),
        *((check_likelihood, family) for family in right_likelihoods.RIGHT),
        *((check_data, family) for family in right_data.RIGHT),
        (check_likelihood, partial(Normal, variance=0.01, learned="decoded")),
        (check_data, partial(Digits, binarization="none")),
    ],
)
def test_what_is_right_fails_in_none(check, family):
    found = check(family)
    assert not failed(found)
    assert found[0].holds


@pytest.mark.parametrize(
    ("check", "family", "broken"),
    [
        (check_prior, ConditionalNormal, broken_priors.BROKEN),
        (check_likelihood, Bernoulli, broken_likelihoods.BROKEN),
        (check_data, Digits, broken_data.BROKEN),
    ],
)
def test_every_property_has_something_that_breaks_it(check, family, broken):
    assert {one.name for one in check(family)} == set(broken.values())


def test_a_cross_entropy_of_grey_pixels_is_no_likelihood():
    found = failed(check_likelihood(broken_likelihoods.CrossEntropyOfGreys))
    assert "normalised" in found
    assert float(found["normalised"].partition(",")[0]) < 0.9


def test_the_rest_is_not_reached_where_the_first_fails():
    for check, family in (
        (check_prior, broken_priors.NotIndependent),
        (check_likelihood, broken_likelihoods.NotIndependent),
        (check_data, broken_data.Grey),
    ):
        first, *rest = check(family)
        assert first.holds is False
        assert {one.holds for one in rest} == {None}
        assert all("not reached" in one.figure for one in rest)


def test_what_does_not_apply_is_said_with_the_reason():
    found = {one.name: one.figure for one in check_prior(StandardNormal)}
    assert found["gradient in its parameters"] == "does not apply: it has no parameters"
    assert found["each condition its own density"] == "does not apply: it is no p(z | c)"
    found = {one.name: one.figure for one in check_prior(right_priors.Bounded)}
    assert found["finite far out"] == "-inf: it has bounds, and a KL may be infinite"


def test_a_refused_option_is_the_error_of_the_constructor():
    with pytest.raises(ValueError, match=r"variance must be positive.*, got -1"):
        check_likelihood(partial(Normal, variance=-1.0))
    with pytest.raises(ValueError, match="split_seed must be non-negative, got -1"):
        check_data(partial(Digits, split_seed=-1))


def test_a_likelihood_that_takes_no_shape_is_refused_as_the_first():
    class OfNoShape(Normal):
        def __init__(self, shape):
            raise ValueError(f"shape must be another, got {shape}")

    with pytest.raises(ValueError, match=r"shape must be another, got \(2, 1, 1\)"):
        check_likelihood(OfNoShape)


def test_a_prior_that_refuses_two_dimensions_is_told_what_to_do():
    with pytest.raises(ValueError, match=r"at least 3, got 2 \(the check is in two dimensions"):
        check_prior(right_priors.OfSpace)


def test_nan_outside_of_the_support_is_told_as_such():
    found = {
        **failed(check_prior(broken_priors.NaNOutside)),
        **failed(check_likelihood(broken_likelihoods.NaNOutside)),
    }
    assert set(found) == {"finite far out", "normalised"}
    for figure in found.values():
        assert "-inf is due outside of its support" in figure


def test_what_cannot_be_told_of_more_dimensions_is_said():
    found = {one.name: one for one in check_prior(right_priors.Correlated)}
    assert found["five dimensions"].holds is None
    assert "cannot be told" in found["five dimensions"].figure
    found = {one.name: one for one in check_prior(right_priors.OfThePlane)}
    assert "it refuses 5 dimensions" in found["five dimensions"].figure


def test_a_constructor_that_fails_is_told_in_a_sentence():
    class Lacking(StandardNormal):
        def __init__(self, latent_dim):
            super().__init__(latent_dim)

    with pytest.raises(ValueError, match=r"its constructor fails: TypeError: .*condition_dim"):
        check_prior(Lacking)


def test_a_check_says_the_same_each_time_and_leaves_the_noise_as_it_was():
    noise = torch.get_rng_state()
    for check, family in ((check_prior, ConditionalNormal), (check_likelihood, Normal)):
        assert check(family) == check(family)
    assert torch.equal(torch.get_rng_state(), noise)
