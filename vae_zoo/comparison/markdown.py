"""Tables in Markdown, as GitHub and most others read them."""

import re

from vae_zoo.comparison.paper_table import PaperTable
from vae_zoo.comparison.table import Cell

SPECIAL = re.compile(r"[\\`*_\[\]<>|~$#&]")


def markdown(tables: list[PaperTable]) -> str:
    """Write tables, each below its caption."""
    return "\n".join(_table(each) for each in tables)


def escape(text: str) -> str:
    """Write a text so that Markdown shows it as it is."""
    return SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def _table(table: PaperTable) -> str:
    # Not by pandas, whose writer (tabulate) leaves a | in a cell as it is.
    header = [escape(column.name) for column in table.columns]
    rule = ["---:" if column.number else ":---" for column in table.columns]
    rows = [header, rule, *([_cell(cell) for cell in row] for row in table.rows)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = escape(" ".join(table.notes))
    return "\n".join([f"**{escape(table.caption)}**", "", *lines, *(["", notes] * bool(notes)), ""])


def _cell(cell: Cell) -> str:
    shown = escape(cell.text)
    return f"**{shown}**" if cell.mark == "best" else shown
