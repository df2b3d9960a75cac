"""The comparison at equal rate: every family where it spends what the reference spends."""

from typing import NamedTuple

from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.families import Family, families
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.paired import BySeed, Difference, against
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.table import Cell
from vae_zoo.comparison.terminal import ABSENT
from vae_zoo.comparison.yardsticks import RATE, Yardstick


class EqualRate(NamedTuple):
    """A table.

    Args:
        rate: Mean rate of the reference, nats.
        yardsticks: The columns after the weight.
        rows: A family's label and its cells.
        reference: The row of the reference.
    """

    rate: float
    yardsticks: list[Yardstick]
    rows: list[tuple[str, list[Cell]]]
    reference: list[Cell]


def equal_rate(section: Section, found: Answer) -> EqualRate | None:
    """Compare families at the reference's rate; None where there is none, or no family."""
    held = next(group for group in section.groups if section.label(group) == found.reference)
    rates = RATE.values(held)
    groups = [each for each in families(section) if held not in each.groups.values()]
    if not rates or not groups:
        return None
    yardsticks = [verdict.yardstick for verdict in found.verdicts]
    own = [each.values(held) for each in yardsticks]
    columns = [
        _column(yardstick, groups, rates, values, held)
        for yardstick, values in zip(yardsticks, own, strict=True)
    ]
    rows = [
        (each.label, [_weight(each, rates), *(column[i] for column in columns)])
        for i, each in enumerate(groups)
    ]
    weight = Cell(held.weight or ABSENT)
    reference = [weight, *(_mean(values) for values in own)]
    return EqualRate(Estimate.of([*rates.values()]).mean, yardsticks, rows, reference)


def _weight(family: Family, rates: BySeed) -> Cell:
    weight = family.weight_at(rates)
    if weight is None:
        return Cell(ABSENT, family.reach)
    if family.ambiguous(rates):
        why = "the rate does not fall steadily, and is met at several weights: the least is taken"
        return Cell(f"{weight:.3g}, the least of several", why, weight)
    return Cell(f"{weight:.3g}", "interpolated", weight)


def _column(
    yardstick: Yardstick, groups: list[Family], rates: BySeed, reference: BySeed, held: Group
) -> list[Cell]:
    reasons = [each.why_not(yardstick, held) for each in groups]
    values = {
        str(i): {} if reasons[i] else each.at_rate(yardstick, rates)
        for i, each in enumerate(groups)
    }
    known = {name: one for name, one in values.items() if one}
    judged = against(known, reference) if reference else {}
    means = [Estimate.of([*one.values()]) for one in known.values()]
    rounding = Rounding.of(means) if means else Rounding(2)
    return [
        _cell(yardstick, values[str(i)], judged.get(str(i)), rounding, reasons[i] or each.reach)
        for i, each in enumerate(groups)
    ]


def _cell(
    yardstick: Yardstick,
    values: BySeed,
    difference: Difference | None,
    rounding: Rounding,
    reason: str,
) -> Cell:
    if not values:
        return Cell(ABSENT, reason)
    mean = Estimate.of([*values.values()])
    if difference is None:
        return Cell(rounding.show(mean), f"{len(values)} seeds: not to be judged", mean.mean)
    mark = "noise"
    if difference.beyond_noise:
        mark = "better" if (difference.mean > 0) == yardstick.higher else "worse"
    hover = f"{difference.mean:+.3g} [{difference.low:.3g}, {difference.high:.3g}] from the "
    hover += f"reference, {difference.seeds} seeds, p = {difference.p:.2g} after Holm"
    return Cell(rounding.show(mean), hover, mean.mean, mark=mark)


def _mean(values: BySeed) -> Cell:
    if not values:
        return Cell(ABSENT, "not every run has it")
    mean = Estimate.of([*values.values()])
    return Cell(Rounding.of([mean]).show(mean), order=mean.mean)
