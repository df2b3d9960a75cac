"""A comparison as text for other programs: JSON, CSV, LaTeX, Markdown."""

import json
from typing import Literal, TypeAlias

from vae_zoo.comparison.latex import latex
from vae_zoo.comparison.markdown import markdown
from vae_zoo.comparison.paper_table import paper_tables
from vae_zoo.comparison.reading import Comparison
from vae_zoo.comparison.tidy import rows

Form: TypeAlias = Literal["json", "csv", "latex", "markdown"]


def write_form(comparison: Comparison, form: Form) -> str:
    """Write the runs as rows (JSON, CSV), or a table for each section (LaTeX, Markdown)."""
    if form == "json":
        return json.dumps(rows(comparison), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if form == "csv":
        from vae_zoo.comparison.frame import frame  # imports pandas, for a quarter of a second

        return str(frame(comparison).to_csv(index=False, lineterminator="\n"))
    tables = [*paper_tables(comparison)]
    return latex(tables) if form == "latex" else markdown(tables)
