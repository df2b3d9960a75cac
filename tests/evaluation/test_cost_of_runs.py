"""The cost of a run in its card, however the run came to its end."""

import time
from pathlib import Path

import pytest

from vae_zoo.cli import main
from vae_zoo.runs import Run
from vae_zoo.scorecard import ScoreCard

FIT = [
    *("fit", "-c", "base", "--trainer.enable_progress_bar", "false", "--trainer.logger", "false"),
    *("--model.encoder.hidden", "[16]", "--model.decoder.hidden", "[16]"),
    *("--trainer.accelerator", "cpu", "--scorecard", "false"),
]
EXAMPLES = 1397 // 64 * 64  # of an epoch: 21 whole batches

pytestmark = pytest.mark.usefixtures("empty_folder")


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 0


def only_run():
    [config] = Path("runs").glob("*/*/config.yaml")
    return Run(config.parent)


def cost():
    """The part of the card, measured now."""
    done = only_run()
    run("evaluate", done.folder, "--parts", "cost")
    return ScoreCard.read(done.scorecard_file).parts["cost"]


def test_a_resumed_run_costs_what_the_epochs_since_took():
    run(*FIT, "--trainer.max_epochs", 2)
    before, began = cost().scores, time.perf_counter()
    run("fit", "--resume", only_run().folder, "--trainer.max_epochs", 5)
    lasted, after = time.perf_counter() - began, cost().scores
    seconds, rate = after["epoch_seconds"], after["examples_per_second"]
    assert seconds.value != before["epoch_seconds"].value
    assert before["epoch_seconds"].standard_error is None  # of two epochs, one counts
    assert 0 < seconds.standard_error < lasted
    assert 0 < 2 * seconds.value < lasted
    assert rate.value * seconds.value == pytest.approx(EXAMPLES)
    assert after["parameters"] == before["parameters"]


def test_the_cost_is_of_the_last_training_even_if_that_left_the_best_checkpoint_as_it_was():
    still = ["--model.posterior", "Deterministic", "--model.regularizer", "NoRegularizer"]
    run(*FIT, *still, "--model.optimizer.lr", 0, "--trainer.max_epochs", 2)
    before = only_run().checkpoints.joinpath("best.ckpt").read_bytes()
    first = cost().scores["epoch_seconds"]
    run("fit", "--resume", only_run().folder, "--trainer.max_epochs", 4)
    assert only_run().checkpoints.joinpath("best.ckpt").read_bytes() == before
    assert cost().scores["epoch_seconds"] != first


def test_of_a_run_of_so_many_steps_only_whole_epochs_count():
    run(*FIT, "--trainer.max_steps", 70)  # three epochs and a third
    found = cost()
    seconds, rate = found.scores["epoch_seconds"], found.scores["examples_per_second"]
    assert rate.value * seconds.value == pytest.approx(EXAMPLES)
    assert seconds.standard_error > 0
    assert rate.standard_error / rate.value == pytest.approx(seconds.standard_error / seconds.value)


def test_what_a_run_of_less_than_an_epoch_cost_is_absent_but_its_parameters_are_not():
    with pytest.warns(UserWarning, match="could not find the monitored key"):  # for best.ckpt
        run(*FIT, "--trainer.max_steps", 5)
    found = cost()
    assert "parameters" in found.scores
    for name in ("epoch_seconds", "examples_per_second"):
        assert found.absent[name] == "the run did not log it"
