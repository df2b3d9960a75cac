"""Training through Lightning: what is logged, and that nothing disturbs it."""

import math
from collections import UserList
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightning import Callback
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.loggers.logger import DummyLogger
from sklearn.datasets import load_digits
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import ExponentialLR
from torch.testing import assert_close

from vae_zoo.callbacks.idle import skip_idle_hooks
from vae_zoo.likelihoods import Normal
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import LearnedNormal
from vae_zoo.regularizers import KL, MMD, SlicedWasserstein
from vae_zoo.vae import VAE

X = torch.tensor(load_digits().images[:70] > 8, dtype=torch.float32).unsqueeze(1)
Y = torch.tensor(load_digits().target[:70])
NAMES = ["loss", "elbo", "reconstruction", "kl", "penalty"]


class Records(DummyLogger):
    """A logger that keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step=None):
        self.rows.append((step, dict(metrics)))

    def of(self, stage):
        """The rows that hold terms of a stage, without the rest."""
        rows = [
            (step, {name: row[name] for name in row if name.startswith(f"{stage}/")})
            for step, row in self.rows
        ]
        return [(step, row) for step, row in rows if row]


def batches(size, n=70):
    # A plain list would be taken for a list of loaders.
    return UserList(zip(X[:n].split(size), Y[:n].split(size), strict=True))


def trained(make_trainer, regularizer=None, val=True, seed=1, **options):
    """A model trained for two epochs, and what it logged."""
    torch.manual_seed(seed)
    vae = VAE((1, 8, 8), 2, regularizer or KL(), prior=LearnedNormal)
    logger = Records()
    defaults = {"max_epochs": 2, "log_every_n_steps": 2, "limit_val_batches": float(val)}
    trainer = make_trainer(**(defaults | options), logger=logger)
    trainer.fit(vae, batches(30), batches(40))
    return vae, logger


def test_every_stage_logs_the_same_five_terms(make_trainer):
    vae, logger = trained(make_trainer)
    trainer = make_trainer(logger=logger)
    trainer.test(vae, batches(40), verbose=False)
    for stage, times in (("train", 4), ("val", 2), ("test", 1)):
        rows = logger.of(stage)
        assert len(rows) == times
        names = NAMES if stage == "train" else [*NAMES, "bits_per_dimension"]  # of binary data
        assert all(list(row) == [f"{stage}/{name}" for name in names] for _, row in rows)
    rest = {name for _, row in logger.rows for name in row if "/" not in name}
    assert rest == {"epoch"}


def test_bits_per_dimension_are_the_elbo_by_pixel_in_another_unit(make_trainer):
    _, logger = trained(make_trainer)
    ((_, row),) = logger.of("val")[-1:]
    expected = -row["val/elbo"] / (64 * math.log(2))
    assert row["val/bits_per_dimension"] == pytest.approx(expected, rel=1e-5)
    assert 0 < expected < 2


def test_a_density_logs_no_bits_per_dimension(make_trainer):
    vae = VAE((1, 8, 8), 2, KL(), likelihood=Normal)
    (row,) = make_trainer().test(vae, batches(40), verbose=False)
    assert set(row) == {f"test/{name}" for name in NAMES}


def test_a_deterministic_model_logs_no_elbo_and_no_kl(make_trainer):
    vae = VAE((1, 8, 8), 2, MMD(), posterior=Deterministic)
    logger = Records()
    trainer = make_trainer(max_epochs=1, log_every_n_steps=1, logger=logger)
    trainer.fit(vae, batches(35), batches(35))
    present = {name for _, row in logger.rows for name in row} - {"epoch"}
    terms = ("loss", "reconstruction", "penalty")
    assert present == {f"{stage}/{name}" for stage in ("train", "val") for name in terms}


def test_terms_are_logged_every_so_many_steps_and_at_the_end_of_an_epoch(make_trainer):
    """As means over the examples of the steps since the last time, not over the steps."""
    vae = VAE((1, 8, 8), 2, KL(weight=2.0), optimizer=partial(SGD, lr=0.0))
    logger, seen = Records(), []
    observe = vae._observe

    def record(stage, batch):
        seen.append((len(batch[0]), observe(stage, batch)))
        return seen[-1][1]

    vae._observe = record
    trainer = make_trainer(max_epochs=1, limit_val_batches=0.0, log_every_n_steps=3, logger=logger)
    trainer.fit(vae, batches(9), batches(9))
    windows = [seen[:3], seen[3:6], seen[6:]]  # seven batches of nine, and one of seven
    assert [[n for n, _ in window] for window in windows] == [[9, 9, 9], [9, 9, 9], [9, 7]]
    rows = logger.of("train")
    assert len(rows) == 3
    for (_, row), window in zip(rows, windows, strict=True):
        for name in NAMES:
            total = sum(n * terms.means()[name].item() for n, terms in window)
            examples = sum(n for n, _ in window)
            assert row[f"train/{name}"] == pytest.approx(total / examples, rel=1e-5)
    assert [step for step, _ in rows] == [2, 5, 7]  # the last of each window, counted from 0


@pytest.mark.parametrize("regularizer", [KL(), MMD(), SlicedWasserstein()])
def test_validation_does_not_change_the_training(make_trainer, regularizer):
    validated, _ = trained(make_trainer, regularizer, val=True)
    undisturbed, _ = trained(make_trainer, regularizer, val=False, num_sanity_val_steps=0)
    assert_same_weights(validated, undisturbed)
    other, _ = trained(make_trainer, regularizer, seed=2)
    with pytest.raises(AssertionError):
        assert_same_weights(validated, other)


def assert_same_weights(one, other):
    assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(("interval", "decays"), [("step", 6), ("epoch", 3)])
def test_the_learning_rate_decays_each_step_or_each_epoch(make_trainer, interval, decays):
    vae = VAE(
        (1, 8, 8),
        2,
        KL(),
        optimizer=partial(SGD, lr=0.1),
        lr_scheduler=partial(ExponentialLR, gamma=0.5),
        lr_interval=interval,
    )
    trainer = make_trainer(max_epochs=3)
    trainer.fit(vae, batches(35), batches(35))
    assert vae.optimizers().param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**decays)


def test_hooks_of_one_s_own_are_called_after_the_idle_ones_are_left_out(make_trainer):
    called = []

    class Parent(Callback):
        def on_train_batch_end(self, *args):
            super().on_train_batch_end(*args)
            called.append("inherited")

    class Child(Parent):
        pass

    given = LambdaCallback(on_before_backward=lambda *_: called.append("given"))
    callbacks = [Child(), given]
    skip_idle_hooks(callbacks)
    trained(make_trainer, max_epochs=1, limit_train_batches=2, callbacks=callbacks)
    assert called == ["given", "inherited"] * 2
    assert callbacks[0].on_before_backward is None
    assert given.on_train_batch_end is None


def test_without_a_scheduler_the_learning_rate_stays(make_trainer):
    vae = VAE((1, 8, 8), 2, KL(), optimizer=partial(Adam, lr=0.03))
    make_trainer(max_epochs=2).fit(vae, batches(35), batches(35))
    (group,) = vae.optimizers().param_groups
    assert group["lr"] == 0.03
    assert len(group["params"]) == len(list(vae.parameters()))


@pytest.mark.parametrize("resumed", [False, True])
def test_every_rank_draws_noise_of_its_own(resumed):
    draws = []
    for rank in range(2):
        torch.manual_seed(1)  # as Lightning seeds them, alike
        vae = VAE((6,), 2, KL())
        trainer = SimpleNamespace(world_size=2, global_rank=rank, early_stopping_callbacks=[])
        vae.trainer = trainer
        if resumed:
            vae.on_load_checkpoint({"noise": torch.get_rng_state()})
        vae.on_train_start()
        draws.append(torch.randn(5))
    assert not torch.isclose(*draws).any()


class OtherNoise(Callback):
    """What else a process draws before it resumes."""

    def on_fit_start(self, trainer, pl_module):
        torch.manual_seed(99)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.parametrize("saved_after", ["training", "validation"])
def test_a_resumed_training_ends_as_an_undisturbed_one(make_trainer, tmp_path, saved_after):
    def fit(epochs, checkpoint=None, **options):
        torch.manual_seed(1)
        decaying = partial(ExponentialLR, gamma=0.9)
        vae = VAE((1, 8, 8), 2, SlicedWasserstein(), prior=LearnedNormal, lr_scheduler=decaying)
        trainer = make_trainer(max_epochs=epochs, **options)
        trainer.fit(vae, batches(30), batches(40), ckpt_path=checkpoint, weights_only=True)
        return vae

    save = ModelCheckpoint(tmp_path, "half", save_on_train_epoch_end=saved_after == "training")
    whole = fit(4)
    half = fit(2, callbacks=save, enable_checkpointing=True)
    resumed = fit(4, tmp_path / "half.ckpt", callbacks=OtherNoise())
    assert_same_weights(whole, resumed)
    with pytest.raises(AssertionError):
        assert_same_weights(whole, half)
