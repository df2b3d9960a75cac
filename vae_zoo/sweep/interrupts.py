"""Ctrl-C and its kin, noticed between two steps."""

import signal
from types import FrameType
from typing import Self


class Interrupts:
    """Counts Ctrl-C, so that none hits in the middle of a change; SIGTERM and SIGHUP count as two,
    however often a scheduler sends them.

    One asks for no new trials, two for the end of those that run, three for an end at once.
    """

    def __init__(self) -> None:
        self.count = 0
        self.exit_code = 0  # of a program that was so interrupted

    def __enter__(self) -> Self:
        # What is ignored, as under nohup, stays so.
        self._before = {
            number: signal.signal(number, self._notice)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        self.exit_code = 128 + number
        self.count = self.count + 1 if number == signal.SIGINT else max(self.count, 2)
