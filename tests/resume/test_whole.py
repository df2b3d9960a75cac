"""A process that is killed in the middle of a write leaves the checkpoint that was there."""

import os
import signal
import time

import torch

from vae_zoo.checkpoints import WholeCheckpoints, read_checkpoint
from vae_zoo.runs import remove_torn


def test_a_checkpoint_is_whole_whenever_its_writer_is_killed(tmp_path):
    path = tmp_path / "last.ckpt"
    weights = torch.zeros(3_000_000)
    WholeCheckpoints().save_checkpoint({"global_step": 0, "weights": weights}, path)
    torn = 0
    for number in range(30):
        if not (writer := os.fork()):
            step = read_checkpoint(path)["global_step"]
            while True:
                step += 1
                content = {"global_step": step, "weights": weights + step}
                WholeCheckpoints().save_checkpoint(content, path)
        began = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == began:
            time.sleep(0.001)
        time.sleep(number / 1000)
        while not list(tmp_path.glob(".last.ckpt.*")):  # it writes
            pass
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        content = read_checkpoint(path)
        assert (content["weights"] == content["global_step"]).all()
        torn += bool(list(tmp_path.glob(".last.ckpt.*")))
        remove_torn(tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
    assert torn > 10, "the kills should have come in the middle of a write"
