import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, Poisson
from torch.testing import assert_close

from vae_zoo.priors import LearnedNormal, MixtureOfNormals
from vae_zoo.sampling import draw, gather

EMPTY = torch.zeros(1, 0)


def test_gradients_reach_a_learned_prior_through_its_samples():
    prior = LearnedNormal(3)
    draw(prior(EMPTY).expand((5,))).sum().backward()
    assert_close(prior.loc.grad, torch.full((3,), 5.0))
    assert (prior.log_scale.grad != 0).all()


def test_gradients_reach_a_mixture_through_its_samples():
    prior = MixtureOfNormals(3, components=4)
    draw(prior(EMPTY).expand((5,))).sum().backward()
    assert_close(prior.loc.grad.sum(0), torch.full((3,), 5.0))  # all moves if all means move
    assert (prior.logits.grad != 0).all()


def test_one_sample_is_drawn_per_example():
    p = Independent(Normal(torch.tensor([[-9.0, 0.0], [9.0, 5.0]]), 1e-3), 1)
    assert_close(draw(p), torch.tensor([[-9.0, 0.0], [9.0, 5.0]]), atol=0.01, rtol=0)


def test_a_prior_without_gradients_is_refused_by_its_name():
    normals = Independent(Normal(torch.zeros(3, 2), 1.0), 1)
    with pytest.raises(ValueError, match="MixtureSameFamily"):  # torch's own, which has no rsample
        draw(MixtureSameFamily(Categorical(torch.ones(3)), normals))
    with pytest.raises(ValueError, match="Poisson"):
        draw(Independent(Poisson(torch.ones(3)), 1))


def test_one_process_gathers_its_own_examples():
    x = torch.randn(3, 2)
    assert gather(x) is x
