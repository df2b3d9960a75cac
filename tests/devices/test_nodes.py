"""Two processes, of one machine or of two nodes, are one run; killed, it goes on as it would have.

Both nodes are this machine: what is between them is what would be between machines.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.runs import Run

pytestmark = pytest.mark.slow

TORCHRUN = str(Path(sys.executable).with_name("torchrun"))
FIT = [
    *("-m", "vae_zoo", "fit", "-c", "base", "--scorecard", "false"),
    *("--trainer.accelerator", "cpu", "--trainer.strategy", "ddp"),
    *("--trainer.max_epochs", "24", "--trainer.limit_train_batches", "6"),
    *("--trainer.accumulate_grad_batches", "2", "--trainer.gradient_clip_val", "1.0"),
    *("--model.regularizer", "FactorVAE", "--model.prior", "VampPrior"),
    *(
        "--data.batch_size",
        "32",
        "--model.encoder.hidden",
        "[16]",
        "--model.decoder.hidden",
        "[16]",
    ),
]
LAST = "runs/*/*/checkpoints/last.ckpt"
# Keeps the names of the files of runs that a process opens for writing.
WITNESS = """
import os
import sys


def hear(event, arguments):
    if event != "open" or not isinstance(arguments[0], str):
        return
    path, _, flags = arguments
    if flags & (os.O_WRONLY | os.O_RDWR) and "/runs/" in os.path.abspath(path):
        with open(heard, "a") as file:
            print(path, file=file)


if "RANK" in os.environ:
    heard = os.path.join(os.environ["HEARD"], "rank" + os.environ["RANK"])
    open(heard, "w").close()
    sys.addaudithook(hear)
"""


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "VAE_ZOO_NAME"))}
    return clean | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"} | more


def only_run(folder):
    [config] = folder.glob("runs/*/*/config.yaml")
    return Run(config.parent)


@pytest.fixture(scope="module")
def of_nodes(tmp_path_factory):
    """The folder in which two nodes of one device each have trained one model, and their output."""
    folder = tmp_path_factory.mktemp("nodes")
    (folder / "sitecustomize.py").write_text(WITNESS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = {"WANDB_RUN_ID": "1f2e3d4c", "PYTHONPATH": str(folder), "HEARD": str(folder)}
    nodes = [
        subprocess.Popen(
            [
                *(TORCHRUN, "--nnodes", "2", "--node-rank", str(node), "--nproc-per-node", "1"),
                *("--master-addr", "127.0.0.1", "--master-port", str(port), *FIT),
                *("--trainer.num_nodes", "2", "--trainer.devices", "1"),
            ],
            cwd=folder,
            env=environment(**one),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(2)
    ]
    told = [node.communicate(timeout=200)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told
    return folder, told


def test_two_nodes_leave_one_run_which_one_process_writes(of_nodes):
    folder, (first, second) = of_nodes
    assert only_run(folder).folder == folder / "runs" / "digits-factorvae" / "1f2e3d4c"
    assert first.count("test split, best.ckpt") == 1
    assert second == ""
    assert "last.ckpt" in (folder / "rank0").read_text()
    assert (folder / "rank1").read_text() == ""


def begin(folder, *words):
    """Start a fit on two devices, and wait until it has trained for an epoch or more."""
    before = [path.stat().st_mtime_ns for path in folder.glob(LAST)]
    begun = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while before == [path.stat().st_mtime_ns for path in folder.glob(LAST)]:
        assert begun.poll() is None
        time.sleep(0.02)
    return begun


def test_a_run_ended_or_killed_on_two_devices_goes_on_to_the_weights_of_two_nodes(
    of_nodes, tmp_path
):
    begun = begin(tmp_path, *FIT, "--trainer.devices", "2")
    begun.terminate()  # of which one of the processes hears
    assert begun.wait(timeout=60) == 128 + signal.SIGTERM
    run = only_run(tmp_path)
    resume = [*FIT[:3], "--resume", str(run.folder)]
    begun = begin(tmp_path, *resume)
    os.killpg(begun.pid, signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL
    assert not run.finished
    subprocess.run([sys.executable, *resume], cwd=tmp_path, env=environment(), check=True)
    found, expected = (
        torch.load(one.last_checkpoint, weights_only=True) for one in (run, only_run(of_nodes[0]))
    )
    for part in ("epoch", "global_step"):
        assert found[part] == expected[part]
    for part in ("state_dict", "optimizer_states", "noise"):
        assert_close(found[part], expected[part], rtol=0, atol=0)
    noise = found["noise"]  # as each process has left it
    assert not torch.equal(noise[0], noise[1])
