"""Commands in this process, and the cards that they leave."""

import pytest

from vae_zoo.cli import main
from vae_zoo.scorecard import ScoreCard


def run(*words):
    """Run a command, and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def card(folder, name="scorecard"):
    return ScoreCard.read(folder / f"{name}.json")
