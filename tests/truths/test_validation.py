"""What is validated is what was trained, whatever the size of its batches."""

from collections import UserList
from functools import partial

import pytest
import torch
from sklearn.datasets import load_digits
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL, MMD, SlicedWasserstein
from vae_zoo.vae import VAE

X = torch.tensor(load_digits().images[:100] > 8, dtype=torch.float32).unsqueeze(1)
Y = torch.tensor(load_digits().target[:100])


class KeyedNoise(Normal):
    """A normal whose noise is a function of the example, and so not of its place in a batch."""

    def rsample(self, sample_shape=()):
        return self.loc + self.scale * torch.sin(1000 * self.loc)


class KeyedPosterior(DiagonalNormal):
    def forward(self, params):
        normal = super().forward(params).base_dist
        return Independent(KeyedNoise(normal.loc, normal.scale), 1)


def batches(size):
    # A plain list would be taken for a list of loaders.
    return UserList(zip(X.split(size), Y.split(size), strict=True))


@pytest.mark.parametrize("prior", [StandardNormal, LearnedNormal, MixtureOfNormals])
@pytest.mark.parametrize("stage", ["validate", "test"])
def test_the_terms_do_not_depend_on_the_size_of_the_batches(make_trainer, prior, stage):
    vae = VAE((1, 8, 8), 3, KL(weight=2.0), posterior=KeyedPosterior, prior=prior)
    prefix = {"validate": "val", "test": "test"}[stage]
    whole = {f"{prefix}/{name}": mean for name, mean in vae(X, Y).means().items()}
    for size in (1, 7, 64, 100):
        evaluate = getattr(make_trainer(), stage)
        (metrics,) = evaluate(vae, batches(size), verbose=False)
        assert metrics.keys() - whole.keys() == {f"{prefix}/bits_per_dimension"}
        for name, mean in whole.items():
            assert metrics[name] == pytest.approx(mean.item(), rel=1e-5)


@pytest.mark.parametrize("regularizer", [KL(weight=4.0), MMD(weight=10.0), SlicedWasserstein()])
def test_a_batch_has_the_same_terms_in_training_and_in_validation(make_trainer, regularizer):
    still = partial(torch.optim.SGD, lr=0.0)
    vae = VAE((1, 8, 8), 3, regularizer, optimizer=still, posterior=KeyedPosterior)
    trainer = make_trainer(max_epochs=1, num_sanity_val_steps=0)
    trained, validated = [], []
    observe = vae._observe

    def record(stage, batch):
        torch.manual_seed(3)  # of the prior's samples and the directions
        terms = observe(stage, batch)
        {"train": trained, "val": validated}[stage].append(terms.means())
        return terms

    vae._observe = record
    trainer.fit(vae, batches(50), batches(50))
    assert len(trained) == len(validated) == 2
    assert_close(trained, validated)


def test_validation_repeats_its_noise(make_trainer):
    vae = VAE((1, 8, 8), 3, MMD())
    torch.manual_seed(5)
    first = make_trainer().validate(vae, batches(30), verbose=False)
    torch.manual_seed(6)
    assert make_trainer().validate(vae, batches(30), verbose=False) == first


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_evaluation_leaves_the_noise_of_the_training_as_it_was(make_trainer, stage):
    vae = VAE((1, 8, 8), 3, SlicedWasserstein())
    state = torch.get_rng_state()
    getattr(make_trainer(), stage)(vae, batches(30), verbose=False)
    assert torch.equal(torch.get_rng_state(), state)
