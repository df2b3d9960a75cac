"""The zoo as a list, read from the source: an import of torch would make it wait for seconds.

python -m vae_zoo.catalogue docs/catalogue.md
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FAMILIES = {  # the module of each family, and the class that all its members derive from
    "regularizers": "Regularizer",
    "objectives": "Objective",
    "priors": "Prior",
    "posteriors": "Posterior",
    "likelihoods": "Likelihood",
    "conditions": "Condition",
    "networks": "Network",
    "data": "DataModule",
}


TITLE = """\
# Everything that can be named

Each class by the name that the command line knows, with its formula and its paper, linked to its
packaged config. `vae-zoo list` prints the same; `make pages` writes this page.
"""


class Entry(NamedTuple):
    """One class of the zoo.

    Args:
        family: The module that it is imported from, such as ``regularizers``.
        name: Its name, also on the command line.
        summary: The first line of its docstring.
        source: The first reference of its docstring, or nothing.
    """

    family: str
    name: str
    summary: str
    source: str


def catalogue() -> list[Entry]:
    """List every class that can be named on the command line, family by family."""
    return [entry for family, base in FAMILIES.items() for entry in sorted(_members(family, base))]


def page() -> str:
    """Write the zoo as a page: each class with its formula, its paper and its config."""
    text, entries = TITLE, catalogue()
    for family in FAMILIES:
        text += (
            f"\n## {family.capitalize()}\n\n| class | what it is | source |\n| --- | --- | --- |\n"
        )
        for entry in entries:
            if entry.family == family:
                cells = [c.replace("|", r"\|") for c in (entry.summary, entry.source)]
                text += f"| {' | '.join([_linked(entry), *cells])} |\n"
    return text


def _linked(entry: Entry) -> str:
    """The name of a class, with a link to its packaged config where it has one."""
    folder = entry.family.removesuffix("s")
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", entry.name).lower()
    path = f"configs/{folder}/{stem}.yaml"
    there = (Path(__file__).parent.parent / path).is_file()
    return f"[{entry.name}](../{path})" if there else entry.name


def _members(family: str, base: str) -> Iterator[Entry]:
    root = Path(__file__).parent / family
    files = sorted(root.glob("*.py")) if root.is_dir() else [root.with_suffix(".py")]
    classes = {
        node.name: node
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    for name, node in classes.items():
        if not _abstract(node) and _derives(node, base, classes):
            text = ast.get_docstring(node) or ""
            yield Entry(family, name, text.partition("\n")[0], _source(text))


def _abstract(node: ast.ClassDef) -> bool:
    return any(isinstance(parent, ast.Name) and parent.id == "ABC" for parent in node.bases)


def _derives(node: ast.ClassDef, base: str, classes: dict[str, ast.ClassDef]) -> bool:
    parents = [parent.id for parent in node.bases if isinstance(parent, ast.Name)]
    return base in parents or any(
        _derives(classes[parent], base, classes) for parent in parents if parent in classes
    )


def _source(text: str) -> str:
    """The first reference, up to its year."""
    _, _, references = text.partition("References:\n")
    words = " ".join(references.split())
    first = re.match(r".*?\b(?:19|20)\d\d\b", words)
    return first[0] if first else words


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
