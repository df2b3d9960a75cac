"""When a trial is at its end, and what is seen of it while it is at its score card."""

import pytest

from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.runs import Run
from vae_zoo.scorecard import Part, ScoreCard
from vae_zoo.sweep import run_sweep
from vae_zoo.sweep.process import finished
from vae_zoo.sweep.progress import Watched
from vae_zoo.sweep.queue import Queue
from vae_zoo.sweep.space import canonical

TESTED = "epoch,val/elbo,test/loss,test/elbo\n7,-2.5,,\n8,,3.5,-3.25\n"


def make_tested(folder):
    folder.mkdir(exist_ok=True)
    run = Run(folder)
    run.config_file.write_text("trainer: {max_epochs: 8}\nscorecard: true\n")
    run.metrics_file.write_text(TESTED)
    return run


@pytest.fixture
def tested(tmp_path):
    """A trial that is trained and tested, and has no card."""
    return make_tested(tmp_path)


def write_card(run, parts):
    known = {name: Part({}, {}, {"": "no codes"}, {"recipe": 1}) for name in parts}
    ScoreCard("best.ckpt", "0f", "test", parts=known).write(run.scorecard_file)


def test_a_trial_with_a_whole_card_is_finished_and_one_without_a_card_is_not(tested):
    assert not finished(tested)
    write_card(tested, PARTS)
    assert finished(tested)


@pytest.mark.parametrize("lacking", PARTS)
def test_a_trial_whose_card_lacks_a_part_is_not_finished(tested, lacking):
    write_card(tested, [name for name in PARTS if name != lacking])
    assert not finished(tested)


def test_a_trial_whose_card_is_torn_is_not_finished(tested):
    write_card(tested, PARTS)
    tested.scorecard_file.write_text(tested.scorecard_file.read_text()[:-20])
    assert not finished(tested)


def test_a_trial_with_the_card_of_earlier_weights_is_not_finished_before_its_test(tested):
    write_card(tested, PARTS)
    tested.metrics_file.write_text("epoch,val/elbo\n7,-2.5\n")
    assert not finished(tested)


def test_a_trial_that_asks_for_no_card_needs_none(tested):
    tested.config_file.write_text("trainer: {max_epochs: 8}\nscorecard: false\n")
    assert finished(tested)


@pytest.mark.parametrize(("parts", "starts"), [(["likelihood"], 1), (PARTS, 0)])
def test_a_trial_that_was_killed_with_its_runner_goes_on_unless_its_card_is_whole(
    workplace, parts, starts
):
    workplace.write({"seed": {"value": 0}})
    workplace.runs.mkdir(parents=True)
    with Queue(workplace.runs / "sweep.db", "grid", workplace.search) as queue:
        queue.add({canonical({"seed": 0}): {"seed": 0}})
        (trial,) = queue.trials()
        queue.claim(trial, "dead")
    write_card(make_tested(workplace.runs / trial.id), parts)
    assert run_sweep(workplace.file) == 0
    assert workplace.starts() == [starts]


def test_a_trial_at_its_card_is_shown_as_such(tested):
    watched = Watched(tested)
    watched.look()
    assert (watched.text, watched.fraction) == ("score card test/elbo -3.25", 1)
