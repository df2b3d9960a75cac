"""What needs processes of its own: several ranks, and the real W&B client."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from vae_zoo.columns import columns
from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.runs import Run
from vae_zoo.scorecard import ScoreCard
from vae_zoo.sweep.process import finished

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "vae_zoo"]
SCORED = [
    *("fit", "-c", "base"),
    *("--trainer.max_epochs", "2"),
    *("--trainer.limit_train_batches", "4"),
    *("--trainer.accelerator", "cpu"),
]
FIT = [*SCORED[:3], "--scorecard", "false", *SCORED[3:]]
TERMS = ["loss", "elbo", "reconstruction", "kl", "penalty"]


def run(folder, *words, **environment):
    """Run ``vae-zoo`` in a folder; return what it prints."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "VAE_ZOO_NAME"))}
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=clean | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def only_run(folder):
    [config] = folder.glob("runs/*/*/config.yaml")
    return Run(config.parent)


def offline_files(run):
    """What the W&B client wrote of a run, a file for each process, in order of time."""
    return sorted(run.folder.glob("wandb/offline-run-*/*.wandb"))


def records(file):
    """What an offline file holds, by kind."""
    leet = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    text = subprocess.run(leet, capture_output=True, text=True, check=True).stdout
    found = defaultdict(list)
    for record in map(json.loads, text.splitlines()):
        found[record["type"]].append(record[record["type"]])
    return found


def logged(records):
    """The last value of all that was logged."""
    return {k: v for row in records["history"] for k, v in row["item"].items()}


def summary(records):
    return {k: v for row in records["summary"] for k, v in row["update"].items()}


def assert_shows_the_card(records, card):
    """Compare what W&B has of a card, as numbers over time and in the summary, with the file."""
    numbers = {f"score/{name}": one.value for name, one in card.scores.items()} | {
        f"score_error/{name}": one.standard_error
        for name, one in card.scores.items()
        if one.standard_error is not None
    }
    assert {k: v for k, v in logged(records).items() if k.startswith("score")} == numbers
    settings = {name: part.setting for name, part in card.parts.items()}
    shown = {k: v for k, v in summary(records).items() if k.startswith("score")}
    assert shown == numbers | {"score_setting": settings}


def test_an_interrupted_run_says_how_to_go_on_with_it(tmp_path):
    words = [*FIT[:5], "--trainer.max_epochs", "500", "--trainer.logger", "false"]
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in background
    )
    while not list(tmp_path.glob("runs/*/*/checkpoints/last.ckpt")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    folder = only_run(tmp_path).folder.relative_to(tmp_path)
    assert process.returncode != 0
    assert f"stopped; `vae-zoo fit --resume {folder}` goes on where it was" in out
    assert "Traceback" not in out


@pytest.mark.parametrize("devices", [2, 3])
def test_ranks_leave_one_run_whose_terms_are_those_of_all_examples(tmp_path, devices):
    # 200 examples of a split do not divide among three ranks. A deterministic code has no noise.
    words = [
        "--trainer.strategy",
        "ddp",
        "--trainer.devices",
        devices,
        "--model.regularizer",
        "MMD",
    ]
    out = run(tmp_path, *FIT, *words, "--model.posterior", "Deterministic", WANDB_MODE="disabled")
    assert out.count("test split, best.ckpt") == 1
    done = only_run(tmp_path)
    table = run(tmp_path, "test", "--resume", done.folder, *words[:2], "--trainer.devices", 1)
    assert f"{done.summary['test/reconstruction']:.4f}"[:6] in table
    seconds, rate = (done.summary[f"cost/{n}"] for n in ("epoch_seconds", "examples_per_second"))
    assert seconds * rate == pytest.approx(devices * 4 * 64)


def test_ranks_leave_one_card_which_is_that_of_one_process(tmp_path):
    ranks = ["--trainer.strategy", "ddp", "--trainer.devices", 2]
    run(tmp_path, *SCORED, *ranks, WANDB_MODE="disabled")
    [file] = tmp_path.glob("runs/*/*/scorecard*")
    of_ranks = ScoreCard.read(file)
    file.unlink()
    words = ["evaluate", only_run(tmp_path).folder]
    run(tmp_path, *words, WANDB_MODE="disabled", CUDA_VISIBLE_DEVICES="")
    assert not (
        file.parent / "wandb"
    ).exists()  # or the next `evaluate` would take it as known there
    of_one = ScoreCard.read(file)
    assert of_one.parts.keys() == PARTS.keys()
    assert of_ranks == of_one


def test_the_real_client_keeps_config_group_tags_terms_and_images(tmp_path):
    run(tmp_path, *FIT, "--model.regularizer", "MMD", "--seed_everything", 3, WANDB_MODE="offline")
    done = only_run(tmp_path)
    [file] = offline_files(done)
    found = records(file)
    begun = found["run"][0]
    config = {**begun["config"]["update"]}
    config.pop("_wandb")
    assert config == done.config | {"zoo": columns(done.config)}
    assert config["seed_everything"] == 3
    assert begun["run_group"] == "Digits/MMD"
    assert begun["tags"] == ["MMD imq λ=1", "StandardNormal", "Bernoulli", "PenalizedLikelihood"]
    last = logged(found)
    for stage in ("train", "val", "test"):
        for term in TERMS:
            assert last[f"{stage}/{term}"] == pytest.approx(done.summary[f"{stage}/{term}"])
    assert {"best/val_elbo", "best/val_loss", "epoch", "trainer/global_step"} <= set(last)
    pictures = file.parent.glob("files/media/images/images/*.png")
    assert {"reconstructions", "samples"} <= {path.name.partition("_")[0] for path in pictures}


def test_the_real_client_keeps_a_histogram_of_the_kl_over_the_latent_dimensions(tmp_path):
    run(tmp_path, *FIT, "--model.latent_dim", 6, WANDB_MODE="offline")
    [file] = offline_files(only_run(tmp_path))
    last = logged(records(file))
    assert last["kl_of_dimension._type"] == "histogram"
    assert sum(last["kl_of_dimension.values"]) == 6
    points = ["--model.regularizer", "MMD", "--model.posterior", "Deterministic"]
    run(tmp_path, *FIT, *points, "--name", "points", WANDB_MODE="offline")
    [file] = tmp_path.glob("runs/points/*/wandb/offline-run-*/*.wandb")
    assert not [name for name in logged(records(file)) if name.startswith("kl_of_dimension")]


def test_the_real_client_puts_each_chart_over_epochs_or_steps(tmp_path):
    run(tmp_path, *FIT, WANDB_MODE="offline")
    [file] = offline_files(only_run(tmp_path))
    found = records(file)
    axes = {m.get("name") or m["glob_name"]: m.get("step_metric") for m in found["metric"]}
    terms = [f"{stage}/{term}" for stage in ("train", "val", "test") for term in TERMS]
    best = [name for name in logged(found) if name.startswith("best/")]
    assert {axes[name] for name in (*terms, *best, "kl_of_dimension")} == {"epoch"}
    assert axes["*"] == "trainer/global_step"
    assert all(isinstance(summary(found)[name], float) for name in (*terms, *best))


def test_the_real_client_keeps_the_card_of_a_fit(tmp_path):
    run(tmp_path, *SCORED, WANDB_MODE="offline")
    done = only_run(tmp_path)
    [file] = offline_files(done)
    assert_shows_the_card(records(file), ScoreCard.read(done.scorecard_file))


def test_evaluate_adds_a_card_to_the_run_on_wandb_once_and_in_its_own_project(tmp_path):
    run(tmp_path, *FIT, WANDB_MODE="offline", WANDB_PROJECT="mine")
    done = only_run(tmp_path)
    evaluate = ["evaluate", done.folder]
    run(tmp_path, *evaluate, WANDB_MODE="offline", WANDB_PROJECT="another")
    fitted, added = offline_files(done)
    assert not [name for name in summary(records(fitted)) if name.startswith("score")]
    found = records(added)
    assert (found["run"][0]["run_id"], found["run"][0]["project"]) == (done.id, "mine")
    assert_shows_the_card(found, ScoreCard.read(done.scorecard_file))
    run(tmp_path, *evaluate, WANDB_MODE="offline")
    assert offline_files(done) == [fitted, added]


def test_without_a_key_a_run_stays_offline_and_without_a_network_too(tmp_path):
    for environment in (
        {"HOME": str(tmp_path)},
        {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"},
    ):
        run(tmp_path, *FIT, **environment)
    assert len(list(tmp_path.glob("runs/*/*/wandb/offline-run-*"))) == 2


@pytest.mark.parametrize("during", ["training", "score card"])
def test_a_run_that_is_told_to_end_exits_with_143_and_is_not_finished(tmp_path, during):
    epochs, found = ("500", "last.ckpt") if during == "training" else ("2", "scorecard.json")
    words = [*SCORED[:3], "--trainer.max_epochs", epochs, "--trainer.logger", "false"]
    process = subprocess.Popen([*COMMAND, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob(f"runs/**/{found}")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    done = only_run(tmp_path)
    assert (done.checkpoints / "last.ckpt").is_file()
    assert not finished(done)


FULL_DISK = """
set -e
mkdir disk
mount -t tmpfs -o size=120m tmpfs disk
cd disk
fit="$VAE_ZOO fit --scorecard false --trainer.accelerator cpu"
$fit -c base --trainer.max_epochs 2
cp runs/*/*/checkpoints/last.ckpt before.ckpt
head -c 200M /dev/zero > filling || true
! $fit --resume runs/digits-kl/* --trainer.max_epochs 4
cmp runs/*/*/checkpoints/last.ckpt before.ckpt
! $VAE_ZOO sweep ../s.yaml
rm filling
$fit --resume runs/digits-kl/* --trainer.max_epochs 4
$VAE_ZOO sweep ../s.yaml
"""
TRIVIAL = """
method: grid
parameters: {a: {values: [1]}}
program: "true"
command: ["${program}"]
"""


def test_what_a_full_disk_stops_is_named_torn_nowhere_and_goes_on(tmp_path):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a small disk, and may not mount one here")
    (tmp_path / "s.yaml").write_text(TRIVIAL)
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", FULL_DISK],
        cwd=tmp_path,
        env=os.environ | {"VAE_ZOO": " ".join(COMMAND), "WANDB_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("vae-zoo: error")]
    assert len(errors) == 2
    assert "No space left on device: 'runs/digits-kl/" in errors[0]
    assert "runs/s: there is no space left on its disk" in errors[1]
    assert "Traceback" not in done.stderr
    assert "1 of 1 trials finished" in done.stdout
