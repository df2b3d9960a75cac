"""The pseudo-inputs: where they start, where they may go, and that nothing counts them."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.data import DataModule
from vae_zoo.data.splits import Split, Splits
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import StandardNormal, VampPrior
from vae_zoo.regularizers import KL, NoRegularizer
from vae_zoo.vae import VAE

EMPTY = torch.zeros(1, 0)
X = torch.randint(2, (60, 6)).float()


class Points(DataModule):
    """Binary examples."""

    shape, support = (6,), "binary"

    def load(self):
        return Splits(*(Split(x, None) for x in X.split(20)))


def model(**options):
    return VAE((6,), 2, KL(), prior=partial(VampPrior, **options))


def alone(**options):
    """A prior with an encoder that keeps what it is given."""
    prior, given = VampPrior(2, **options), []

    def encode(x, c, index=None):
        given.append(x)
        return Independent(Normal(x[:, :2], 1.0), 1)

    prior.build((6,), encode)
    return prior, given


def test_they_start_at_training_examples(make_trainer):
    vae = model(components=20, learned=False)
    make_trainer(max_epochs=1).fit(vae, Points(batch_size=10))
    train = sorted(X[:20].tolist())
    assert sorted(vae.prior.inputs.tolist()) == train


def test_they_start_at_random_in_the_range_of_each_element():
    prior, _ = alone(components=50, initial="random")
    x = torch.rand(1000, 6) * torch.arange(6) - 100
    prior.begin(x, None)
    assert ((prior.inputs >= x.amin(0)) & (prior.inputs <= x.amax(0))).all()
    assert_close(prior.inputs.mean(0).detach(), x.mean(0), atol=1, rtol=0)
    assert len({*map(tuple, prior.inputs.tolist())} & {*map(tuple, x.tolist())}) == 0


def test_more_of_them_than_training_examples_are_refused(make_trainer):
    with pytest.raises(
        ValueError, match=r"components must be at most 20, .* got 21: use .* random"
    ):
        make_trainer(max_epochs=1).fit(model(components=21), Points(batch_size=10))
    make_trainer(max_epochs=1).fit(model(components=21, initial="random"), Points(batch_size=10))


def test_only_learned_ones_are_parameters():
    assert {name for name, _ in model().prior.named_parameters()} == {"inputs"}
    fixed = model(learned=False)
    assert not list(fixed.prior.parameters())
    assert "prior.inputs" in fixed.state_dict()


@pytest.mark.parametrize("direction", [-1, 1])
def test_learned_ones_stay_in_the_range_of_the_data_and_can_leave_its_edge(direction):
    prior, given = alone(components=20)
    prior.begin(X[:20], None)
    start = prior.inputs.detach().clone()
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.01)

    def push(direction, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (direction * prior(EMPTY).component_distribution.mean).sum().backward()
            optimizer.step()
        return given[-1][:, :2]

    end = push(direction, steps=150)
    assert end.min() >= 0
    assert end.max() <= 1
    assert_close(end, torch.full_like(end, 0.0 if direction == 1 else 1.0))
    assert (end != start[:, :2]).any()
    # Nothing runs away beyond the edge, past what momentum does, and it comes back.
    assert ((prior.inputs > -0.15) & (prior.inputs < 1.15)).all()
    back = push(-direction, steps=60)
    assert (back != end).all()


class Normed(MLP):
    """A perceptron behind a batch norm."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x, c):
        return super().forward(self.norm(x), c)


def test_batch_norm_neither_mixes_them_with_the_batch_nor_counts_them():
    parts = {"encoder": Normed, "decoder": partial(MLP, hidden=())}
    with_them = VAE((6,), 2, KL(), prior=partial(VampPrior, components=5), **parts)
    without = VAE((6,), 2, KL(), prior=StandardNormal, **parts)
    without.encoder.load_state_dict(with_them.encoder.state_dict())
    x = torch.randn(8, 6) + 3
    assert_close(with_them.encode(x, EMPTY).mean, without.encode(x, EMPTY).mean)
    with_them(x), without(x)
    for name, counted in without.encoder.named_buffers():
        assert_close(with_them.encoder.get_buffer(name), counted)
    apart = deepcopy(with_them).encode(with_them.prior.inputs, EMPTY).base_dist.loc
    assert_close(with_them.prior(EMPTY).component_distribution.base_dist.loc, apart)


def test_each_condition_is_encoded_once():
    prior, given = alone(components=3, condition_dim=2)
    prior.encode = lambda x, c, index: given.append(x) or Independent(Normal(x[index, :2], 1.0), 1)
    p = prior(torch.eye(2)[[0, 1, 1, 0, 1]])
    assert p.batch_shape == (5,)
    assert len(given[0]) == 2 * 3


def test_a_resumed_run_goes_on_with_those_that_it_had(make_trainer, tmp_path):
    vae, data = model(components=5), Points(batch_size=10)
    trainer = make_trainer(max_epochs=2)
    trainer.fit(vae, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    other = model(components=5)
    make_trainer(max_epochs=2).fit(other, data, ckpt_path=tmp_path / "last.ckpt")  # no step
    assert torch.equal(other.prior.inputs, vae.prior.inputs)
    assert torch.equal(other.prior.high, vae.prior.high)


def test_a_second_training_does_not_start_them_anew(make_trainer):
    vae, data = model(components=5), Points(batch_size=10)
    make_trainer(max_epochs=1).fit(vae, data)
    learned = vae.prior.inputs.detach().clone()
    make_trainer(max_epochs=0).fit(vae, data)
    assert torch.equal(vae.prior.inputs, learned)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="components must be at least 1, got 0"):
        VampPrior(2, components=0)
    with pytest.raises(ValueError, match="initial must be one of data, random, got zeros"):
        VampPrior(2, initial="zeros")
    with pytest.raises(ValueError, match=r"VampPrior mixes .* Deterministic .* DiagonalNormal"):
        VAE((6,), 2, NoRegularizer(), prior=VampPrior, posterior=Deterministic)
