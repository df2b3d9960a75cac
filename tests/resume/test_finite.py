"""A loss or a gradient that is not finite is named, and ends the training or is left out."""

import math
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.callbacks import Finite
from vae_zoo.cli import main
from vae_zoo.data import Digits
from vae_zoo.objectives import GECO
from vae_zoo.regularizers import KL, MMD, Adversarial
from vae_zoo.runs import Run
from vae_zoo.vae import VAE

FIT = [
    *("fit", "-c", "base", "--trainer.max_epochs", "3", "--trainer.limit_train_batches", "4"),
    *("--trainer.accelerator", "cpu", "--scorecard", "false", "--data.batch_size", "50"),
    *("--model.encoder.hidden", "[8]", "--model.decoder.hidden", "[8]"),
]
BAD = range(6, 8)  # steps


class Penalty(KL):
    """Infinite at some steps."""

    def divergence(self, q, p, z):
        kl = super().divergence(q, p, z)
        return kl / 0 if self.training and self.step in BAD else kl


class Gradient(KL):
    """Zero, with the gradient of √0, at some steps."""

    def divergence(self, q, p, z):
        kl = super().divergence(q, p, z)
        bad = self.training and self.step in BAD
        return kl + (z - z).square().sum().sqrt() if bad else kl


class Critic(Adversarial):
    def critic_loss(self, q, p, z):
        loss = super().critic_loss(q, p, z)
        return loss * math.nan if self.training and self.step in BAD else loss


class Missing(Digits):
    """One value of a batch is missing."""

    def augment(self, x, generator):
        x = x.float().clone()
        if generator.random() < 0.5:
            x[3, 0, 0, 0] = math.nan
        return x


def fit(make_trainer, regularizer, on_nan="stop", data=Digits, callback=None, **options):
    torch.manual_seed(1)
    model = VAE((1, 8, 8), 2, regularizer, **options)
    callback = callback or Finite(on_nan)
    trainer = make_trainer(max_epochs=2, callbacks=[callback], log_every_n_steps=3)
    trainer.fit(model, data(batch_size=200))
    return model, callback


class Later(Finite):
    """As on a GPU, where no step waits to be looked at."""

    def on_fit_start(self, trainer, pl_module):
        super().on_fit_start(trainer, pl_module)
        self.at_once = False


@pytest.mark.parametrize("callback", [Finite, Later])
def test_the_term_the_step_and_the_batch_are_named(make_trainer, callback):
    for regularizer, term in {Penalty(): r"penalty \(KL β=1\)", Critic(): "critic"}.items():
        where = rf"step 6 \(batch 0 of epoch 1\) is (inf|nan): {term}; the data .* are finite\. Low"
        with pytest.raises(FloatingPointError, match=where):
            fit(make_trainer, regularizer, callback=callback())


@pytest.mark.parametrize("callback", [Finite, Later])
def test_the_examples_are_named_and_whether_the_data_are_to_blame(make_trainer, callback):
    with pytest.raises(FloatingPointError) as caught:
        fit(make_trainer, KL(), data=Missing, callback=callback())
    data = Missing(batch_size=200)
    loader = data.train_dataloader()
    bad = next(i for i, (x, _) in enumerate(loader) if not x.isfinite().all())
    example = loader.numbers(bad)[3].item()
    assert (
        f"(batch {bad} of epoch 0) is nan: reconstruction and kl and penalty (KL β=1), of 1 of 200 "
        f"training examples ({example}); the data of the training examples {example} are not finite"
    ) in str(caught.value)


def test_a_gradient_is_blamed_for_the_weights_that_it_spoils(make_trainer):
    where = r"encoder\.layers\.0\.weight is not finite after step 6 .*whose loss is: its gradient"
    with pytest.raises(FloatingPointError, match=where):
        fit(make_trainer, Gradient())


@pytest.mark.parametrize("regularizer", [Penalty, Gradient, Critic])
def test_a_step_that_is_skipped_changes_neither_weights_nor_buffers(make_trainer, regularizer):
    seen = {}

    class Watch(Finite):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen[trainer.global_step] = {k: v.clone() for k, v in pl_module.state_dict().items()}
            super().on_train_batch_start(trainer, pl_module, batch, batch_idx)

    watch = Watch("skip")
    with pytest.warns(UserWarning, match="a step is skipped, and more may be: the loss of step 6"):
        model, _ = fit(make_trainer, regularizer(), callback=watch, objective=GECO(12.0))
    assert watch.skipped == 2
    assert_close(seen[8], seen[6], rtol=0, atol=0)
    with pytest.raises(AssertionError):
        assert_close(seen[9], seen[8])
    assert all(v.isfinite().all() for v in model.state_dict().values())


@pytest.mark.filterwarnings("ignore:a step is skipped")
def test_nothing_is_left_to_train_after_a_hundred_steps_in_a_row(make_trainer, monkeypatch):
    monkeypatch.setattr("vae_zoo.callbacks.finite.PATIENCE", 2)
    with pytest.raises(FloatingPointError, match="2 steps in a row were skipped, the last one sin"):
        fit(make_trainer, Penalty(), "skip")


def test_finite_losses_are_as_without_the_callback(make_trainer):
    torch.manual_seed(1)
    plain = VAE((1, 8, 8), 2, MMD())
    make_trainer(max_epochs=2).fit(plain, Digits(batch_size=200))
    for on_nan in ("stop", "skip"):
        model, callback = fit(make_trainer, MMD(), on_nan)
        assert_close(model.state_dict(), plain.state_dict(), rtol=0, atol=0)
    assert callback.skipped == 0


@pytest.mark.usefixtures("empty_folder")
def test_a_run_that_diverges_keeps_its_checkpoint_exits_with_1_and_may_go_on(capsys):
    words = [*FIT, "--model.regularizer", f"{__name__}.Penalty"]
    assert run(*words) == 1
    error = capsys.readouterr().err
    assert "the loss of step 6 (batch 2 of epoch 1) is inf" in error
    assert len(error.splitlines()) == 1
    [config] = Path("runs").glob("*/*/config.yaml")
    done = Run(config.parent)
    assert error.endswith(
        f"without such steps; after the last checkpoint by `--resume {done.folder}`\n"
    )
    assert torch.load(done.last_checkpoint)["epoch"] == 0
    trust = ["--trust", __name__.partition(".")[0]]
    with pytest.warns(UserWarning, match="a step is skipped"):
        assert run("fit", "--resume", done.folder, "--on_nan", "skip", *trust) == 0
    done = Run(config.parent)
    assert done.config["on_nan"] == "skip"
    assert done.finished
    assert [row["train/skipped"] for row in done.rows if "train/skipped" in row] == [2, 2]
    assert all(math.isfinite(value) for row in done.rows for value in row.values())
    assert "2 steps were skipped: a loss or gradient was not finite" in capsys.readouterr().out


@pytest.mark.usefixtures("empty_folder")
def test_a_run_that_diverges_before_its_first_checkpoint_is_not_to_be_resumed(capsys):
    words = ["--model.regularizer", f"{__name__}.Penalty", "--trainer.limit_train_batches", 10]
    assert run(*FIT, *words) == 1
    assert capsys.readouterr().err.endswith("let `--on_nan skip` go on without such steps\n")


@pytest.mark.usefixtures("empty_folder")
def test_a_validation_that_is_not_finite_ends_the_run(capsys):
    words = [*FIT, "--model.regularizer", "Renyi", "--model.regularizer.alpha", 1000]
    assert run(*words, "--trainer.max_epochs", 50) == 1
    assert "is inf: penalty" in capsys.readouterr().err


@pytest.mark.usefixtures("empty_folder")
def test_a_run_goes_on_by_its_folder_alone(capsys):
    assert run(*FIT, "--ckpt_path", "last") == 2
    assert "ckpt_path: a run goes on from its last.ckpt by --resume RUN" in capsys.readouterr().err


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code
