import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from vae_zoo.sweep import run_sweep, show_status
from vae_zoo.sweep.queue import Queue

pytestmark = pytest.mark.slow

RUNNER = """
import sys
from pathlib import Path
from vae_zoo.sweep import run_sweep
sys.exit(run_sweep(Path("grid.yaml"), jobs=2, storage=sys.argv[1]))
"""


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def program(name):
    """One of PostgreSQL's, which Debian keeps off the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, versions), os.environ["PATH"]])
    return shutil.which(name, path=path) or pytest.skip(f"PostgreSQL's {name} is not installed")


@pytest.fixture(scope="module")
def server():
    """The URL of a PostgreSQL server on loopback, without the database's name."""
    initdb, postgres = program("initdb"), program("postgres")
    pytest.importorskip("psycopg", reason="psycopg, of vae_zoo[postgresql], is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # its parents can be entered by all
    as_other = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.getuid() == 0:  # as whom it refuses to run
        as_other |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    new = [initdb, "-D", data, "-U", "me", "--auth=trust", "--no-sync", "--encoding=UTF8"]
    subprocess.run(new, check=True, **as_other)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listening = ["-h", "127.0.0.1", "-p", str(port), "-k", folder]
    process = subprocess.Popen([postgres, "-D", data, "-F", *listening], **as_other)
    until(lambda: (data / "postmaster.pid").exists() and "ready" in _status(data))
    yield f"postgresql+psycopg://me@127.0.0.1:{port}"
    process.send_signal(signal.SIGQUIT)  # waits for nobody, and keeps nothing
    process.wait(timeout=30)
    shutil.rmtree(folder)


def _status(data):
    return (data / "postmaster.pid").read_text().splitlines()[-1]


@pytest.fixture
def storage(server, request):
    """A database of the test's own."""
    import psycopg

    name = f"test_{abs(hash(request.node.nodeid))}"
    plain = server.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def runner(workplace, storage):
    """A runner of two trials at once in a process of its own."""
    started = []

    def start():
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        with (workplace.folder / f"runner{len(started)}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-c", RUNNER, storage],
                    env=environment,
                    stdout=log,
                    stderr=log,
                )
            )
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def waiting(workplace, process):
    """The trials of a runner that wait for the file ``go``, with their processes."""
    lines = [
        (file.parent.name, *map(int, line.split()))
        for file in workplace.runs.glob("*/waits.txt")
        for line in file.read_text().splitlines()
    ]
    return {id: pid for id, pid, parent in lines if parent == process.pid}


def test_killed_runners_lose_no_trial_and_double_none(workplace, storage, runner):
    workplace.storage = storage
    workplace.write({"seed": {"values": [*range(12)]}, "wait": {"values": [False, True]}})
    runners = [runner() for _ in range(3)]
    until(lambda: all(len(waiting(workplace, each)) == 2 for each in runners))
    assert sum(workplace.finishes()) >= 5
    for each in runners[:2]:
        each.kill()
        each.wait()
    killed = waiting(workplace, runners[0])  # the trials of the other go on as orphans
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    runners.append(runner())
    until(lambda: [trial.attempts for trial in workplace.trials()].count(2) == 2)
    (workplace.folder / "go").touch()
    assert [each.wait(timeout=60) for each in runners[2:]] == [0, 0]

    trials = workplace.trials()
    assert len(trials) == 24
    assert workplace.states() == ["finished"] * 24
    assert workplace.finishes() == [1] * 24
    assert workplace.starts() == [1 + (trial.id in killed) for trial in trials]


def test_runners_may_make_one_queue_at_once(storage):
    together = Barrier(8, timeout=20)

    def begin(_):
        together.wait()
        with Queue(storage, "grid", "grid") as queue:
            queue.add({str(n): {"seed": n} for n in range(20)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(8)))
    with Queue(storage, "grid") as queue:
        assert [trial.parameters["seed"] for trial in queue.trials()] == [*range(20)]


def test_runners_at_once_claim_each_trial_once(storage):
    together = Barrier(4, timeout=20)

    def claim_all(runner):
        with Queue(storage, "grid") as own:
            seen = own.trials()
            together.wait()
            return [trial.id for trial in seen if own.claim(trial, runner)]

    with Queue(storage, "grid", "grid") as queue, ThreadPoolExecutor(4) as pool:
        queue.add({str(n): {"seed": n} for n in range(20)})
        claimed = [id for ids in pool.map(claim_all, "abcd") for id in ids]
        assert Counter(claimed) == Counter(trial.id for trial in queue.trials())


def test_a_database_holds_several_sweeps_and_tells_their_status(workplace, storage, capsys):
    file = workplace.write({"seed": {"values": [0, 1]}})
    assert run_sweep(file, storage=storage) == 0
    assert run_sweep(file, name="another", storage=storage) == 0
    capsys.readouterr()
    show_status(workplace.runs, storage)
    assert "2 trials: 2 finished" in capsys.readouterr().out
    with pytest.raises(ValueError, match="has no sweep of the name third"):
        Queue(storage, "third")


def test_a_database_that_others_use_too_is_no_old_queue(storage):
    import psycopg

    with psycopg.connect(storage.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE trials (id integer)")  # as Optuna's own storage has
    with Queue(storage, "grid", "grid") as queue:
        assert queue.trials() == []
