"""Tables in LaTeX, with the rules of booktabs."""

import re
from collections.abc import Iterable

from vae_zoo.comparison.paper_table import PaperTable
from vae_zoo.comparison.table import Cell

PREAMBLE = r"% \usepackage{booktabs}"
SUPERSCRIPTS = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True))
ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    # Right after a row they would be taken for its options.
    **{character: f"{{{character}}}" for character in "[]*"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "…": r"\ldots{}",
    "†": r"\textsuperscript{\dag}",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
    "±": r"$\pm$",
    "−": "$-$",
    "·": r"$\cdot$",
    "‖": r"$\Vert$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≥": r"$\geq$",
    "₂": "$_{2}$",
}
SPECIAL = re.compile(f"[{''.join(SUPERSCRIPTS)}]+|[{re.escape(''.join(ESCAPES))}]")


def latex(tables: list[PaperTable]) -> str:
    """Write tables, which need the package booktabs and an engine that reads UTF-8."""
    return "\n".join([PREAMBLE, *(_table(each) for each in tables)])


def escape(text: str) -> str:
    """Write a text so that LaTeX shows it as it is."""
    return SPECIAL.sub(lambda found: _escaped(found.group()), " ".join(text.split()))


def _escaped(special: str) -> str:
    if special[0] in SUPERSCRIPTS:
        return f"$^{{{''.join(SUPERSCRIPTS[each] for each in special)}}}$"
    return ESCAPES[special]


def _table(table: PaperTable) -> str:
    # Not by pandas, which escapes neither ± nor what follows a row, and formats braces in headings.
    header = _row(escape(column.name) for column in table.columns)
    alignment = "".join("r" if column.number else "l" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{escape(' '.join([table.caption, *table.notes]))}}}",
        f"\\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        header,
        r"\midrule",
        *(_row(map(_cell, row)) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join([*lines, ""])


def _row(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: Cell) -> str:
    shown = escape(cell.text)
    return f"\\textbf{{{shown}}}" if cell.mark == "best" else shown
