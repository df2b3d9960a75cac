from functools import partial

import pytest
import torch
from torch.testing import assert_close

from vae_zoo import likelihoods
from vae_zoo.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    LaplaceLikelihood,
    Normal,
    Tokens,
)
from vae_zoo.likelihoods.base import FITTING

SCALED = [Normal, LaplaceLikelihood, DiscretizedLogistic]


@pytest.mark.parametrize("variance", [0.0, -1.0, float("nan"), float("inf")])
def test_a_variance_that_is_not_positive_is_refused(variance):
    with pytest.raises(ValueError, match=f"variance must be positive and finite, got {variance}"):
        Normal((4,), variance=variance)


@pytest.mark.parametrize("family", [LaplaceLikelihood, DiscretizedLogistic])
@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_not_positive_is_refused(family, scale):
    with pytest.raises(
        ValueError, match=f"scale must be (positive and finite|at least 0.0001), got {scale}"
    ):
        family((4,), scale=scale)


def test_a_scale_far_below_a_level_is_refused():
    with pytest.raises(ValueError, match=r"scale must be at least 0\.0001, got 9e-05"):
        DiscretizedLogistic((4,), scale=9e-5)


@pytest.mark.parametrize("family", SCALED)
@pytest.mark.parametrize("learned", [True, "pixels"])
def test_another_choice_of_what_is_learned_is_refused(family, learned):
    message = f"learned must be one of fixed, scalar, pixel, decoded.*, got {learned}"
    with pytest.raises(ValueError, match=message):
        family((4,), learned=learned)


@pytest.mark.parametrize("family", [LaplaceLikelihood, DiscretizedLogistic])
def test_only_a_normal_has_an_optimal_scale_in_closed_form(family):
    Normal((4,), learned="optimal")
    with pytest.raises(ValueError, match=r"learned must be one of .*, got optimal"):
        family((4,), learned="optimal")


ALL = {"binary", "unit interval", "256 levels", "real", "tokens"}


@pytest.mark.parametrize(
    ("family", "supports"),
    [
        (Bernoulli, {"binary"}),
        (ContinuousBernoulli, {"unit interval", "256 levels"}),
        (Normal, ALL - {"tokens"}),
        (LaplaceLikelihood, ALL - {"tokens"}),
        (DiscretizedLogistic, {"256 levels"}),
        (Categorical, {"256 levels"}),
    ],
)
def test_a_likelihood_takes_its_own_data_and_says_what_to_do_with_others(family, supports):
    likelihood = family((4,))
    for support in sorted(ALL):
        if support in supports:
            likelihood.check_support(support)
        else:
            with pytest.raises(ValueError, match=f"the data are {support}: (binarize|use|choose)"):
                likelihood.check_support(support)


@pytest.mark.parametrize(
    ("learned", "parameters", "state"),
    [
        ("fixed", set(), set()),
        ("scalar", {"log_scale"}, {"log_scale"}),
        ("pixel", {"factors"}, {"factors"}),
        ("decoded", set(), set()),
        ("optimal", set(), {"log_scale", "batches"}),
    ],
)
def test_what_is_learned_is_a_parameter_or_in_the_checkpoint(learned, parameters, state):
    likelihood = Normal((4,), variance=0.3, learned=learned)
    assert {name for name, _ in likelihood.named_parameters()} == parameters
    assert set(likelihood.state_dict()) == state


@pytest.mark.parametrize(
    "family",
    [
        Bernoulli,
        Categorical,
        ContinuousBernoulli,
        partial(Normal, learned="optimal"),
        *(partial(family, learned=how) for family in SCALED for how in ("pixel", "decoded")),
    ],
)
def test_log_densities_are_in_single_precision_at_least(family):
    x, likelihood = torch.ones(2, 1, 3, 3), family((1, 3, 3)).bfloat16()
    p = likelihood(torch.zeros(2, *likelihood.params, dtype=torch.bfloat16))
    assert p.mean.dtype == p.sample().dtype == p.log_prob(x).dtype == torch.float32
    assert p.mean.shape == p.sample().shape == x.shape
    assert p.log_prob(x).shape == (2,)


@pytest.mark.parametrize("family", SCALED)
@pytest.mark.parametrize("learned", ["scalar", "pixel", "decoded"])
def test_a_learned_scale_finds_that_of_the_data(family, learned):
    option = "variance" if family is Normal else "scale"
    make = partial(family, (2,), learned=learned)
    truth, likelihood = family((2,), **{option: 0.05}, learned="fixed"), make(**{option: 0.2})
    loc = torch.full((1, 2), 0.5)
    x = truth(loc.expand(4000, -1)).sample()
    params = torch.cat([loc, 0 * loc], dim=1) if learned == "decoded" else loc
    params = params.requires_grad_()
    learned_ = [params] if learned == "decoded" else [*likelihood.parameters()]
    optimizer = torch.optim.Adam(learned_, lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        (-likelihood(params).log_prob(x).mean()).backward()
        optimizer.step()
    found, expected = likelihood.split(params)[1], truth.split(loc)[1]
    assert_close(found.detach(), expected.expand(found.shape), rtol=0.08, atol=0)


@pytest.mark.parametrize("support", ["unit interval", "256 levels", "real", "tokens"])
def test_only_grey_values_are_said_to_be_binarized(support):
    with pytest.raises(ValueError, match=f"but the data are {support}") as caught:
        Bernoulli(shape=(2,)).check_support(support)
    assert ("--data.binarization" in str(caught.value)) == (
        support in ("unit interval", "256 levels")
    )


@pytest.mark.parametrize("support", FITTING)
def test_data_that_do_not_fit_are_refused_with_a_likelihood_that_does(support):
    for name in FITTING[support].split(" or "):
        assert support in getattr(likelihoods, name).supports
    for family in (Bernoulli, Tokens, Normal):
        if support not in family.supports:
            with pytest.raises(ValueError, match=f"--model.likelihood {FITTING[support]}$"):
                family((4, 3)).check_support(support)
