"""Score cards of the runs that are compared, each whole or left out with the reason."""

import math
from collections.abc import Mapping

from vae_zoo.runs import Run
from vae_zoo.scorecard import Part, ScoreCard

MISSING = "no scorecard.json: `vae-zoo evaluate RUN` makes one"


def read_card(run: Run) -> tuple[ScoreCard | None, str]:
    """Read a run's score card.

    Whether it is of the present best.ckpt is not checked: that would mean to read every checkpoint.

    Returns:
        The card and no reason, or None and the reason.
    """
    file = run.scorecard_file
    try:
        card = ScoreCard.read(file)
        for name, part in card.parts.items():
            _check(name, part)
    except FileNotFoundError:
        return None, MISSING
    # A number too large for a float, or a file nested without end, is damage like any other.
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        # Without its folder, so that the same reason is the same text.
        reason = str(error).replace(str(file), file.name)
        return None, " ".join(reason.split())[:200]
    return card, ""


def _check(name: str, part: Part) -> None:
    """Refuse what a table could not show.

    Raises:
        ValueError: A setting or the reasons are no mapping, or an error is no number.
    """
    for mapping in (part.setting, part.absent):
        if not isinstance(mapping, Mapping):
            raise ValueError(f"scorecard.json is no score card: {name} has {mapping!r:.50}")
    for score, (_, error) in part.scores.items():
        if error is not None and not 0 <= error < math.inf:
            raise ValueError(f"scorecard.json is no score card: the error of {score} is {error}")
