import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from vae_zoo.runs import Run
from vae_zoo.sweep import process, run_sweep
from vae_zoo.sweep.agenda import Agenda
from vae_zoo.sweep.presence import Presence
from vae_zoo.sweep.process import environment
from vae_zoo.sweep.queue import Queue
from vae_zoo.sweep.source import Source
from vae_zoo.sweep.space import canonical, read_sweep

RUNNER = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
from vae_zoo.sweep import run_sweep
sys.exit(run_sweep(Path("grid.yaml"), jobs=2))
"""


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def seeds(n, **others):
    return {"seed": {"values": list(range(n))}} | {k: {"value": v} for k, v in others.items()}


@pytest.fixture
def runner(workplace):
    """A runner in a process of its own; what it leaves behind ends with the test."""
    started = []

    def start():
        root = str(Path(__file__).parents[2])
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", RUNNER],
                env={**os.environ, "PYTHONPATH": root},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    (workplace.folder / "go").touch()
    for each in started:
        each.kill()
        each.communicate()


def test_all_trials_finish_each_in_its_own_folder(workplace, capsys):
    assert run_sweep(workplace.write(seeds(3)), jobs=2) == 0
    assert workplace.states() == ["finished"] * 3
    assert [trial.parameters for trial in workplace.trials()] == [{"seed": s} for s in (0, 1, 2)]
    assert all(Run(workplace.runs / trial.id).finished for trial in workplace.trials())
    said = capsys.readouterr().out
    assert "seed=2" in said
    assert "test/elbo -2.25" in said
    assert "3 of 3 trials finished, 0 failed" in said
    assert said.endswith("vae-zoo compare runs/grid\n")


def test_a_finished_trial_is_not_repeated_and_one_that_the_file_gained_is_run(workplace):
    run_sweep(workplace.write(seeds(2)))
    before = [trial.id for trial in workplace.trials()]
    assert run_sweep(workplace.write(seeds(3))) == 0
    assert [trial.id for trial in workplace.trials()][:2] == before
    assert workplace.starts() == [1, 1, 1]


def test_a_trial_that_the_file_lost_is_not_run_but_mentioned(workplace, capsys):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        run_sweep(workplace.write(seeds(2)), jobs=0)
    run_sweep(workplace.write({"seed": {"values": [7]}}))
    run_sweep(workplace.write(seeds(1)))
    assert workplace.states() == ["finished"] * 2
    assert "1 more trials" in capsys.readouterr().out


def test_a_failed_trial_shows_its_reason_stops_no_other_and_is_tried_again(workplace, capsys):
    parameters = {"seed": {"value": 0}, "broken": {"values": [True, False]}}
    assert run_sweep(workplace.write(parameters)) == 1
    assert workplace.states() == ["failed", "finished"]
    said = capsys.readouterr().out
    assert "in 0 s, exit code 1, 0/2 finished, about" in said
    assert "    loaded\n    no such divergence: MDD\n" in said
    assert "--retry-failed tries again what failed" in said

    program = workplace.folder / "program.py"
    program.write_text(program.read_text().replace('options.get("broken")', "False"))
    assert run_sweep(workplace.file) == 1
    assert workplace.starts() == [1, 1]
    assert run_sweep(workplace.file, retry_failed=True) == 0
    assert workplace.starts() == [2, 1]
    assert "again" in capsys.readouterr().out
    log = (workplace.runs / workplace.trials()[0].id / "output.log").read_text()
    assert log.count("$ ") == 2
    assert log.count("MDD") == 1


def test_a_program_that_fails_at_once_is_stopped_after_three(workplace, capsys):
    assert run_sweep(workplace.write(seeds(6, broken=True))) == 1
    assert workplace.states() == ["failed"] * 3 + ["waiting"] * 3
    assert "the first 3 trials failed at once" in capsys.readouterr().out


def test_what_a_trial_that_ended_well_warned_of_is_shown(workplace, capsys):
    assert run_sweep(workplace.write(seeds(1, wary=True))) == 0
    said = capsys.readouterr().out
    assert "    vae-zoo: warning: it ends too soon\n" in said
    assert "all else is well" not in said


def test_a_sweep_in_which_something_finished_is_not_given_up(workplace):
    broken = {"values": [False, True]}
    run_sweep(workplace.write({"broken": broken, "seed": {"values": [0, 1, 2, 3]}}))
    assert workplace.states() == ["finished"] * 4 + ["failed"] * 4


def test_what_waits_goes_before_what_failed(workplace):
    run_sweep(workplace.write(seeds(6, broken=True)))
    assert workplace.starts() == [1, 1, 1, 0, 0, 0]
    run_sweep(workplace.file, retry_failed=True)
    assert workplace.starts() == [1] * 6


def test_a_sweep_that_was_given_up_starts_no_more_trials_unasked(workplace, capsys):
    run_sweep(workplace.write(seeds(6, broken=True)))
    assert "stopped: the first 3 trials failed at once: no such divergence: MDD" in _said(capsys)
    assert run_sweep(workplace.file, quiet=True) == 1
    assert workplace.starts() == [1, 1, 1, 0, 0, 0]
    assert "3 trials have failed at once, and none has finished" in _said(capsys)


def _said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_a_program_that_crashes_has_failed(workplace, capsys):
    command = ["sh", "-c", "echo out of bounds; kill -SEGV $$"]
    assert run_sweep(workplace.write(seeds(5), command=command)) == 1
    assert workplace.states() == ["failed"] * 3 + ["waiting"] * 2
    assert "the first 3 trials failed at once: out of bounds" in _said(capsys)


def test_a_queue_of_another_command_is_refused(workplace):
    run_sweep(workplace.write(seeds(1)))
    file = workplace.write(seeds(1), command=["sh", "-c", "true"])
    with pytest.raises(ValueError, match="of another sweep, with another program, command"):
        run_sweep(file)


def test_a_trial_killed_by_a_signal_says_which(workplace, capsys):
    command = ["sh", "-c", "kill -9 $$"]
    assert run_sweep(workplace.write(seeds(1), command=command)) == 1
    assert "killed by SIGKILL, 0/1 finished\n" in capsys.readouterr().out
    assert workplace.states() == ["waiting"]


@pytest.fixture
def two_wait(workplace, runner):
    """A runner of three trials, of which two have started and wait."""
    workplace.write(seeds(3, wait=True))
    first = runner()
    until(lambda: workplace.runs.exists() and len(list(workplace.runs.glob("*/starts.txt"))) == 2)
    return first


def test_ctrl_c_once_lets_the_running_trials_finish_and_starts_no_new_ones(workplace, two_wait):
    two_wait.send_signal(signal.SIGINT)
    assert any("no new trials" in two_wait.stdout.readline() for _ in range(3))
    (workplace.folder / "go").touch()
    said, _ = two_wait.communicate(timeout=30)
    assert two_wait.returncode == 130
    assert "the same command goes on" in said
    assert workplace.states() == ["finished", "finished", "waiting"]


@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGINT] * 2, 130), ([signal.SIGTERM] * 2, 143)]
)
def test_ctrl_c_twice_stops_the_trials_and_the_same_command_goes_on(
    workplace, two_wait, runner, signals, code
):
    for number in signals:
        two_wait.send_signal(number)
        time.sleep(0.05)
    said, _ = two_wait.communicate(timeout=30)
    assert two_wait.returncode == code
    assert "the same command goes on" in said
    assert workplace.states() == ["waiting"] * 3
    assert len(list(workplace.runs.glob("*/stopped.txt"))) == 2  # by SIGTERM

    (workplace.folder / "go").touch()
    assert runner().wait(timeout=30) == 0
    assert workplace.states() == ["finished"] * 3
    assert workplace.starts() == [2, 2, 1]


def test_a_trial_deaf_to_sigterm_is_killed_after_the_grace(workplace, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.3)

    def interrupt():
        until(lambda: list(workplace.folder.glob("runs/grid/*/starts.txt")))
        time.sleep(0.3)  # until it is deaf
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert run_sweep(workplace.write(seeds(1, wait=True, deaf=True))) == 143
    thread.join()
    assert workplace.states() == ["waiting"]
    pid = int(next(workplace.runs.glob("*/starts.txt")).read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def in_a_terminal():
    """Ctrl-C is heard, which in the background is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_three_times_ends_what_is_deaf_at_once(workplace, monkeypatch, in_a_terminal):
    monkeypatch.setattr(process, "GRACE", 30.0)

    def interrupt():
        until(lambda: list(workplace.folder.glob("runs/grid/*/starts.txt")))
        time.sleep(0.3)  # until it is deaf
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    assert run_sweep(workplace.write(seeds(1, wait=True, deaf=True))) == 130
    assert time.monotonic() < began + 20
    thread.join()


def test_two_runners_that_retry_what_failed_try_each_trial_once(workplace, monkeypatch):
    file = workplace.write(seeds(4, broken=True))
    run_sweep(file, jobs=4)
    with Queue(workplace.runs / "sweep.db", "grid") as queue:
        source = Source.read(file)
        agendas = []
        for folder in ("one", "two"):
            presence = Presence(queue, workplace.folder / folder)
            queue.join(presence.id, "far/away")
            agendas.append(Agenda(queue, source, presence))
        for agenda in agendas:
            agenda.look(now=True)
            agenda.retry_failed()
        one, two = agendas
        for trial in queue.trials():
            assert one.claim(trial)
        two.look(now=True)
        assert two.next() is None  # they run elsewhere
        queue.end(one.trials[0].id, one.presence.id, "finished")
        two.look(now=True)
        assert two.next() is None
        queue.end(one.trials[1].id, one.presence.id, "failed")
        one.look(now=True)
        assert one.next() is None  # it has been tried again


def test_an_orphan_of_a_killed_runner_is_waited_for_and_not_started_twice(
    workplace, two_wait, runner
):
    two_wait.kill()
    two_wait.wait()
    assert workplace.states() == ["running", "running", "waiting"]

    second = runner()
    assert "runs already" in second.stdout.readline()
    (workplace.folder / "go").touch()
    assert second.wait(timeout=30) == 0
    assert workplace.states() == ["finished"] * 3
    assert workplace.starts() == [1, 1, 1]


def test_a_trial_killed_with_its_runner_is_run_again_and_a_finished_one_is_not(workplace, runner):
    workplace.write(seeds(2, wait=True))
    first = runner()
    until(lambda: workplace.runs.exists() and len(list(workplace.runs.glob("*/starts.txt"))) == 2)
    first.kill()
    first.wait()
    killed, other = workplace.trials()
    os.kill(int((workplace.runs / killed.id / "starts.txt").read_text()), signal.SIGKILL)
    (workplace.folder / "go").touch()
    until(lambda: Run(workplace.runs / other.id).finished)  # while no runner looks
    assert runner().wait(timeout=30) == 0
    assert workplace.starts() == [2, 1]


@pytest.fixture
def busy(workplace):
    """A sweep of one trial whose folder a process uses; and what ends that process."""
    workplace.write(seeds(1))
    workplace.runs.mkdir(parents=True)
    with Queue(workplace.runs / "sweep.db", "grid", workplace.search) as queue:
        queue.add({canonical({"seed": 0}): {"seed": 0}})
        (trial,) = queue.trials()
        run = Run(workplace.runs / trial.id)
        run.folder.mkdir()
        lock = FileLock(run.folder / ".lock", thread_local=False)
        lock.acquire()

        def finish():
            run.metrics_file.write_text("test/loss\n3\n")
            lock.release()

        yield queue, trial, finish


def test_an_orphan_that_ends_before_its_turn_is_not_started_again(workplace, busy):
    queue, trial, finish = busy
    queue.claim(trial, "dead")
    finish()
    assert run_sweep(workplace.file) == 0
    assert workplace.starts() == [0]


def test_a_trial_whose_folder_is_in_use_is_waited_for(workplace, busy, capsys):
    def finish():
        time.sleep(0.5)
        busy[2]()

    thread = threading.Thread(target=finish)
    thread.start()
    assert run_sweep(workplace.file) == 0
    thread.join()
    assert workplace.starts() == [0]
    assert workplace.states() == ["finished"]
    assert "it runs already" in capsys.readouterr().out


def test_two_runners_share_a_queue_and_each_trial_runs_once(workplace, runner):
    workplace.write(seeds(12))
    said = [each.communicate(timeout=60)[0] for each in (runner(), runner())]
    assert workplace.states() == ["finished"] * 12
    assert workplace.starts() == [1] * 12
    started = [text.count("started") for text in said]
    assert sum(started) == 12
    assert all("12 of 12 trials finished" in text for text in said)


def test_a_runner_takes_over_what_another_leaves_that_dies_beside_it(workplace, two_wait, runner):
    second = runner()
    until(lambda: len(list(workplace.runs.glob("*/starts.txt"))) == 3)
    two_wait.kill()
    two_wait.wait()
    (workplace.folder / "go").touch()
    assert second.wait(timeout=30) == 0
    assert workplace.states() == ["finished"] * 3
    assert workplace.starts() == [1, 1, 1]


def test_a_file_that_is_no_queue_is_refused(workplace):
    workplace.runs.mkdir(parents=True)
    (workplace.runs / "sweep.db").write_text("something else altogether" * 100)
    with pytest.raises(ValueError, match=r"sweep\.db cannot be used: file is not a database"):
        run_sweep(workplace.write(seeds(1)))


def test_bad_input_writes_nothing(workplace):
    for command in (["vae-zo", "fit"], ["${args_jsn}"]):
        with pytest.raises(ValueError, match="command"):
            run_sweep(workplace.write(seeds(1), command=command))
    assert not Path("runs").exists()


def test_the_json_file_of_a_trial_lies_in_its_folder(workplace):
    command = [sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())"]
    run_sweep(workplace.write(seeds(1), command=[*command, "${args_json_file}"]))
    (trial,) = workplace.trials()
    assert (workplace.runs / trial.id / "output.log").read_text().endswith('{"seed": 0}\n')


def test_a_trial_has_one_thread_only_where_several_run(workplace, monkeypatch):
    sweep = read_sweep(workplace.write(seeds(1), project="theirs"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    several = environment(sweep, "abc", jobs=2)
    assert (several["OMP_NUM_THREADS"], several["MKL_NUM_THREADS"]) == ("1", "3")
    assert "OMP_NUM_THREADS" not in environment(sweep, "abc", jobs=1)
    assert (several["WANDB_RUN_ID"], several["VAE_ZOO_NAME"]) == ("abc", "grid")
    assert several["WANDB_PROJECT"] == "theirs"
    assert several["PATH"].startswith(str(Path(sys.executable).parent))
    monkeypatch.setenv("SLURM_NTASKS", "1")  # as in a job, of which a trial is no task
    assert "SLURM_NTASKS" not in environment(sweep, "abc", jobs=1)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    assert environment(sweep, "abc", jobs=1)["WANDB_PROJECT"] == "mine"


def test_a_sweep_imports_no_torch():
    heavy = "{'torch', 'lightning', 'wandb'}"
    code = f"import sys; from vae_zoo.sweep import run_sweep; print({heavy} & {{*sys.modules}})"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert said.stdout == "set()\n"
