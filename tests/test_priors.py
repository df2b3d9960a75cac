import pytest
import torch

from vae_zoo.likelihoods import Bernoulli
from vae_zoo.priors import ConditionalNormal, LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

EMPTY = torch.zeros(1, 0)


@pytest.mark.parametrize("prior", [StandardNormal(3), LearnedNormal(3), MixtureOfNormals(3)])
def test_an_unconditional_prior_is_one_distribution_over_codes(prior):
    p = prior(EMPTY)
    assert (p.batch_shape, p.event_shape) == ((), (3,))
    expanded = p.expand((5,))
    assert (expanded.batch_shape, expanded.event_shape) == ((5,), (3,))
    assert expanded.sample().shape == (5, 3)
    assert expanded.log_prob(torch.randn(5, 3)).shape == (5,)


def test_a_conditional_prior_is_one_distribution_per_condition():
    p = ConditionalNormal(3, condition_dim=2)(torch.eye(2))
    assert (p.batch_shape, p.event_shape) == ((2,), (3,))


def test_only_the_learned_priors_have_parameters():
    assert not list(StandardNormal(2).parameters())
    assert not StandardNormal(2).state_dict()
    assert {name for name, _ in LearnedNormal(2).named_parameters()} == {"loc", "log_scale"}


@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
def test_every_parameter_of_a_learned_prior_is_trained_by_the_kl(prior):
    vae = VAE((6,), 2, KL(), prior=prior, likelihood=Bernoulli)
    vae(torch.rand(16, 6).round()).loss.backward()
    assert all((parameter.grad != 0).all() for parameter in vae.prior.parameters())


def test_the_means_of_a_mixture_start_apart_and_their_number_is_that_asked_for():
    prior = MixtureOfNormals(4, components=6)
    assert prior.loc.shape == (6, 4)
    assert torch.pdist(prior.loc).min() > 0.1


@pytest.mark.parametrize("components", [0, -1])
def test_a_mixture_without_components_is_refused(components):
    with pytest.raises(ValueError, match=f"components must be at least 1, got {components}"):
        MixtureOfNormals(2, components=components)
