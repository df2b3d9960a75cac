"""What a runner says of a sweep at its end."""

import shlex
from collections.abc import Callable
from pathlib import Path

from vae_zoo.sweep.agenda import Agenda


def report(
    agenda: Agenda, folder: Path, reason: str, reached: bool, say: Callable[[str], None]
) -> None:
    """Say how many trials came to which end, why it is the end, and what can be done next.

    Args:
        agenda: The trials.
        folder: ``runs/<name>``.
        reason: Why no more trials were started, if for a reason.
        reached: Whether that was the metric's target.
        say: Prints a line.
    """
    finished, failed, stopped = map(agenda.count, ("finished", "failed", "stopped"))
    ends = f"{failed} failed"
    if stopped:
        ends += f", {stopped} stopped early"
    say(f"{finished} of {agenda.total} trials finished, {ends}, in {folder}")
    if reason:
        say(f"stopped: {reason}")
    if agenda.others:
        say(f"{agenda.others} more trials there are of an earlier version of the file")
    if not reached and (agenda.count("waiting") or len(agenda.trials) < agenda.total):
        say("the same command goes on with what is left")
    if failed:
        say("--retry-failed tries again what failed")
    if finished:
        say(f"vae-zoo compare {shlex.quote(str(folder))}")
