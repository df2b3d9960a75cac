"""Score cards of the runs that are compared, each whole or left out with the reason."""

import hashlib
from zipfile import is_zipfile

from vae_zoo.runs import Run
from vae_zoo.scorecard import ScoreCard

MISSING = "no scorecard.json: `vae-zoo evaluate RUN` makes one"
DAMAGED = "its checkpoint is damaged"
OTHER = "scorecard.json is of another checkpoint: `vae-zoo evaluate RUN` makes it anew"


def read_card(run: Run) -> tuple[ScoreCard | None, str]:
    """Read a run's score card, which must be of its present best.ckpt, if that is there at all.

    Returns:
        The card and no reason, or None and the reason.
    """
    file, path = run.scorecard_file, run.checkpoints / "best.ckpt"
    if not path.is_file():
        path = run.last_checkpoint
    if path.is_file() and not is_zipfile(path):
        return None, DAMAGED
    try:
        card = ScoreCard.read(file)
    except FileNotFoundError:
        return None, MISSING
    except (OSError, ValueError) as error:
        # Without its folder, so that the same reason is the same text.
        reason = str(error).replace(str(file), file.name)
        return None, " ".join(reason.split())[:200]
    if path.is_file():
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != card.sha256:
                return None, OTHER
    return card, ""
