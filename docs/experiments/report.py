"""Where the programs beside this file put what they find: the tables and figures of two pages."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.markdown import escape
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.pictures.chart import render

FOLDER = Path(__file__).parent
PAGES = [FOLDER.with_suffix(".md"), FOLDER.with_name("results.md")]
END = "<!-- end -->"


def run_section(program: Callable[[], None]) -> None:
    """Run the program of a section; what it lacks, such as the runs that it reads, is two lines.

    ``--debug`` shows where an error came from.
    """
    try:
        program()
    except (ValueError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        pages = " or ".join(f"docs/{page.name}" for page in PAGES)
        name = Path(sys.argv[0]).name
        print(f"{name}: error: {error}", file=sys.stderr)
        print(f"{name} is the last command of a section of {pages}", file=sys.stderr)
        sys.exit(2)


def show(name: str, table: pd.DataFrame) -> None:
    """Print a table, and put it into its page, between ``<!-- name -->`` and ``<!-- end -->``.

    Args:
        name: That of the program, and where it has several tables, what this one shows.
        table: Of texts, as `summary` makes them; its index is not shown.

    Raises:
        ValueError: No page has such a place.
    """
    printed = Table(*table.columns, title=name)
    for row in table.itertuples(index=False):
        printed.add_row(*row)
    Console().print(printed)
    rule = ["---", *["---:"] * (len(table.columns) - 1)]
    cells = [map(escape, row) for row in (table.columns, *table.itertuples(index=False))]
    lines = [f"| {' | '.join(row)} |\n" for row in (cells[0], rule, *cells[1:])]
    place = re.compile(rf"(<!-- {name} -->\n).*?({END})", re.DOTALL)
    for page in PAGES:
        text = page.read_text()
        if place.search(text):
            page.write_text(place.sub(lambda found: found[1] + "".join(lines) + found[2], text))
            return
    raise ValueError(f"no page has a place <!-- {name} -->")


def save(name: str, figure: Figure) -> None:
    """Draw a figure into ``name.png``, beside the programs."""
    render(figure).save(FOLDER / f"{name}.png", optimize=True)


def summary(
    runs: pd.DataFrame, by: str | Sequence[str], columns: Mapping[str, str]
) -> pd.DataFrame:
    """Mean ± standard error over the runs of each group: a row a group, in the order of ``by``.

    Args:
        runs: A row a run, as `vae_zoo.compare` gives them.
        by: Columns that name a group, which come first.
        columns: Headings, and what they are the means of.

    Returns:
        Texts; a number that no run of a group has is "–".
    """
    groups = runs.groupby(by, sort=True)
    keys = pd.DataFrame(list(groups.groups), columns=[by] if isinstance(by, str) else list(by))
    table = keys.map(lambda key: f"{key:g}" if isinstance(key, float) else str(key))
    for heading, column in columns.items():
        table[heading] = estimates([runs_of[column].dropna().tolist() for _, runs_of in groups])
    return table


def estimates(values: Sequence[Sequence[float]]) -> list[str]:
    """Write the mean ± standard error of each list, all with the digits that they bear."""
    found = [Estimate.of(each) if each else None for each in values]
    rounding = Rounding.of(each for each in found if each)
    return [rounding.show(each) if each else "–" for each in found]
