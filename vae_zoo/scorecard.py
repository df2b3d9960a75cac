"""A run's score card, ``scorecard.json`` in its folder: what compares runs, whatever trained them.

Comparisons read it, so nothing here imports torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from vae_zoo.evaluation.score import Score
from vae_zoo.runs import replace

VERSION = 1  # of the file; another's numbers may mean something else
DAMAGE = (  # as of a torn file, numbers of 400 digits, or one nested without end
    KeyError,
    TypeError,
    AttributeError,
    UnicodeDecodeError,
    json.JSONDecodeError,
    OverflowError,
    RecursionError,
)


class Part(NamedTuple):
    """Numbers that were made together.

    Args:
        setting: What they were made with: n examples, the seed, K samples, the kernel, …
        scores: The numbers, by name, as ``elbo`` or ``fid/samples``; what is undefined is absent.
        absent: Why, by name, or one reason under ``""`` for all that the part lacks.
        asked: What was asked for: where the same is asked again, nothing is computed.
    """

    setting: Mapping[str, Any]
    scores: Mapping[str, Score]
    absent: Mapping[str, str]
    asked: Mapping[str, Any]

    @classmethod
    def failure(cls, reason: str) -> Self:
        """What is left of a part that failed: it was asked for nothing, and so is made anew."""
        return cls({}, {}, {"": f"failed: {reason}"}, {})


class ScoreCard(NamedTuple):
    """The numbers of one checkpoint on one split.

    Args:
        checkpoint: Name of its file.
        sha256: Of the file's content.
        split: On which the numbers were made.
        conditional: Whether likelihoods are of p(x | c).
        shuffled_conditions: Whether examples had the conditions of others.
        examples: The SHA-256 of the split's examples.
        parts: By name, in the order of ``numbers.PARTS``.
    """

    checkpoint: str
    sha256: str
    split: str
    conditional: bool = False
    shuffled_conditions: bool = False
    examples: str = ""
    parts: Mapping[str, Part] = {}

    @property
    def scores(self) -> dict[str, Score]:
        """All numbers, by name."""
        return {name: one for part in self.parts.values() for name, one in part.scores.items()}

    @property
    def failed(self) -> dict[str, str]:
        """Why parts failed, by their names."""
        return {name: part.absent[""] for name, part in self.parts.items() if not part.asked}

    def with_part(self, name: str, part: Part) -> Self:
        """Add a part, or replace it."""
        return self._replace(parts={**self.parts, name: part})

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a card.

        Raises:
            OSError: There is no such file, or it cannot be read.
            ValueError: It is no score card of this version.
        """
        try:
            content = json.loads(file.read_text())
            version = content.pop("version")
            if version != VERSION:
                raise ValueError(
                    f"{file} is of version {version}, and this is a vae_zoo of version {VERSION}: "
                    "delete it, and `vae-zoo evaluate` makes it anew"
                )
            parts = {name: _part(part) for name, part in content.pop("parts").items()}
            return cls(**content, parts=parts)
        except DAMAGE as error:
            reason = " ".join(str(error).split())[:100]
            raise ValueError(f"{file} is no score card: {reason}") from error

    def write(self, file: Path) -> None:
        """Write it, whole or not at all."""
        content = {"version": VERSION, **self._asdict()}
        content["parts"] = {
            name: part._asdict() | {"scores": {n: s._asdict() for n, s in part.scores.items()}}
            for name, part in self.parts.items()
        }
        replace(file, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _part(content: dict[str, Any]) -> Part:
    scores = {str(name): _score(one) for name, one in content.pop("scores").items()}
    for kept in ("setting", "absent", "asked"):
        if not isinstance(content[kept], dict):
            raise TypeError(f"{kept} is {content[kept]!r:.50}")
    return Part(**content, scores=scores)


def _score(content: dict[str, Any]) -> Score:
    value, error = float(content["value"]), content["standard_error"]
    score = Score(value, None if error is None else float(error))
    if not score.finite or (score.standard_error or 0.0) < 0:
        raise TypeError(f"a number is {value} ± {error}")
    return score
