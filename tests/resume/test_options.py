"""Averaged weights, early stopping and compiled networks, with every kind of checkpoint."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

import vae_zoo
from vae_zoo.callbacks import Compiled
from vae_zoo.cli import main
from vae_zoo.continuation import count_epochs_once
from vae_zoo.runs import Run

pytestmark = pytest.mark.usefixtures("empty_folder")
FIT = [
    *("fit", "-c", "base", "--trainer.max_epochs", "3", "--trainer.limit_train_batches", "4"),
    *("--trainer.accelerator", "cpu", "--scorecard", "false"),
    *("--model.encoder.hidden", "[8]", "--model.decoder.hidden", "[8]"),
]


def run(*words, code=0):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == code


def only_run(name="*"):
    [config] = Path("runs").glob(f"{name}/*/config.yaml")
    return Run(config.parent)


def test_averages_are_what_is_kept_evaluated_and_loaded(capsys):
    run(*FIT, "-c", "callback/ema", "-c", "callback/early_stopping")
    done = only_run()
    names = [part["class_path"].rpartition(".")[2] for part in done.config["trainer"]["callbacks"]]
    assert names == ["EMAWeightAveraging", "EarlyStopping"]
    for name in ("best.ckpt", "last.ckpt"):
        kept = torch.load(done.checkpoints / name)
        average, trained = kept["state_dict"], kept["current_model_state"]
        assert average.keys() == trained.keys()
        assert not torch.equal(
            average["encoder.layers.0.weight"], trained["encoder.layers.0.weight"]
        )
    model, _, _ = vae_zoo.load(done.folder)
    best = torch.load(done.checkpoints / "best.ckpt")["state_dict"]
    assert_close(model.state_dict(), best, rtol=0, atol=0)
    capsys.readouterr()
    for command, logged in (("test", "test/loss"), ("validate", "best/val_loss")):
        run(command, "--resume", done.folder)
        assert f"{done.summary[logged]:.6f}"[:7] in capsys.readouterr().out


def test_early_stopping_ends_a_run_which_stays_ended(capsys):
    run(
        *FIT, "-c", "callback/early_stopping", "--trainer.max_epochs", 40, "--model.optimizer.lr", 1
    )
    done = only_run()
    epochs = torch.load(done.last_checkpoint)["epoch"] + 1
    assert epochs < 40
    weights = torch.load(done.last_checkpoint)["state_dict"]
    run("fit", "--resume", done.folder)
    assert (
        f"early stopping has ended this training after {epochs} epochs" in capsys.readouterr().out
    )
    assert_close(torch.load(done.last_checkpoint)["state_dict"], weights, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("device", "given", "said"),
    [
        ("cpu", {}, "there is no g++: install one, name yours in CXX,"),
        ("cpu", {"CXX": "mine"}, "there is no mine: install"),
        ("cuda", {}, "there is no gcc or clang: install one, name yours in CC,"),
    ],
)
def test_to_compile_without_a_compiler_is_refused(device, given, said, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))
    with pytest.raises(ValueError, match=re.escape(f"--compile true needs a compiler, and {said}")):
        Compiled.check(trainer)
    if device == "cpu":
        run(*FIT, "--compile", "true", code=2)
        assert said in capsys.readouterr().err
        assert not Path("runs").exists()


@pytest.mark.parametrize("value", ["abc", "-1", "nan"])
def test_a_patience_that_is_no_number_is_named(value, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", value)
    run(*FIT, code=2)
    assert capsys.readouterr().err == (
        "vae-zoo: error: WANDB_FINISH_TIMEOUT should be a number of seconds, or 0 for as long as "
        f"it takes, got '{value}'\n"
    )
    assert not Path("runs").exists()


def test_private_names_of_lightning_and_torch_that_are_no_more_are_noticed():
    with pytest.raises(AttributeError, match="_iteration_based_training"):
        count_epochs_once(SimpleNamespace(fit_loop=SimpleNamespace()))
    with pytest.raises(AttributeError, match="_compiled_call_impl"):
        Compiled().on_train_end(
            None, SimpleNamespace(encoder=SimpleNamespace(), decoder=SimpleNamespace())
        )


def test_a_plateau_of_another_metric_goes_on_without_trust():
    scheduler = "lightning.pytorch.cli.ReduceLROnPlateau"
    more = ["--model.lr_scheduler.monitor", "val/elbo", "--model.lr_scheduler.mode", "max"]
    run(*FIT, "--model.lr_scheduler", scheduler, *more)
    run("fit", "--resume", only_run().folder, "--trainer.max_epochs", 4)
    assert torch.load(only_run().last_checkpoint)["lr_schedulers"][0]["last_epoch"] == 4


@pytest.mark.slow  # compiles
@pytest.mark.filterwarnings("ignore")  # what torch says to itself
def test_compiled_networks_change_no_name_and_runs_go_on_either_way():
    run(*FIT, "--name", "plain")
    run(*FIT, "--name", "compiled", "--compile", "true")
    plain, compiled = only_run("plain"), only_run("compiled")
    assert compiled.config["compile"] is True
    kept = [torch.load(done.last_checkpoint)["state_dict"] for done in (plain, compiled)]
    assert_close(*kept, rtol=1e-5, atol=1e-6)
    for done, now in ((plain, "true"), (compiled, "false")):
        run("fit", "--resume", done.folder, "--compile", now, "--trainer.max_epochs", 4)
    plain, compiled = only_run("plain"), only_run("compiled")
    for name in ("test/loss", "best/val_elbo", "train/loss"):
        assert plain.summary[name] == pytest.approx(compiled.summary[name], rel=1e-5)
    vae_zoo.load(compiled.folder)
