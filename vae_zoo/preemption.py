"""Whether a scheduler told a run to end, and not whoever stopped it for good."""

import os
import time
from pathlib import Path

VARIABLE = "VAE_ZOO_PREEMPTED"  # names the file that a job makes as soon as it is told to end
PATIENCE = 2.0  # seconds until it is there: all processes of a job are told at once


def preempted() -> bool:
    """Whether the job that a run belongs to was told to end, as ``docs/slurm.sh`` says it."""
    if not (name := os.environ.get(VARIABLE)):
        return False
    until = time.monotonic() + PATIENCE
    while not (there := Path(name).exists()) and time.monotonic() < until:
        time.sleep(0.1)
    return there
