"""Schedules and sums: functions of the training step, and of the regularizers that they wrap."""

import math
from collections import UserList
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vae_zoo.regularizers import KL, MMD, Annealed, Capacity, Cyclical, Regularizer, Sum
from vae_zoo.vae import VAE

X = torch.rand(32, 6, generator=torch.Generator().manual_seed(0)).round()
BATCHES = UserList([(part, None) for part in X.split(8)])  # 4 steps an epoch


class Five(Regularizer):
    """A divergence of 5 nats."""

    null_value = 5.0

    def divergence(self, q, p, z):
        return z.new_tensor(5.0)


class Critic(Regularizer):
    """An adversary that is nothing but its loss."""

    def __init__(self, lr, loss=1.0):
        super().__init__()
        self.loss, self.optimizer_options = loss, {"lr": lr}

    def build(self, latent_dim):
        self.level = nn.Parameter(torch.tensor(0.0))

    def divergence(self, q, p, z):
        return z.mean()

    def critic_loss(self, q, p, z):
        return self.loss * self.level


def at(regularizer, step):
    """The penalty at a training step."""
    regularizer.step = step
    return regularizer(None, None, torch.zeros(4, 2)).item()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", [0.0, 2.5, 5.0, 7.5, 10.0, 10.0]),
        ("cosine", [0.0, 5 - 5 * math.sqrt(0.5), 5.0, 5 + 5 * math.sqrt(0.5), 10.0, 10.0]),
    ],
)
def test_annealing_raises_the_weight_to_its_final_value_and_stays(shape, expected):
    annealed = Annealed(Five(weight=2.0), steps=8, shape=shape)
    assert [at(annealed, step) for step in (0, 2, 4, 6, 8, 99)] == pytest.approx(expected)


def test_annealing_starts_where_it_is_told_to():
    annealed = Annealed(Five(), steps=10, start=0.2)
    assert [at(annealed, step) for step in (0, 5, 10)] == pytest.approx([1.0, 3.0, 5.0])


def test_cycles_rise_and_stay_by_their_proportion_and_end_at_the_final_weight():
    cyclical = Cyclical(Five(), steps=40, cycles=2, proportion=0.5)
    steps = (0, 5, 10, 19, 20, 25, 30, 40, 41, 60)
    expected = [0.0, 2.5, 5.0, 5.0, 0.0, 2.5, 5.0, 5.0, 5.0, 5.0]
    assert [at(cyclical, step) for step in steps] == pytest.approx(expected)
    slower = Cyclical(Five(), steps=40, cycles=4, proportion=1.0, shape="cosine")
    assert [at(slower, step) for step in (0, 5, 10)] == pytest.approx([0.0, 2.5, 0.0])


def test_a_capacity_rises_and_holds_the_divergence_from_both_sides():
    capacity = Capacity(Five(), nats=8.0, steps=8, weight=3.0)
    assert [at(capacity, step) for step in (0, 5, 8, 20)] == pytest.approx([15.0, 0.0, 9.0, 9.0])


def test_a_capacity_takes_the_mean_over_the_batch_before_the_distance():
    q = torch.distributions.Independent(
        torch.distributions.Normal(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1)), 1
    )
    p = torch.distributions.Independent(
        torch.distributions.Normal(torch.zeros(2, 1), torch.ones(2, 1)), 1
    )
    capacity = Capacity(KL(), nats=1.0, steps=1).eval()  # KL is 0 and 2: their mean is 1
    assert_close(capacity(q, p, torch.zeros(2, 1)), torch.tensor(0.0))


@pytest.mark.parametrize(
    "schedule", [Annealed(Five(), 10), Cyclical(Five(), 10), Capacity(Five(), 10.0, 10)]
)
def test_validation_takes_the_final_value(schedule):
    assert at(schedule, 0) != pytest.approx(5.0) or isinstance(schedule, Capacity)
    assert at(schedule.eval(), 0) == pytest.approx(5.0)  # and |10 - 5| for the capacity


@pytest.mark.filterwarnings("ignore:Annealed rises for 10 steps", "ignore:Be aware that when")
def test_a_schedule_sees_the_steps_of_the_training_and_goes_on_with_them(make_trainer, tmp_path):
    def penalties(epochs, checkpoint=None):
        found = []

        class Recorder(VAE):
            def training_step(self, batch, batch_idx):
                loss = super().training_step(batch, batch_idx)
                found.append(self.mean_terms["train"].kept[-1].penalty.item())
                return loss

        vae = Recorder((6,), 2, Sum([Annealed(Five(), steps=10)]))
        trainer = make_trainer(max_epochs=epochs, limit_val_batches=0)
        trainer.fit(vae, BATCHES, BATCHES, ckpt_path=checkpoint, weights_only=True)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        return found

    assert penalties(1) == pytest.approx([0.0, 0.5, 1.0, 1.5])
    resumed = penalties(3, tmp_path / "last.ckpt")
    assert resumed == pytest.approx([2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.0])


def test_a_schedule_that_the_training_cuts_short_is_warned_of(make_trainer):
    vae = VAE((6,), 2, Annealed(KL(), steps=16))
    with pytest.warns(UserWarning, match="16 steps, but the training ends after 4, at 0.25 of its"):
        make_trainer(max_epochs=1).fit(vae, BATCHES, BATCHES)


def test_a_schedule_that_ends_with_the_training_is_not_warned_of(make_trainer):
    make_trainer(max_epochs=4).fit(VAE((6,), 2, Annealed(KL(), steps=16)), BATCHES, BATCHES)


def test_a_sum_adds_its_parts_each_under_its_weight():
    total = Sum([Five(weight=2.0), Five(weight=0.5)], weight=3.0)
    assert at(total, 0) == pytest.approx(3 * (10 + 2.5))
    assert total.null_value == pytest.approx(12.5)


def test_a_sum_declares_what_all_its_parts_declare():
    assert Sum([MMD(), KL()]).invariances == frozenset()
    assert not Sum([MMD(), KL()]).biased
    assert Annealed(Five(weight=2.0), steps=1).null_value == 10


def test_each_adversary_inside_has_its_own_loss_and_options(make_trainer):
    sgd = partial(torch.optim.SGD, lr=0.001)
    parts = Sum([KL(), Annealed(Critic(lr=0.5), steps=1), Critic(lr=0.25, loss=3.0)])
    vae = VAE((6,), 2, parts, optimizer=sgd)
    assert vae(X).critic.item() == 0
    make_trainer(max_steps=1, limit_val_batches=0).fit(vae, BATCHES, BATCHES)
    first, second = vae.regularizer.parts[1].inner.level, vae.regularizer.parts[2].level
    assert (first.item(), second.item()) == pytest.approx((-0.5, -0.75))


def test_a_sum_without_adversaries_has_no_loss_of_theirs():
    assert VAE((6,), 2, Sum([KL(), MMD()]))(X).critic is None


def test_the_size_of_the_data_reaches_every_regularizer_inside(make_trainer):
    from vae_zoo.data import Digits

    vae = VAE((1, 8, 8), 2, Sum([Annealed(KL(), steps=1)]))
    make_trainer(limit_val_batches=1).validate(vae, datamodule=(data := Digits()), verbose=False)
    assert {part.dataset_size for part in vae._regularizers()} == {data.size}


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (Annealed(KL(2.0), 5), "Annealed(KL β=2)"),
        (Capacity(KL(), 5.0, 5), "Capacity(KL β=1)"),
        (Sum([KL(), MMD(weight=3.0)]), "KL β=1 + MMD imq λ=3"),
        (Sum([KL(), KL()], weight=2.0), "2 (KL β=1 + KL β=1)"),
    ],
)
def test_labels_tell_what_is_inside(regularizer, label):
    assert regularizer.label == label


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Annealed, KL(), 0), "steps must be at least 1, got 0"),
        (partial(Annealed, KL(), 5, "square"), "shape must be one of linear, cosine, got square"),
        (partial(Annealed, KL(), 5, start=1.5), "start must be between 0 and 1, got 1.5"),
        (partial(Cyclical, KL(), 5, cycles=6), "cycles must be between 1 and steps, 5, got 6"),
        (partial(Cyclical, KL(), 5, cycles=0), "cycles must be between 1 and steps, 5, got 0"),
        (partial(Cyclical, KL(), 5, proportion=0.0), "proportion must be above 0"),
        (partial(Capacity, KL(), -1.0, 5), "nats must be a capacity of 0 or more, got -1"),
        (partial(Sum, []), "parts must be one regularizer or more, got none"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
