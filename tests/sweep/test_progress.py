import pytest

from vae_zoo.runs import Run
from vae_zoo.sweep import progress, run_sweep
from vae_zoo.sweep.process import Attempt
from vae_zoo.sweep.progress import Watched, duration
from vae_zoo.sweep.queue import Trial


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_a_duration_is_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


def test_a_running_trial_is_known_by_the_files_that_it_writes(tmp_path):
    watched = Watched(Run(tmp_path))
    watched.look()
    assert (watched.text, watched.fraction) == ("starting", 0)
    (tmp_path / "config.yaml").write_text("trainer: {max_epochs: 8}")
    (tmp_path / "metrics.csv").write_text("epoch,val/loss,val/elbo\n0,3,-3\n1,2.5,-2.5\n2,2")
    watched.look()
    assert (watched.text, watched.fraction) == ("epoch 2/8 val/elbo -2.50", 0.25)
    (tmp_path / "metrics.csv").write_text("epoch,val/loss\n3,2.5\n")
    watched.look()
    assert (watched.text, watched.fraction) == ("epoch 4/8 val/loss 2.50", 0.5)
    (tmp_path / "metrics.csv").write_text("epoch,val/loss\n8,2.5\n")
    watched.look()
    assert (watched.text, watched.fraction) == ("epoch 8/8 val/loss 2.50", 1)


def test_a_bar_follows_its_trial(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "REFRESH", 0)
    (tmp_path / "config.yaml").write_text("trainer: {max_epochs: 8}")
    (tmp_path / "metrics.csv").write_text("epoch,val/elbo\n1,-2.5\n")
    run = Run(tmp_path)
    display = progress.Display()
    display.know({run.id: "KL", "other": "MMD"}, finished=1, over=1, count=2)
    display.started(Attempt(Trial(run.id, "", {}, "running", 0), run))
    display.update()
    total, bar = display.bars.tasks
    assert (bar.description, bar.completed, bar.total) == ("KL", 0.25, 1)
    assert bar.fields["status"] == "epoch 2/8 val/elbo -2.50"
    assert (total.completed, total.total) == (1, 2)
    assert total.fields["status"].startswith("1/2 finished, about")


def test_a_terminal_shows_bars_and_the_ends_of_trials(workplace, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert run_sweep(workplace.write({"seed": {"values": [0, 1]}})) == 0
    said = capsys.readouterr().out
    assert "all trials" in said
    assert "━" in said
    assert "started" not in said
    assert "2 of 2 trials finished" in said
