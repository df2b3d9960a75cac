"""The comparison as one page of HTML that needs nothing else: no network, no other file."""

import json
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import itables.options
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly import graph_objects as go
from plotly.offline import get_plotlyjs

from vae_zoo.comparison import table
from vae_zoo.comparison.answer import Answer
from vae_zoo.comparison.curves import curves
from vae_zoo.comparison.difference_table import difference_rows
from vae_zoo.comparison.equal_rate import equal_rate
from vae_zoo.comparison.families import at_one_weight
from vae_zoo.comparison.groups import Group
from vae_zoo.comparison.multiples import multiples
from vae_zoo.comparison.parallel import parallel
from vae_zoo.comparison.rate_distortion import rate_distortion
from vae_zoo.comparison.reading import Comparison, title
from vae_zoo.comparison.run_table import run_rows
from vae_zoo.comparison.score_table import scores
from vae_zoo.comparison.sections import Section
from vae_zoo.comparison.style import Style, Styles
from vae_zoo.comparison.terminal import reasons
from vae_zoo.comparison.weight_curves import weight_curves
from vae_zoo.runs import Run, replace

PICTURES = {
    "reconstructions": "test examples above their reconstructions",
    "samples": "samples from the prior",
    "traversals": "one dimension of the code changed at a time",
    "interpolations": "from one test example to another",
    "latents": "codes of test examples",
    "grid": "decoded over the quantiles of the prior",
    "density": "q(z) and p(z)",
}
PICTURED = 24  # groups with pictures, or a page would be too large to open
LEGEND = 24  # entries, of which more would leave a plot no room
CURVES = ("elbo", "reconstruction", "kl", "penalty", "loss")
PNG = b"\x89PNG\r\n\x1a\n"


def write(comparison: Comparison, file: Path) -> None:
    """Write the page, whole or not at all."""
    replace(file, render(comparison, file.parent))


def render(comparison: Comparison, folder: Path = Path()) -> str:
    """The page's HTML, of a page in that folder."""
    styles = _styles(comparison)
    environment = Environment(
        loader=PackageLoader("vae_zoo.comparison", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"title": title, "picture": _picture}
    return environment.get_template("page.html").render(
        comparison=comparison,
        styles=styles,
        pictures=PICTURES,
        pictured=PICTURED,
        legend=LEGEND,
        figures=[
            _figures(section, styles, found)
            for section, found in zip(comparison.sections, comparison.answers, strict=True)
        ],
        equal_rate=equal_rate,
        at_one_weight=at_one_weight,
        run_rows=run_rows,
        folder=folder,
        columns=table.columns,
        row=table.row,
        reasons=reasons,
        scores=scores,
        answers=comparison.answers,
        differences=_differences,
        unmeasured=_unmeasured,
        undrawn=_undrawn,
        plotly=get_plotlyjs(),
        **_tables(),
    )


def _styles(comparison: Comparison) -> Styles:
    labels = [section.label(group) for section in comparison.sections for group in section.groups]
    return {label: Style.number(i) for i, label in enumerate(dict.fromkeys(labels))}


def _figures(section: Section, styles: Styles, found: Answer) -> dict[str, Any]:
    """The plots of a section, as the JSON that plotly.js draws."""
    terms = {term: curves(section, styles, term) for term in CURVES}
    single = {
        "plane": rate_distortion(section, styles),
        "multiples": multiples(section, styles, found),
        "parallel": parallel(section, styles, found),
    }
    several = {
        "curves": {term: figure for term, figure in terms.items() if figure},
        "weights": weight_curves(section, found),
    }
    return {
        **{name: figure and _json(figure) for name, figure in single.items()},
        **{name: {k: _json(one) for k, one in each.items()} for name, each in several.items()},
    }


def _differences(found: Answer, section: Section) -> list[tuple[str, list[table.Cell]]]:
    return difference_rows(found, [section.label(group) for group in section.groups])


def _unmeasured(section: Section, term: str) -> str:
    """Name the groups that have no such term on the test split."""
    return _absent(section, [g for g in section.groups if g.estimate(term) is None], term)


def _undrawn(section: Section, term: str) -> str:
    """Name the groups that have no curve."""
    return _absent(section, [group for group in section.groups if not group.curve(term)], term)


def _absent(section: Section, groups: Iterable[Group], term: str) -> str:
    named = [f"{section.label(group)} ({group.why_absent(term)})" for group in groups]
    return f"Not drawn: {', '.join(named)}." if named else ""


def _json(figure: go.Figure) -> Any:
    names = {trace.name for trace in figure.data if trace.showlegend is not False} - {"front"}
    if len(names) > LEGEND:
        figure.update_layout(showlegend=False)
    return json.loads(figure.to_json())


@cache
def _tables() -> dict[str, str]:
    """The table's library: its script as an address that a module can import, its styles."""
    script = Path(itables.options.dt_bundle)
    return {
        "datatables": b64encode(script.read_bytes()).decode(),
        "datatables_css": script.with_suffix(".css").read_text(encoding="utf-8"),
    }


def _picture(run: Run, name: str) -> str | None:
    """A run's picture as an address that holds it, None where there is no PNG."""
    file = run.images / f"{name}.png"
    content = file.read_bytes() if file.is_file() else b""
    return f"data:image/png;base64,{b64encode(content).decode()}" if content[:8] == PNG else None
