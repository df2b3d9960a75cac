"""Score cards in the terminal: all of one, or the likelihoods of several."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from vae_zoo.comparison.configuration import Configuration, differing, short_names, text
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.reading import title
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.setting import words
from vae_zoo.evaluation import numbers
from vae_zoo.evaluation.score import Score
from vae_zoo.runs import Run
from vae_zoo.scorecard import ScoreCard

ABSENT = "–"
LIKELIHOODS = ("likelihood", "importance")  # the parts that a table of several runs shows
COLUMNS = {  # in lines, for a terminal of 80 columns
    "elbo": "elbo",
    "importance_sampling": "importance\nsampling\n(K={})",
    "effective_samples": "effective\nsamples",
    "prior_samples": "prior\nsamples\n(K={})",
}


def show(run: Run, card: ScoreCard, parts: Sequence[str]) -> Group:
    """Lay out parts of a card: each number, what it is, and the setting of each part."""
    whose = ", each under the condition of another" * card.shuffled_conditions
    heading = f"{title(run)}: {card.checkpoint}, {card.split} split{whose}; value ± standard error"
    shown: list[Text | Table] = [Text(heading, "bold")]
    for name in parts:
        part = card.parts[name]
        told = part.absent.get("") or words(part.setting)
        shown.append(Text.assemble(("\n" + name, "bold"), (f" · {told}", "dim")))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        columns: tuple[dict[str, Any], ...] = (
            {"min_width": 24},
            {"justify": "right", "no_wrap": True},
            {},
        )
        for column in columns:
            table.add_column(**column)
        for each, score in part.scores.items():
            unit = number.unit if (number := numbers.find(each)) else ""
            table.add_row(Text(numbers.title(each)), _shown(score, unit), unit)
        for each, why in part.absent.items():
            if each:
                table.add_row(Text(numbers.title(each)), ABSENT, Text(why, "dim"))
        shown.append(table)
    return Group(*shown)


def likelihoods(cards: Mapping[Run, ScoreCard], samples: int) -> Table:
    """Lay out the likelihoods of several runs, by K samples; the whole cards are for a page."""
    [card, *_] = cards.values()
    counts = sorted({n for card in cards.values() for n in _counts(card)})
    whats = sorted({_what(card) for card in cards.values()})
    shuffled = ", conditions shuffled among the examples" * card.shuffled_conditions
    heading = (
        f"{' or '.join(whats)} in nats, mean ± standard error over the "
        f"{' or '.join(f'{n:,}' for n in counts)} examples of the {card.split} split{shuffled}"
    )
    table = Table(title=Text(heading, "dim"), title_justify="left", box=None, pad_edge=False)
    table.add_column("run", overflow="fold")
    for column in COLUMNS.values():
        table.add_column(column.format(samples), justify="right", no_wrap=True)
    named = zip(_names(list(cards)), cards.values(), strict=True)
    for (name, told), card in sorted(named, key=lambda pair: pair[0][1]):  # likes beside likes
        told += [_what(card)] * (len(whats) > 1)
        told += [card.checkpoint] * (card.checkpoint != "best.ckpt")
        below = f"\n{', '.join(told)}" * bool(told)
        cells = [
            _shown(card.scores[column], "" if column == "effective_samples" else "nats")
            if column in card.scores
            else ABSENT
            for column in COLUMNS
        ]
        table.add_row(Text(name).append(below, "dim"), *cells)
    return table


def _shown(score: Score, unit: str) -> str:
    estimate = Estimate.of_scores([score])
    rounding = Rounding.of([estimate], least=2 if unit == "nats" else 0)
    return rounding.show(estimate).replace("−", "-")


def _counts(card: ScoreCard) -> list[int]:
    """Numbers of examples that the likelihoods are means over."""
    parts = (card.parts.get(name) for name in LIKELIHOODS)
    return [part.setting["n"] for part in parts if part and part.scores]


def _what(card: ScoreCard) -> str:
    return "log p(x | c)" if card.conditional else "log p(x)"


def _names(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The runs' names, and what tells each from the others of the same data."""
    configurations = [Configuration(run.config) for run in runs]
    data = [configuration.flat["data"] for configuration in configurations]
    names = []
    for run, configuration in zip(runs, configurations, strict=True):
        flat = configuration.flat
        alike = [one for one in configurations if one.flat["data"] == flat["data"]]
        keys = short_names(differing([one.flat for one in alike]))
        words = [f"{keys[key]} {text(flat[key])}" for key in keys if key in flat]
        words += [f"seed {configuration.seed}"] * (len({one.seed for one in alike}) > 1)
        words += [f"data {text(flat['data'])}"] * (len(set(data)) > 1)
        names.append((title(run), words))
    return names
