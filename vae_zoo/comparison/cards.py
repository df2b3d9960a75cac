"""Score cards of the runs that are compared, each whole or left out with the reason."""

from vae_zoo.runs import Run
from vae_zoo.scorecard import ScoreCard

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
    except FileNotFoundError:
        return None, MISSING
    except (OSError, ValueError) as error:
        # Without its folder, so that the same reason is the same text.
        reason = str(error).replace(str(file), file.name)
        return None, " ".join(reason.split())[:200]
    return card, ""
