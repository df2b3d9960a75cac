import pytest
import torch

from vae_zoo.likelihoods import Bernoulli, Normal


@pytest.mark.parametrize("variance", [0.0, -1.0, float("nan"), float("inf")])
def test_a_variance_that_is_not_positive_is_refused(variance):
    with pytest.raises(ValueError, match=f"variance must be positive, got {variance}"):
        Normal((4,), variance=variance)


@pytest.mark.parametrize("support", ["unit interval", "256 levels", "real"])
def test_bernoulli_refuses_data_that_are_not_binary_and_says_what_to_do(support):
    with pytest.raises(ValueError, match=f"of binary data, but the data are {support}: binarize"):
        Bernoulli((4,)).check_support(support)


@pytest.mark.parametrize("support", ["binary", "unit interval", "256 levels", "real"])
def test_normal_takes_all_numbers(support):
    Normal((4,)).check_support(support)


def test_normal_refuses_tokens():
    with pytest.raises(ValueError, match="data are tokens: choose another likelihood"):
        Normal((4,)).check_support("tokens")


def test_only_a_learned_variance_is_a_parameter_and_in_the_checkpoint():
    fixed, learned = Normal((4,), variance=0.3), Normal((4,), variance=0.3, learned=True)
    assert not list(fixed.parameters())
    assert not fixed.state_dict()
    assert set(learned.state_dict()) == {"log_scale"}


@pytest.mark.parametrize("family", [Bernoulli, Normal])
def test_log_densities_are_in_single_precision_at_least(family):
    x, params = torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3, dtype=torch.bfloat16)
    p = family((1, 3, 3))(params)
    assert p.mean.dtype == p.log_prob(x).dtype == torch.float32
    assert p.log_prob(x).shape == (2,)
