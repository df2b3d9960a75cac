"""Which regularizers, posteriors and priors go together, found by trying them.

python -m vae_zoo.compatibility docs/pairs.md
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import vae_zoo.objectives
import vae_zoo.regularizers
from vae_zoo import posteriors, priors
from vae_zoo.catalogue import catalogue
from vae_zoo.conditions import OneHot, Unconditional
from vae_zoo.objectives import Objective, PenalizedLikelihood
from vae_zoo.regularizers import KL, Regularizer
from vae_zoo.vae import VAE

CLASSES = 3
# Of what cannot be made without arguments.
EXAMPLES: dict[str, Callable[[], Regularizer | Objective]] = {
    "Annealed": lambda: vae_zoo.regularizers.Annealed(KL(), steps=2),
    "Capacity": lambda: vae_zoo.regularizers.Capacity(KL(), nats=1.0, steps=2),
    "Cyclical": lambda: vae_zoo.regularizers.Cyclical(KL(), steps=4),
    "FreeBits": lambda: vae_zoo.regularizers.FreeBits(KL(), nats=0.1),
    "GECO": lambda: vae_zoo.objectives.GECO(target=3.0),
    "Sum": lambda: vae_zoo.regularizers.Sum([KL(), vae_zoo.regularizers.MMD()]),
}
TITLE = """\
# Which parts go together

Every regularizer and every objective was tried with each prior, with each posterior, and the
posteriors with the priors; with a condition and without (a prior p(z | c) has one). ✓ trains; a
number is the reason why it is refused, in the words of the program. A wrapper goes with what the
regularizer inside goes with: shown is KL, and KL + MMD for the sum. An objective was tried with KL.
`make pages` writes this page.
"""


class Pair(NamedTuple):
    """One cell of a table: what a model is made of.

    Args:
        family: ``regularizers`` or ``objectives``.
        name: The regularizer or the objective.
        posterior: The family of q(z | x).
        prior: The prior.
    """

    family: str
    name: str
    posterior: str
    prior: str


def make(family: str, name: str) -> Regularizer | Objective:
    """Make a regularizer or an objective with its default options."""
    if name in EXAMPLES:
        return EXAMPLES[name]()
    module = vae_zoo.regularizers if family == "regularizers" else vae_zoo.objectives
    return getattr(module, name)()  # type: ignore[no-any-return]


def models(pair: Pair) -> Iterator[VAE]:
    """Make the models of a pair, with a condition and, where the prior has none, without.

    Raises:
        ValueError: The pair is refused.
    """
    part = make(pair.family, pair.name)
    posterior, prior = getattr(posteriors, pair.posterior), getattr(priors, pair.prior)
    conditional = pair.prior.startswith("Conditional")
    for condition in (OneHot,) if conditional else (Unconditional, OneHot):
        yield VAE(
            (6,),
            2,
            part if isinstance(part, Regularizer) else KL(),
            objective=part if isinstance(part, Objective) else PenalizedLikelihood(),
            posterior=posterior,
            prior=prior,
            condition=condition,
            classes=CLASSES,
        )


def reason(pair: Pair) -> str:
    """Say why a pair is refused, or nothing where it is not."""
    try:
        for _ in models(pair):
            continue
    except ValueError as error:
        return str(error)
    return ""


def names(family: str) -> list[str]:
    """The members of a family."""
    return [entry.name for entry in catalogue() if entry.family == family]


class Table(NamedTuple):
    """One table of the page.

    Args:
        title: What is crossed with what.
        columns: The names above.
        rows: The cells beside each name.
    """

    title: str
    columns: list[str]
    rows: dict[str, list[Pair]]


def tables() -> list[Table]:
    """The zoo, crossed two families at a time."""
    parts = [(family, name) for family in ("regularizers", "objectives") for name in names(family)]
    qs, ps = names("posteriors"), names("priors")
    by_prior = {part[1]: [Pair(*part, "DiagonalNormal", p) for p in ps] for part in parts}
    by_posterior = {part[1]: [Pair(*part, q, "StandardNormal") for q in qs] for part in parts}
    both = {
        f"{q}, {name}": [Pair("regularizers", name, q, p) for p in ps]
        for name in ("KL", "MMD")
        for q in qs
    }
    return [
        Table("Regularizers and objectives with priors, of a DiagonalNormal", ps, by_prior),
        Table("Regularizers and objectives with posteriors, under N(0, I)", qs, by_posterior),
        Table("Posteriors with priors, by KL and by MMD", ps, both),
    ]


def pairs() -> list[Pair]:
    """Every cell of the tables, once."""
    cells = (pair for table in tables() for row in table.rows.values() for pair in row)
    return list(dict.fromkeys(cells))


def page() -> str:
    """Write the tables, with the reasons below them."""
    text, reasons = TITLE, list[str]()
    whys = {pair: reason(pair).replace(f"{pair.name} ", "it ", 1) for pair in pairs()}
    for why in whys.values():
        if why and why not in reasons:
            reasons.append(why)
    cells = {
        pair: f"[{reasons.index(why) + 1}](#reasons)" if why else "✓" for pair, why in whys.items()
    }
    for table in tables():
        rows = [["", *table.columns], ["---"] + [":-:"] * len(table.columns)]
        rows += [[name, *(cells[pair] for pair in row)] for name, row in table.rows.items()]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        text += f"\n## {table.title}\n\n{lines}\n"
    listed = "\n".join(f"{number}. {why}" for number, why in enumerate(reasons, start=1))
    return f"{text}\n## Reasons\n\n{listed}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
