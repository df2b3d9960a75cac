"""The command line as a user types it: what it prints, writes, refuses, and goes on with."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml

from vae_zoo import fit as training
from vae_zoo.callbacks import Pictures
from vae_zoo.cli import main
from vae_zoo.runs import Run
from vae_zoo.sweep.command import fill_command
from vae_zoo.sweep.source import Source

SMALL = [
    "fit",
    *("-c", "base"),
    *("--trainer.max_epochs", "2"),
    *("--trainer.enable_progress_bar", "false"),
    *("--trainer.limit_train_batches", "3"),
    *("--trainer.accelerator", "cpu"),
    *("--model.encoder.hidden", "[8]"),
    *("--model.decoder.hidden", "[8]"),
    *("--scorecard", "false"),
]
TERMS = ["loss", "elbo", "reconstruction", "kl", "penalty"]
ROOT = Path(__file__).parents[1]
WHOLE = {"data", "experiment", "published"}  # no small configs, which go with any other
CONFIGS = [file for file in sorted(ROOT.glob("configs/*/*.yaml")) if file.parent.stem not in WHOLE]
SWEEPS = [
    file
    for file in sorted(ROOT.glob("sweeps/**/*.yaml"))
    if file.stem != "text"  # on other data, in test_generation.py
]
MINE = '''
from vae_zoo.regularizers import Regularizer
from vae_zoo.sampling import draw, gather

class Means(Regularizer):
    """Match the mean of the codes."""

    def divergence(self, q, p, z):
        return (gather(z).mean(0) - gather(draw(p)).mean(0)).square().sum()

class Broken(Regularizer):
    def divergence(self, q, p, z):
        return gather(z)
'''


pytestmark = pytest.mark.usefixtures("empty_folder")


def run(*words):
    """Run a command in this process, and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def only_run(name="*"):
    [config] = Path("runs").glob(f"{name}/*/config.yaml")
    return Run(config.parent)


def rows(run):
    """What a run logged, without what it cost, which no two runs share."""
    with run.metrics_file.open() as file:
        found = [row for row in csv.DictReader(file) if not row.get("cost/epoch_seconds")]
    return [{name: row[name] for name in row if not name.startswith("cost/")} for row in found]


def test_a_fit_leaves_all_in_one_folder_named_after_data_and_regularizer(capsys):
    assert run(*SMALL) == 0
    done = only_run("digits-kl")
    assert {"config.yaml", "metrics.csv", "checkpoints", "images"} <= {
        file.name for file in done.folder.iterdir()
    }
    assert {file.name for file in done.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    pictures = {"reconstructions", "samples", "traversals", "interpolations", "latents"}
    assert {file.name for file in done.images.iterdir()} == {f"{name}.png" for name in pictures}
    assert [path.name for path in Path().iterdir()] == ["runs"]
    assert done.finished
    out = capsys.readouterr().out
    assert f"{done.folder}: test split, best.ckpt, nats per example: loss" in out
    bits = -done.summary["test/elbo"] / (64 * math.log(2))  # of binary pixels
    assert out.rstrip().endswith(f"; bits per dimension: {bits:.3f}")


def test_the_five_terms_are_logged_for_every_stage_and_add_up():
    run(*SMALL, "--model.regularizer.weight", 4)
    logged = only_run().summary
    for stage in ("train", "val", "test"):
        bits = ["bits_per_dimension"] if stage != "train" else []
        assert [name for name in logged if name.startswith(f"{stage}/")] == [
            f"{stage}/{term}" for term in TERMS + bits
        ]
        values = {term: logged[f"{stage}/{term}"] for term in TERMS}
        assert values["penalty"] == pytest.approx(4 * values["kl"], rel=1e-4)
        assert values["elbo"] == pytest.approx(-values["reconstruction"] - values["kl"], rel=1e-4)
        assert values["loss"] == pytest.approx(values["reconstruction"] + values["penalty"])
    best = min((row for row in only_run().rows if "val/loss" in row), key=lambda r: r["val/loss"])
    assert logged["best/val_loss"] == best["val/loss"]
    assert logged["best/val_elbo"] == best["val/elbo"]


def test_a_deterministic_posterior_has_no_elbo_anywhere():
    run(*SMALL, "--model.posterior", "Deterministic", "--model.regularizer", "MMD")
    logged = only_run().summary
    assert "test/loss" in logged
    assert "best/val_loss" in logged
    assert not [name for name in logged if "elbo" in name or "/kl" in name]


def test_the_saved_config_is_complete_and_repeats_the_run_under_another_id():
    run(*SMALL, "--model.latent_dim", 3)
    first = only_run()
    config = yaml.safe_load(first.config_file.read_text())
    assert config["model"]["shape"] == [1, 8, 8]
    assert config["model"]["classes"] == 10
    assert config["model"]["latent_dim"] == 3
    assert config["model"]["prior"] == {"class_path": "vae_zoo.priors.StandardNormal"}
    assert run("fit", "-c", first.config_file) == 0
    [second] = [Run(f) for f in first.folder.parent.iterdir() if f.name != first.id]
    assert rows(second) == rows(first)


def test_test_prints_what_fit_logged(capsys):
    run(*SMALL)
    done = only_run()
    capsys.readouterr()
    checkpoint = done.checkpoints / "best.ckpt"
    assert run("test", "-c", done.config_file, "--ckpt_path", checkpoint) == 0
    assert str(done.summary["test/elbo"])[:9] in capsys.readouterr().out


def test_validate_prints_the_terms_of_the_best_epoch(capsys):
    run(*SMALL)
    done = only_run()
    capsys.readouterr()
    assert (
        run("validate", "-c", done.config_file, "--ckpt_path", done.checkpoints / "best.ckpt") == 0
    )
    assert str(done.summary["best/val_elbo"])[:9] in capsys.readouterr().out


def test_checkpoints_hold_tensors_and_plain_numbers_only():
    run(*SMALL, "--model.lr_scheduler", "ExponentialLR", "--model.lr_scheduler.gamma", 0.9)
    for file in only_run().checkpoints.iterdir():
        torch.load(file, weights_only=True)


@pytest.mark.parametrize("stopped_after", [1, 2])
def test_a_stopped_run_goes_on_to_the_same_end(stopped_after, monkeypatch):
    def words(epochs, name):
        return [
            *SMALL,
            "--trainer.max_epochs",
            epochs,
            "--model.regularizer",
            "MMD",
            "--name",
            name,
        ]

    run(*words(3, "whole"))
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    with monkeypatch.context() as killed:  # no word after the last checkpoint, as a kill leaves it
        killed.setattr(training.CLI, "_log_best", interrupt)
        assert run(*words(stopped_after, "part")) == 130
    assert not Run(Path("runs/part/abc")).finished
    assert run(*words(3, "part")) == 0
    assert rows(Run(Path("runs/part/abc"))) == rows(only_run("whole"))


def interrupt(*args):
    raise KeyboardInterrupt


def test_a_run_is_tested_by_its_folder_and_never_untrained(capsys):
    run(*SMALL)
    done = only_run()
    capsys.readouterr()
    assert run("test", "--resume", done.folder) == 0
    assert str(done.summary["test/elbo"])[:9] in capsys.readouterr().out
    assert run("test", "-c", done.config_file) == 2
    assert (
        "test needs --ckpt_path FILE with the run's -c CONFIG, or --resume"
        in capsys.readouterr().err
    )


def test_a_missing_or_corrupt_checkpoint_is_named_and_nothing_is_written(capsys):
    Path("corrupt.ckpt").write_bytes(b"no checkpoint")
    assert run(*SMALL, "--ckpt_path", "none.ckpt") == 2
    assert "there is no checkpoint none.ckpt" in capsys.readouterr().err
    assert run(*SMALL, "--ckpt_path", "corrupt.ckpt") == 2
    assert "corrupt.ckpt is no checkpoint that can be read" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_scheduler_that_watches_a_metric_watches_the_validation_loss():
    words = ["--model.lr_scheduler", "torch.optim.lr_scheduler.ReduceLROnPlateau"]
    assert run(*SMALL, *words, "--model.lr_scheduler.patience", 0) == 0


def test_pictures_are_drawn_as_often_as_asked(capsys):
    quiet = [
        "--trainer.limit_test_batches",
        "1",
        "--trainer.callbacks",
        "vae_zoo.callbacks.Pictures",
    ]
    of_codes = ("traversals", "interpolations", "latents")
    drawn = []
    draw = Pictures._keep
    for every, times in ((0, 1), (1, 3), (2, 2)):  # epochs of two, and once at the end
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pictures, "_keep", lambda *a: drawn.append(a[2]) or draw(*a))
            assert run(*SMALL, *quiet, "--trainer.callbacks.every_n_epochs", every) == 0
        counts = {"reconstructions": times, "samples": times}
        assert Counter(drawn) == counts | dict.fromkeys(of_codes, 1)
        drawn.clear()
    assert run(*SMALL, *quiet, "--trainer.callbacks.every_n_epochs", -1) == 2
    assert "every_n_epochs must be non-negative, got -1" in capsys.readouterr().err


def test_resume_goes_on_with_a_run_by_its_folder(capsys):
    run(*SMALL)
    done = only_run()
    assert run("fit", "--resume", done.folder, "--trainer.max_epochs", 3) == 0
    assert [row["epoch"] for row in rows(done) if row["val/loss"]] == ["0", "1", "2"]
    assert run("fit", "--resume", "runs/none") == 2
    assert "--resume runs/none: it has no" in capsys.readouterr().err


def test_own_regularizers_of_the_current_folder_work():
    Path("mine.py").write_text(MINE)
    assert run(*SMALL, "--model.regularizer", "mine.Means", "--model.regularizer.weight", 10) == 0
    assert only_run("digits-means").config["model"]["regularizer"] == {
        "class_path": "mine.Means",
        "init_args": {"weight": 10.0},
    }
    sys.modules.pop("mine")


def test_configs_are_found_by_path_and_by_name_and_merge_with_what_is_written_out():
    Path("wide.yaml").write_text("model: {encoder: {init_args: {hidden: [9]}}}")
    sweep = json.dumps({"seed_everything": 7, "model": {"latent_dim": 5}})
    assert run(*SMALL, "-c", "regularizer/mmd", "-c", "wide.yaml", "-c", sweep) == 0
    config = only_run("digits-mmd").config
    assert config["model"]["encoder"]["init_args"]["hidden"] == [9]
    assert config["model"]["latent_dim"] == 5
    assert config["seed_everything"] == 7


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
@pytest.mark.parametrize("network", ["MLP", "Conv"])
def test_every_precision_trains(precision, network):
    words = ["-c", "prior/conditional_normal", "--trainer.precision", precision]
    words += ["--model.encoder", network, "--model.decoder", network]
    assert run(*SMALL[:-4], *words, "--trainer.fast_dev_run", "true") == 0


@pytest.mark.filterwarnings("ignore:.* rises for .* steps, but the training ends after 1,")
@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: f"{file.parent.stem}/{file.stem}")
def test_every_small_config_trains(file):
    skip_without_mnist(file.read_text())
    assert run(*SMALL[:-4], "-c", file, "--trainer.fast_dev_run", "true") == 0
    assert not Path("runs").exists()


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: f"{file.parent.stem}/{file.stem}")
def test_every_trial_of_our_sweeps_trains(file):
    skip_without_mnist(file.read_text())
    source = Source.read(file)
    for trial in source.new():
        if trial.get("seed_everything", 0) == 0:
            words = fill_command(source.sweep.command, "vae-zoo", trial, Path("none.json"))
            assert run(*words[2:], "--trainer.fast_dev_run", "true") == 0


def skip_without_mnist(text):
    if re.search("class_path: MNIST|mnist|published", text) and "VAE_ZOO_DATA" not in os.environ:
        pytest.skip("needs MNIST, and VAE_ZOO_DATA names no folder that holds it")


def test_the_name_of_a_run_comes_from_the_option_then_from_a_sweep(monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "agent")
    run(*SMALL)
    assert only_run("agent")
    monkeypatch.setenv("VAE_ZOO_NAME", "here")
    run(*SMALL)
    assert only_run("here")
    run(*SMALL, "--name", "mine")
    assert only_run("mine")


def test_lightning_calls_no_hook_of_a_step_that_does_nothing():
    profiler = ["--trainer.profiler", "SimpleProfiler", "--trainer.profiler.dirpath", "."]
    assert run(*SMALL, *profiler, "--trainer.profiler.filename", "calls") == 0
    report = Path("fit-calls.txt").read_text()
    steps = {
        *re.findall(r"\[Callback\](\w+?)(?:{.*?})?\.(on_(?:train_batch|before|after)_\w+)", report)
    }
    assert steps == {
        ("Cost", "on_train_batch_end"),
        ("Finite", "on_train_batch_start"),
        ("Finite", "on_before_backward"),
        ("Finite", "on_before_optimizer_step"),
        ("Finite", "on_train_batch_end"),
        ("Termination", "on_train_batch_start"),
    }


def test_the_loggers_of_the_trainer_add_to_the_run_s_own_and_false_leaves_w_and_b_out(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    run(*SMALL, "--trainer.logger", "false", "--name", "files")
    assert not (only_run("files").folder / "wandb").exists()
    run(
        *SMALL, "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "extra", "--name", "b"
    )
    assert (only_run("b").folder / "wandb").exists()
    assert Path("extra").exists()


def test_mnist_names_the_files_that_are_missing(monkeypatch, capsys):
    monkeypatch.setenv("VAE_ZOO_OFFLINE", "1")
    monkeypatch.setattr("pooch.retrieve", refuse)
    assert run(*SMALL, "--data", "MNIST", "--data.root", "nowhere") == 2
    error = capsys.readouterr().err
    assert "nowhere" in error
    assert "train-images-idx3-ubyte.gz" in error
    assert not Path("runs").exists()


def refuse(*args, **kwargs):
    raise OSError("no network")


def test_a_corrupt_file_is_named_and_left_as_it_is(capsys):
    folder = Path("data/MNIST/raw")
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(b"no gzip")
    assert run(*SMALL, "--data", "MNIST", "--data.root", "data") == 2
    assert "-ubyte.gz" in capsys.readouterr().err
    assert (folder / "train-images-idx3-ubyte.gz").read_bytes() == b"no gzip"
    assert not Path("runs").exists()


def test_a_broken_config_and_a_broken_class_are_named_with_their_place(capsys):
    Path("broken.yaml").write_text("model: {encoder: [MLP\n")
    assert run(*SMALL, "-c", "broken.yaml") == 2
    assert "broken.yaml is no valid YAML" in capsys.readouterr().err
    Path("mine.py").write_text(MINE)
    assert run(*SMALL, "--model.regularizer", "mine.Broken") == 2
    sys.modules.pop("mine")
    assert "Broken.divergence must return a scalar, got the shape (8, 8)" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["from x import (", "1 / 0"])
def test_a_file_of_one_s_own_that_python_cannot_run_is_named(text, capsys):
    Path("bad_mine.py").write_text(text)
    assert run(*SMALL, "--model.regularizer", "bad_mine.Means") == 2
    error = capsys.readouterr().err
    assert "bad_mine" in error
    assert len(error.splitlines()) == 1


def test_a_run_goes_on_only_as_it_began(capsys):
    run(*SMALL)
    done = only_run()
    config = done.config_file.read_text()
    for words, error in {
        ("--model.latent_dim", 3): "is a run with another model, and goes on only as it began",
        ("--seed_everything", 3): "is a run with another seed_everything",
        ("--trainer.max_epochs", 1): "has trained for 2 epochs, got 1",
    }.items():
        assert run("fit", "--resume", done.folder, *words) == 2
        assert error in capsys.readouterr().err
        assert done.config_file.read_text() == config


def test_weights_of_another_model_are_refused(capsys):
    run(*SMALL, "--name", "small")
    path = only_run("small").checkpoints / "best.ckpt"
    assert run(*SMALL, "--model.latent_dim", 3, "--ckpt_path", path, "--name", "other") == 2
    assert "best.ckpt is a checkpoint of another model" in capsys.readouterr().err
    assert not Path("runs/other").exists()


def test_the_best_epoch_is_the_one_of_the_least_validation_loss():
    assert run(*SMALL, "--trainer.max_epochs", 3, "--model.optimizer.lr", 0.5) == 0
    done = only_run()
    losses = [row["val/loss"] for row in done.rows if "val/loss" in row]
    assert losses.index(min(losses)) < 2, "the learning rate should make the last epoch worse"
    assert done.summary["best/val_loss"] == min(losses)
    best = torch.load(done.checkpoints / "best.ckpt", weights_only=True)
    assert best["epoch"] == losses.index(min(losses))


def test_the_best_epoch_of_a_critic_that_learns_on_is_the_last():
    words = ["--model.regularizer", "Adversarial", "--model.regularizer.weight", 100]
    assert run(*SMALL, "--trainer.max_epochs", 3, *words) == 0
    done = only_run()
    losses = [row["val/loss"] for row in done.rows if "val/loss" in row]
    assert losses.index(min(losses)) < 2, "the last epoch should have a greater loss"
    assert done.summary["best/val_loss"] == losses[-1]
    assert torch.load(done.checkpoints / "best.ckpt", weights_only=True)["epoch"] == 2


RATE_GAP = ["--trainer.callbacks", "vae_zoo.callbacks.RateGap", "--trainer.callbacks.rate"]


def test_the_gap_to_a_rate_is_logged_of_every_epoch_and_of_the_best():
    run(*SMALL, "--trainer.max_epochs", 3, *RATE_GAP, 2)
    done = only_run()
    rates = [row["val/kl"] for row in done.rows if "val/kl" in row]
    gaps = [row["val/rate_gap"] for row in done.rows if "val/rate_gap" in row]
    assert len(gaps) == 3
    assert gaps == pytest.approx([abs(2 - rate) for rate in rates])
    best = done.summary["best/val_kl"]
    assert done.summary["best/val_rate_gap"] == pytest.approx(abs(2 - best))


def test_the_gap_to_a_rate_is_refused_where_there_is_none(capsys):
    assert run(*SMALL, *RATE_GAP, -1) == 2
    assert "rate must be finite and non-negative, got -1" in capsys.readouterr().err
    point = ["--model.posterior", "Deterministic", "--model.regularizer", "MMD"]
    assert run(*SMALL, *point, *RATE_GAP, 2) == 2
    assert "RateGap needs a rate, which a Deterministic posterior lacks" in capsys.readouterr().err


def test_what_wandb_adds_to_the_parameters_of_a_preempted_trial_is_left_out(monkeypatch, capsys):
    again = ["--config", '{"_wandb": {"m": []}, "resolved": {"seed": 1}, "seed_everything": 5}']
    assert run(*SMALL, *again) == 2
    assert "_wandb" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_SWEEP_ID", "agent")
    assert run(*SMALL, *again) == 0
    assert only_run().config["seed_everything"] == 5


def test_a_last_batch_of_one_example_joins_the_one_before():
    assert run(*SMALL, "--data.batch_size", 199, "--model.regularizer", "MMD") == 0


def test_a_folder_in_use_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    with Run(Path("runs/digits-kl/abc")).lock():
        assert run(*SMALL) == 2
    assert "runs/digits-kl/abc is in use by another process" in capsys.readouterr().err
    assert not Path("runs/digits-kl/abc/config.yaml").exists()


def test_a_terminal_that_lacks_a_letter_shows_its_number():
    command = [sys.executable, "-m", "vae_zoo", "list", "objectives"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert "\\u" in done.stdout
    assert "error" not in done.stderr


def test_help_and_list_answer_at_once_and_without_torch():
    code = (
        "import sys, resource; from vae_zoo.cli import main\n"
        "try: main({})\n"
        "except SystemExit: pass\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print('torch' in sys.modules, usage.ru_utime + usage.ru_stime, file=sys.stderr)"
    )
    usage = "import resource, torch; print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
    torch_alone = [sys.executable, "-c", usage]
    imported = float(subprocess.run(torch_alone, capture_output=True, check=True).stdout)
    for words in (["--help"], ["list"]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words)],
            env={**os.environ, "COLUMNS": "200"},  # so that no line is broken
            capture_output=True,
            text=True,
            check=True,
        )
        torch_is_there, seconds = done.stderr.split()
        assert torch_is_there == "False"
        assert float(seconds) < imported
    for name in ("KL", "MMD", "SlicedWasserstein", "MixtureOfNormals", "OneHot", "Digits", "Conv"):
        assert name in done.stdout
    assert "Auto-Encoding Variational Bayes, 2014" in done.stdout


def test_list_shows_one_family_and_leaves_out_the_others(capsys):
    assert run("list", "priors") == 0
    out = capsys.readouterr().out
    assert "LearnedNormal" in out
    assert "SlicedWasserstein" not in out
