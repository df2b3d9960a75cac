"""Settings of the process without which a CPU computes at a fraction of its speed."""

import ctypes
from contextlib import suppress

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def prepare_processor() -> None:
    """Leave subnormal numbers out, and keep freed memory for the next step."""
    torch.set_flush_denormal(True)  # as a model saturates, they would halve its speed
    with suppress(AttributeError, OSError, TypeError):  # of glibc alone
        # Memory freed at the end of a step is wanted in the next: 300 page faults a step, else.
        for option, bytes_ in ((M_MMAP_THRESHOLD, 2**25), (M_TRIM_THRESHOLD, 2**30)):
            ctypes.CDLL(None).mallopt(option, bytes_)
