"""A part of the score cards of a group: means over its seeds, or why there are none."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.setting import different, setting_of, words
from vae_zoo.evaluation.score import Score

OWN = {"cost": "epochs"}  # over which one run has an error; examples for all else


class Measured:
    """What the score cards of a group's runs hold of a part.

    Args:
        group: The group; its runs without a score card do not count.
        part: The part's name.
    """

    def __init__(self, group: Group, part: str) -> None:
        self.group, self.part = group, part
        self.cards = [member.card for member in group.members if member.card]
        self.parts = [card.parts[part] for card in self.cards if part in card.parts]

    @cached_property
    def names(self) -> set[str]:
        """Names of all numbers that some run has."""
        return {name for part in self.parts for name in part.scores}

    @cached_property
    def settings(self) -> list[dict[str, Any]]:
        """The settings in which numbers were made that cannot be compared; one, if all is well."""
        found: list[dict[str, Any]] = []
        for card in self.cards:
            part = card.parts.get(self.part)
            if part and part.scores:
                made = setting_of(self.part, part, card)
                if all(different(made, other) for other in found):
                    found.append(made)
        return found

    @property
    def setting(self) -> dict[str, Any]:
        """The setting in which all numbers were made; empty where it was not one."""
        return self.settings[0] if len(self.settings) == 1 else {}

    def scores(self, name: str) -> list[Score]:
        """A number of each run, if all that have a card have it, made in the same setting."""
        found = [part.scores[name] for part in self.parts if name in part.scores]
        return found if len(found) == len(self.cards) and len(self.settings) == 1 else []

    def estimate(self, name: str) -> Estimate | None:
        scores = self.scores(name)
        return Estimate.of_scores(scores) if scores else None

    def why_absent(self, name: str) -> str:
        if not self.cards:
            return f"no score card: {self.group.members[0].why_no_card}"
        if len(self.settings) > 1:
            what = different(self.settings[1], self.settings[0])
            return f"the runs of the group were measured in different settings: {what}"
        for part in self.parts:
            if name not in part.scores and (reason := reason_of(part.absent, name)):
                return reason
        if len(self.parts) < len(self.cards):
            return f"not in every score card: `vae-zoo evaluate RUN` adds {self.part}"
        return "not in every score card of the group"

    @property
    def told(self) -> str:
        """Of what the error is one, and how the numbers were made."""
        count, asked = len(self.cards), len(self.group.members)
        basis = f"± is the standard error over {count} seeds"
        if count == 1:
            basis = f"one seed: ± is its own standard error, over {OWN.get(self.part, 'examples')}"
        if count < asked:
            basis += f" ({asked - count} of {asked} without a score card)"
        return "; ".join(filter(None, [basis, words(self.setting)]))


def reason_of(absent: Mapping[str, Any], name: str) -> str:
    """Why a number is absent, by its name, by that of its kind, or by the whole part's."""
    keys = (name, name.partition("/")[0], "")
    return next((str(absent[key]) for key in keys if absent.get(key)), "")
