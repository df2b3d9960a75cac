"""The comparison as a table in the terminal, readable at 80 columns."""

import re
import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.configuration import short_names
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.reading import Comparison, title
from vae_zoo.comparison.sections import Section

TERMS = ("elbo", "reconstruction", "kl")
ABSENT = "–"
WIDE = 100  # columns from which names need no folding
NAMED = 10  # runs left out that the terminal names, of each kind
FEW = 3  # runs without a score card that it names, of each reason
BASIS = "test split at best.ckpt, in nats, mean ± standard error over seeds"
INTERVAL = "[95 % interval of one paired difference over seeds; told apart: p < 0.05 after Holm]"
UNJUDGED = "Fewer than 3 seeds in common: no difference can be judged."
APART = "An ELBO depends on the data and the likelihood: compare within a table only."


def show(comparison: Comparison, console: Console) -> None:
    """Print one table for each section with its answer, and the runs that no mean counts."""
    for section, found in zip(comparison.sections, comparison.answers, strict=True):
        console.print()
        console.print(Text(comparison.heading(section), "bold"), Text(BASIS, "dim"), sep="\n")
        console.print()
        console.print(table(section, console.width))
        for note in notes(section):
            console.print(Text(note, "dim"))
        if len(section.groups) > 1:
            _tell(found, console)
    console.print()
    if len(comparison.sections) > 1:
        console.print(Text(APART))
    show_left_out(comparison, console)
    if comparison.without_card:
        console.print(_without_card(comparison))


def show_left_out(comparison: Comparison, console: Console) -> None:
    """Print which runs no mean counts, a line for each kind."""
    for kind, runs in comparison.left_out.items():
        count = f"{len(runs)} run{'s' * (len(runs) > 1)} {kind}: "
        named = [str(run) for run in runs[:NAMED]]
        named += [f"and {len(runs) - NAMED} more"] * (len(runs) > NAMED)
        console.print(Text.assemble((count, "yellow"), ", ".join(named)))


def _tell(found: Answer, console: Console) -> None:
    """Print what each yardstick says."""
    console.print()
    if found.balance:
        console.print(Text(found.balance, "bold"), end="\n\n")
    for name, words in found.lines:
        console.print(Text.assemble((f"{name}: ", "bold"), words))
    if found.judged:
        console.print(Text(INTERVAL, "dim"))
    elif found.too_few:
        console.print(Text(UNJUDGED, "dim"))


def _without_card(comparison: Comparison) -> Text:
    """Say in a line whose score cards are missing, and why."""
    told, count = [], 0
    for reason, runs in comparison.without_card.items():
        count += len(runs)
        named = [title(run) for run in runs[:FEW]]
        named += [f"{len(runs) - FEW} more"] * (len(runs) > FEW)
        told.append(f"{', '.join(named)} ({reason})")
    heading = f"{count} run{'s' * (count > 1)} without a score card: "
    return Text.assemble((heading, "yellow"), "; ".join(told[:FEW] + ["…"] * (len(told) > FEW)))


def table(section: Section, width: int) -> Table:
    """Regularizer, weight, prior, seeds and the three terms; further differences below the name."""
    result = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    result.add_column("regularizer")
    result.add_column("weight", justify="right")
    result.add_column("prior")
    result.add_column("seeds", justify="right")
    for term in TERMS:
        name = term if width >= WIDE else term.replace("reconstruction", "recon-\nstruction")
        result.add_column(name, justify="right", no_wrap=True)
    for group in section.groups:
        result.add_row(*_row(section, group, width))
    return result


def _row(section: Section, group: Group, width: int) -> list[Text]:
    unusual = section.unusual(group)
    unusual.pop("model.prior", None)  # has a column
    names = short_names(list(unusual))
    further = [f"\n{names[key]} {value or ABSENT}" for key, value in unusual.items()]
    estimates = [str(group.estimate(term) or ABSENT) for term in TERMS]
    return [
        Text(_fold(group.configuration.regularizer, width)).append("".join(further), "dim"),
        Text(group.weight or ABSENT),
        Text(_fold(group.configuration.prior, width) or ABSENT),
        Text(str(len(group.members))),
        *(Text(one if width >= WIDE else one.replace(" ± ", "±")) for one in estimates),
    ]


def _fold(name: str, width: int) -> str:
    """Break a long class name between its words, where a terminal would break it anywhere."""
    if width >= WIDE:
        return name
    words = re.sub(r"(?<=[a-z(])(?=[A-Z])", " ", name)
    return "\n".join(line.replace(" ", "") for line in textwrap.wrap(words, 12))


def notes(section: Section) -> list[str]:
    """What a reader must know of single rows and cells."""
    usual = {key: value for key, value in section.usual.items() if key != "model.prior"}
    names = short_names(list(usual))
    said = ", ".join(f"{names[key]} {value}" for key, value in usual.items() if value)
    return [*([f"Unless said otherwise: {said}."] if said else []), *reasons(section)]


def reasons(section: Section) -> list[str]:
    """Why cells are absent or have no error."""
    absent = {
        f"{ABSENT} {group.why_absent(term)}"
        for group in section.groups
        for term in TERMS
        if group.estimate(term) is None
    }
    single = any(len(group.members) == 1 for group in section.groups)
    return [*sorted(absent), *(["One seed gives no standard error."] if single else [])]
