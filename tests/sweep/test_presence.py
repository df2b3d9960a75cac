import threading
import time

import pytest
from filelock import FileLock

from vae_zoo.sweep import agenda, run_sweep
from vae_zoo.sweep import presence as module
from vae_zoo.sweep.presence import Presence, host
from vae_zoo.sweep.queue import Queue
from vae_zoo.sweep.space import canonical


@pytest.fixture
def queue(tmp_path):
    with Queue(tmp_path / "sweep.db", "grid", "grid") as queue:
        yield queue


@pytest.fixture
def presence(queue, tmp_path):
    with Presence(queue, tmp_path) as presence:
        yield presence


def test_a_runner_lives_until_it_leaves(queue, tmp_path, presence):
    with Presence(queue, tmp_path) as other:
        assert presence.living() == other.living() == {presence.id, other.id}
    assert presence.living() == {presence.id}
    assert [file.name for file in presence.folder.iterdir()] == [presence.id]


def test_a_runner_whose_lock_is_free_is_dead(queue, presence):
    queue.join("gone", host())
    queue.join("killed", host())
    (presence.folder / "killed").touch()
    assert presence.living() == {presence.id}


@pytest.mark.parametrize("boot", ["", "-before"])
def test_a_runner_from_before_a_reboot_is_dead_as_its_lock_tells(queue, presence, boot):
    queue.join("other", host() + boot)
    with FileLock(presence.folder / "other"):  # by another machine of the same name, it may be
        assert "other" in presence.living()
    assert "other" not in presence.living()


def test_a_runner_of_another_machine_is_dead_once_it_has_been_silent(queue, presence, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.3)
    queue.join("far", "elsewhere/1")
    assert "far" in presence.living()
    time.sleep(0.2)
    assert "far" in presence.living()
    queue.beat("far")
    assert "far" in presence.living()
    time.sleep(0.2)
    assert "far" in presence.living()  # as it was heard 0.2 s ago
    time.sleep(0.2)
    assert "far" not in presence.living()
    queue.beat("far")
    assert "far" in presence.living()


def test_a_runner_beats_from_time_to_time(queue, presence, monkeypatch):
    presence.beat()
    assert queue.runners()[presence.id].beats == 0
    monkeypatch.setattr(module, "BEAT", 0)
    presence.beat()
    presence.beat()
    assert queue.runners()[presence.id].beats == 2


@pytest.fixture
def far(workplace, monkeypatch):
    """A sweep of one trial, which a runner of another machine has claimed."""
    monkeypatch.setattr(module, "SILENCE", 0.5)
    monkeypatch.setattr(agenda, "LOOK", 0.1)
    workplace.write({"seed": {"value": 0}})
    workplace.runs.mkdir(parents=True)
    with Queue(workplace.runs / "sweep.db", "grid", workplace.search) as queue:
        queue.add({canonical({"seed": 0}): {"seed": 0}})
        queue.join("far", "elsewhere/1")
        queue.claim(queue.trials()[0], "far")
        yield queue


def test_what_a_silent_machine_left_is_taken_over(workplace, far):
    began = time.monotonic()
    assert run_sweep(workplace.file) == 0
    assert time.monotonic() - began > 0.5
    assert workplace.starts() == [1]
    assert far.trials()[0].attempts == 2


def test_what_another_machine_runs_is_left_to_it_and_waited_for(workplace, far):
    def live():
        for _ in range(6):
            far.beat("far")
            time.sleep(0.2)
        far.end(far.trials()[0].id, "far", "finished", 0)

    thread = threading.Thread(target=live)
    thread.start()
    assert run_sweep(workplace.file) == 0
    thread.join()
    assert workplace.starts() == [0]
    assert workplace.states() == ["finished"]
