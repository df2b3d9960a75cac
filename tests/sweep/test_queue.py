import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from vae_zoo.sweep import queue as module
from vae_zoo.sweep import run_sweep
from vae_zoo.sweep.queue import Queue, check_storage


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sweep.db"


@pytest.fixture
def queue(file):
    with Queue(file, "grid", "a search") as queue:
        yield queue


def keys(n):
    return {str(i): {"seed": i} for i in range(n)}


def test_a_trial_is_claimed_by_one_of_two_connections(queue, file):
    queue.add(keys(1))
    with Queue(file, "grid") as other:
        (seen,), (seen_there) = queue.trials(), other.trials()[0]
        assert queue.claim(seen, "here")
        assert not other.claim(seen_there, "there")
    (trial,) = queue.trials()
    assert (trial.state, trial.runner, trial.attempts) == ("running", "here", 1)


def test_four_runners_at_once_claim_each_trial_once(queue, file):
    queue.add(keys(20))

    together = Barrier(4, timeout=20)

    def claim_all(runner):
        with Queue(file, "grid") as own:
            seen = own.trials()
            together.wait()
            return [trial.id for trial in seen if own.claim(trial, runner)]

    with ThreadPoolExecutor(4) as pool:
        claimed = [id for ids in pool.map(claim_all, "abcd") for id in ids]
    assert Counter(claimed) == Counter(trial.id for trial in queue.trials())
    assert [trial.attempts for trial in queue.trials()] == [1] * 20


def test_many_runners_may_make_one_queue_at_once(file):
    together = Barrier(8, timeout=20)

    def begin(_):
        together.wait()
        with Queue(file, "grid", "a search") as own:
            own.add(keys(20))
            return len(own.trials())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(begin, range(8))) == [20] * 8


def test_a_trial_that_came_and_went_is_not_claimed_as_it_was(queue):
    queue.add(keys(1))
    (waited,) = queue.trials()
    assert queue.claim(waited, "a")
    (ran,) = queue.trials()
    queue.end(ran.id, "a", "waiting")
    assert not queue.claim(ran, "b")  # it waits
    assert not queue.claim(waited, "b")  # it waits again, but has been started
    (again,) = queue.trials()
    assert queue.claim(again, "a")
    queue.end(again.id, "a", "waiting")
    assert not queue.claim(again, "b")  # the same runner had it once more


def test_what_a_dead_runner_left_is_taken_once(queue):
    queue.add(keys(1))
    queue.claim(queue.trials()[0], "dead")
    (left,) = queue.trials()
    assert queue.claim(left, "a")
    assert not queue.claim(left, "b")


def test_a_trial_is_ended_by_its_runner_alone_and_once(queue):
    queue.add(keys(1))
    queue.claim(queue.trials()[0], "a")
    (trial,) = queue.trials()
    queue.end(trial.id, "b", "failed", 1)
    assert queue.trials() == [trial]
    queue.end(trial.id, "a", "finished", 0)
    queue.end(trial.id, "a", "waiting")
    assert queue.trials()[0].state == "finished"


def test_a_trial_that_is_there_keeps_its_id_and_its_state(queue):
    queue.add(keys(2))
    queue.claim(queue.trials()[1], "a")
    before = queue.trials()
    queue.add(keys(3))
    queue.add({})
    assert queue.trials()[:2] == before
    assert len({trial.id for trial in queue.trials()}) == 3


def test_sweeps_in_one_database_do_not_see_each_other(queue, file):
    queue.add(keys(1))
    queue.join("a", "host/1")
    with Queue(f"sqlite:///{file}", "another", "another search") as other:
        assert other.trials() == []
        assert other.runners() == {}
        other.add(keys(1))
        other.claim(other.trials()[0], "b")
    (trial,) = queue.trials()
    assert trial.state == "waiting"


def test_a_queue_of_another_search_is_refused(queue, file):
    with pytest.raises(ValueError, match=r"sweep\.db is the queue of another sweep, .* --name"):
        Queue(file, "grid", "a second search")


def test_a_queue_of_another_version_is_refused(queue, file, monkeypatch):
    monkeypatch.setattr(module, "VERSION", 4)
    for search in ("a search", None):
        with pytest.raises(ValueError, match=r"another version .* are 3, this one's 4\)"):
            Queue(file, "grid", search)


def test_a_queue_of_the_first_version_is_refused_and_left_as_it_is(file):
    with sqlite3.connect(file) as old:
        old.execute("CREATE TABLE trials (id TEXT)")
    old.close()
    before = file.read_bytes()
    with pytest.raises(ValueError, match="made by an older version of vae_zoo: finish the sweep"):
        Queue(file, "grid", "grid")
    assert file.read_bytes() == before


def test_a_sweep_that_is_not_there_is_no_new_one(queue, file):
    with pytest.raises(ValueError, match=r"sweep\.db has no sweep of the name other"):
        Queue(f"sqlite:///{file}", "other")


def test_a_file_of_its_own_keeps_its_sweep_when_the_folder_is_renamed(queue, file):
    queue.add(keys(2))
    with Queue(file, "renamed", "a search") as same:
        assert same.trials() == queue.trials()


@pytest.mark.parametrize("storage", ["", " "])
def test_an_empty_address_is_no_address(storage):
    with pytest.raises(ValueError, match="--storage is empty"):
        check_storage(storage)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@127.0.0.1:1/sweeps",  # where nobody answers
        "sqlite:////nosuch/folder/secret.db",
        "postgresql+psycopg://me:secret@127.0.0.1:port/sweeps",
        "postgresql+psycopg//me:secret@127.0.0.1/sweeps",
        "postgresql+nosuch://me:secret@127.0.0.1/sweeps",
        "nosuch://me:secret@127.0.0.1/sweeps",
        "postgresql+psycopg://me@127.0.0.1:9/sweeps?password=me:secret",
        "nosuch://me@127.0.0.1/sweeps?password=me:secret",
    ],
)
def test_a_wrong_storage_is_one_clear_error_without_its_password(workplace, url):
    with pytest.raises(ValueError, match=r"--storage should be|cannot be used") as caught:
        run_sweep(workplace.write({"seed": {"value": 0}}), storage=url)
    assert "me:secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(workplace.runs.glob("*/starts.txt"))
