"""Regularizers as a user writes them: a file of their own, and an adversary with a critic."""

from collections import UserList
from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import softplus
from torch.testing import assert_close

from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import Regularizer
from vae_zoo.sampling import draw, gather
from vae_zoo.vae import VAE


class Means(Regularizer):
    """Match the mean of the codes."""

    def divergence(self, q, p, z):
        return (gather(z).mean(0) - gather(draw(p)).mean(0)).square().sum()


class PerExample(Regularizer):
    """Forget to average over the examples."""

    def divergence(self, q, p, z):
        return z.square().sum(dim=1)


class Adversary(Regularizer):
    """The non-saturating game of a critic that tells codes from samples of the prior."""

    def __init__(self, weight=1.0, lr=0.05):
        super().__init__(weight)
        self.optimizer_options = {"lr": lr}

    def build(self, latent_dim):
        self.critic = nn.Linear(latent_dim, 1)

    def divergence(self, q, p, z):
        frozen = {name: value.detach() for name, value in self.critic.named_parameters()}
        return softplus(-functional_call(self.critic, frozen, z)).mean()

    def critic_loss(self, q, p, z):
        real, fake = self.critic(p.sample()), self.critic(z.detach())
        return (softplus(-real) + softplus(fake)).mean()


X = torch.rand(32, 6, generator=torch.Generator().manual_seed(0)).round()
BATCHES = UserList([(X, torch.zeros(32))])  # a plain list would be taken for a list of loaders


def gradients(module):
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def test_a_regularizer_of_six_lines_trains(make_trainer):
    vae = VAE((6,), 2, Means(weight=10.0))
    terms = vae(X)
    assert_close(terms.loss, terms.reconstruction.mean() + terms.penalty)
    assert vae.regularizer.label == "Means λ=10"
    make_trainer(max_epochs=1).fit(vae, BATCHES, BATCHES)


def test_a_divergence_that_is_no_scalar_is_refused():
    with pytest.raises(ValueError, match=r"PerExample.divergence must return a scalar, .* \(8,\)"):
        VAE((6,), 2, PerExample())


def test_one_regularizer_given_to_two_models_is_not_shared():
    adversary = Adversary()
    first, second = VAE((6,), 2, adversary), VAE((6,), 3, adversary)
    assert not list(adversary.parameters())
    assert first.regularizer.critic.in_features == 2
    assert second.regularizer.critic.in_features == 3


def test_a_wrapped_regularizer_is_built_too():
    class Wrapper(Regularizer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def divergence(self, q, p, z):
            return self.inner(q, p, z)

    assert VAE((6,), 4, Wrapper(Adversary())).regularizer.inner.critic.in_features == 4


def test_the_loss_of_the_critic_gives_no_gradient_to_the_model():
    vae = VAE((6,), 2, Adversary())
    vae(X).critic.backward()
    assert len(gradients(vae)) == len(gradients(vae.regularizer)) == 2


def test_the_loss_of_the_model_gives_no_gradient_to_the_critic():
    vae = VAE((6,), 2, Adversary())
    vae(X).loss.backward()
    assert not gradients(vae.regularizer)
    assert all((gradient != 0).any() for gradient in gradients(vae.encoder))


def test_each_player_takes_steps_of_its_own_size_down_its_own_loss(make_trainer):
    sgd = partial(torch.optim.SGD, lr=0.01)
    vae = VAE((6,), 2, Adversary(lr=0.05), optimizer=sgd, posterior=Deterministic)
    torch.manual_seed(2)
    terms = vae(X)
    expected = {}
    for name, parameter in vae.named_parameters():
        of_critic = name.startswith("regularizer.")
        loss, lr = (terms.critic, 0.05) if of_critic else (terms.loss, 0.01)
        (gradient,) = torch.autograd.grad(loss, parameter, retain_graph=True)
        expected[name] = parameter.detach() - lr * gradient
    torch.manual_seed(2)
    make_trainer(max_steps=1).fit(vae, BATCHES, BATCHES)
    assert_close({name: value.detach() for name, value in vae.named_parameters()}, expected)


def test_the_critic_is_logged_apart_from_the_loss(make_trainer):
    vae = VAE((6,), 2, Adversary(weight=3.0))
    means = vae(X).means()
    assert_close(means["loss"], means["reconstruction"] + means["penalty"])
    (logged,) = make_trainer().validate(vae, BATCHES, verbose=False)
    terms = ["loss", "elbo", "reconstruction", "kl", "penalty", "critic", "bits_per_dimension"]
    assert list(logged) == [f"val/{name}" for name in terms]
    assert logged["val/loss"] == pytest.approx(logged["val/reconstruction"] + logged["val/penalty"])
