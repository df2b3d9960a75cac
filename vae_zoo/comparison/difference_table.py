"""How far each group is from the reference, by each yardstick."""

from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.table import Cell
from vae_zoo.comparison.terminal import ABSENT
from vae_zoo.comparison.verdict import Verdict


def difference_rows(found: Answer, labels: list[str]) -> list[tuple[str, list[Cell]]]:
    """A row for each group but the reference, a cell for each yardstick."""
    roundings = [_rounding(verdict) for verdict in found.verdicts]
    return [
        (label, [_cell(*pair, label) for pair in zip(found.verdicts, roundings, strict=True)])
        for label in labels
        if label != found.reference
    ]


def _rounding(verdict: Verdict) -> Rounding:
    return Rounding.of(
        Estimate(each.mean, (each.high - each.low) / 2, each.seeds)
        for each in verdict.differences.values()
    )


def _cell(verdict: Verdict, rounding: Rounding, label: str) -> Cell:
    found = verdict.differences.get(label)
    if found is None:
        return Cell(ABSENT, verdict.reasons.get(label, "no difference can be judged"))
    shown = [rounding.show(Estimate(each, None, 1)) for each in (found.mean, found.low, found.high)]
    sign = "+" if found.mean > 0 else ""
    better = (found.mean > 0) == verdict.yardstick.higher
    hover = f"{found.seeds} seeds in common, p = {found.p:.2g} after Holm: "
    within = f"within the {found.slack:.2g} that the number may be off"
    noise = within if abs(found.mean) <= found.slack else "may be noise"
    hover += ("better" if better else "worse") if found.beyond_noise else noise
    mark = ("better" if better else "worse") if found.beyond_noise else "noise"
    return Cell(f"{sign}{shown[0]} [{shown[1]}, {shown[2]}]", hover, found.mean, mark=mark)
