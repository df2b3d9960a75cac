"""A training that is interrupted at a random step ends as an undisturbed one, bit for bit."""

import shutil
from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch
from lightning import Callback, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR, ReduceLROnPlateau
from torch.testing import assert_close

from vae_zoo.checkpoints import WholeCheckpoints, read_checkpoint
from vae_zoo.data import Digits
from vae_zoo.fit import own_callbacks
from vae_zoo.networks import MLP
from vae_zoo.objectives import GECO
from vae_zoo.priors import Flow, MixtureOfNormals, VampPrior
from vae_zoo.regularizers import (
    KL,
    MMD,
    Adversarial,
    Annealed,
    Capacity,
    CriticWasserstein,
    Cyclical,
    FactorVAE,
    Sum,
)
from vae_zoo.runs import Run
from vae_zoo.vae import VAE

pytestmark = [
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]
SMALL = partial(MLP, hidden=[16])
BATCHES = 6  # of an epoch


class InterruptError(Exception):
    pass


class Interrupt(Callback):
    """What a kill is to a process: nothing more is written."""

    def __init__(self, after):
        self.left = after

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.left -= 1
        if self.left < 0:
            raise InterruptError


def end(make_trainer, folder, vae, epochs=4, after=None, callbacks=(), trainer=None, **options):
    """Train in a run's folder, from its last.ckpt if there is one, and return the last weights."""
    run = Run(folder / "a" / "b")
    seed_everything(3, verbose=False)
    data = Digits(batch_size=200)
    model = VAE(
        (1, 8, 8), 3, encoder=SMALL, decoder=SMALL, **(vae | {"regularizer": vae["regularizer"]()})
    )
    own = [*own_callbacks(run, model.comparable), *(make() for make in callbacks)]
    if after is not None:
        own.append(Interrupt(after))
    last = run.last_checkpoint if run.last_checkpoint.is_file() else None
    if last:
        torch.manual_seed(99)  # what else a process draws before it resumes
    trainer = make_trainer(
        max_epochs=epochs,
        enable_checkpointing=True,
        callbacks=own,
        plugins=[WholeCheckpoints()],
        **(trainer or {}),
    )
    trainer.fit(model, data, ckpt_path=last, weights_only=True)
    return trainer.global_step, model.state_dict()


def of(regularizer=KL, **options):
    return {"vae": {"regularizer": regularizer, **options}}


WARM = partial(Adam, lr=0.1)
CASES = {
    "sum of schedules": of(lambda: Sum([Annealed(MMD(weight=10), 20), Cyclical(KL(), 8)])),
    "capacity": of(lambda: Capacity(KL(), 5.0, 20)),
    "GECO with a VampPrior": of(objective=GECO(12.0), prior=partial(VampPrior, components=5)),
    "mixture": of(prior=partial(MixtureOfNormals, components=4)),
    "flow": of(prior=Flow),
    "adversary": of(Adversarial),
    "critic": of(lambda: CriticWasserstein(lipschitz="spectral")),
    "factor": of(FactorVAE),
    "decay by step": of(lr_scheduler=partial(ExponentialLR, gamma=0.9), lr_interval="step"),
    "one cycle": of(
        lr_scheduler=partial(OneCycleLR, max_lr=0.1, total_steps=24), lr_interval="step"
    ),
    "accumulation and clipping": of()
    | {"trainer": {"accumulate_grad_batches": 4, "gradient_clip_val": 0.5}},
    "max_steps": of() | {"trainer": {"max_steps": 20}},
    "averages": of(objective=GECO(12.0)) | {"callbacks": [partial(EMAWeightAveraging, decay=0.9)]},
}


@pytest.mark.filterwarnings("ignore:.*but the training ends after")
@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_training_ends_as_an_undisturbed_one(case, make_trainer, tmp_path):
    after = Random(case).randrange(BATCHES + 1, 3 * BATCHES)
    whole = end(make_trainer, tmp_path / "whole", **CASES[case])
    with pytest.raises(InterruptError):
        end(make_trainer, tmp_path / "part", **CASES[case], after=after)
    assert_same(end(make_trainer, tmp_path / "part", **CASES[case]), whole)


def assert_same(one, other):
    assert_close(one, other, rtol=0, atol=0, equal_nan=True)


PLATEAU = of(optimizer=WARM, lr_scheduler=partial(ReduceLROnPlateau, patience=0, factor=0.5))
EARLY = of(optimizer=WARM) | {"callbacks": [partial(EarlyStopping, "val/loss", patience=2)]}


@pytest.mark.parametrize("options", [PLATEAU, EARLY], ids=["plateau", "early stopping"])
def test_what_the_validation_decides_is_kept_in_every_epoch(options, make_trainer, tmp_path):
    """Both happen between a validation and its checkpoint, of whichever epoch."""
    epochs = 40 if "callbacks" in options else 7
    options = options | {"epochs": epochs}
    whole = steps, _ = end(make_trainer, tmp_path / "whole", **options)
    assert epochs == 7 or steps < epochs * BATCHES, "it should have been stopped"
    for epoch in range(2, steps // BATCHES):
        folder = tmp_path / str(epoch)
        with pytest.raises(InterruptError):
            end(make_trainer, folder, **options, after=epoch * BATCHES + 1)
        assert_same(end(make_trainer, folder, **options), whole)


def test_a_training_that_stopped_early_stays_stopped(make_trainer, tmp_path, capsys):
    whole = end(make_trainer, tmp_path, **EARLY, epochs=40)
    assert_same(end(make_trainer, tmp_path, **EARLY, epochs=80), whole)
    assert "early stopping has ended this training after" in capsys.readouterr().out


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_a_folder_that_is_moved_keeps_its_best_checkpoint(move, make_trainer, tmp_path):
    options = of(optimizer=partial(Adam, lr=1.0))  # which soon makes it worse
    end(make_trainer, tmp_path / "whole", **options)
    with pytest.raises(InterruptError):
        end(make_trainer, tmp_path / "part", **options, after=3 * BATCHES + 1)
    move(tmp_path / "part", tmp_path / "moved")
    end(make_trainer, tmp_path / "moved", **options)
    whole, moved = (Run(tmp_path / name / "a" / "b").checkpoints for name in ("whole", "moved"))
    assert torch.load(whole / "best.ckpt")["epoch"] < 2, "it should be from before the move"
    for name in ("best.ckpt", "last.ckpt"):
        one, other = read_checkpoint(whole / name), read_checkpoint(moved / name)
        assert other["epoch"] == one["epoch"]
        assert_same(other["state_dict"], one["state_dict"])
    places = [state for state in other["callbacks"].values() if "dirpath" in state]
    assert len(places) == 2  # of best.ckpt and of last.ckpt
    for state in places:
        for key in ("dirpath", "best_model_path", "kth_best_model_path", "last_model_path"):
            assert state[key] == "" or Path(state[key]).is_relative_to(moved)
    assert {file.name for file in moved.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_plateau_that_watches_what_is_not_there_is_named(make_trainer, tmp_path):
    class Watching(ReduceLROnPlateau):
        monitor = "val/nothing"

    with pytest.raises(ValueError, match=r"monitor: there is no val/nothing, but val/loss, val/"):
        end(make_trainer, tmp_path, **of(lr_scheduler=Watching))
