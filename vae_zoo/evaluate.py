"""``vae-zoo evaluate``: the score cards of trained models, made or completed, and shown."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console, Group
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from vae_zoo.arguments import require_samples
from vae_zoo.comparison.configuration import Configuration, differing, short_names, text
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.comparison.reading import title
from vae_zoo.comparison.rounding import Rounding
from vae_zoo.comparison.setting import words
from vae_zoo.data import DataModule, Split
from vae_zoo.evaluation import numbers
from vae_zoo.evaluation.examples import read
from vae_zoo.evaluation.parts import MEASURES, Setting, Subject
from vae_zoo.evaluation.score import Score
from vae_zoo.loggers import log_scores
from vae_zoo.processor import prepare_processor
from vae_zoo.restore import check_finite, checkpoint, restore
from vae_zoo.runs import Run, find_runs
from vae_zoo.scorecard import Part, ScoreCard
from vae_zoo.vae import VAE

ABSENT = "–"
COLUMNS = {  # in lines, for a terminal of 80 columns
    "elbo": "elbo",
    "importance_sampling": "importance\nsampling\n(K={})",
    "effective_samples": "effective\nsamples",
    "prior_samples": "prior\nsamples\n(K={})",
}
Make = Callable[[], tuple[VAE, DataModule]]


def run_evaluation(
    folders: Sequence[Path],
    setting: Setting,
    parts: Sequence[str] | None = None,
    trust: Sequence[str] = (),
) -> int:
    """Complete the score cards of the runs in or below some folders, and print them.

    Args:
        folders: Folders of runs, or folders that hold such folders.
        setting: What is asked for.
        parts: The parts that are asked for; all unless given.
        trust: Modules of one's own that runs may import.

    Returns:
        The exit code: 0 if all runs could be evaluated, else 2.

    Raises:
        ValueError: There is no run, or none that can be evaluated.
    """
    require_samples(setting.samples)
    if setting.examples is not None and setting.examples < 2:
        raise ValueError(f"examples must be at least 2, got {setting.examples}")
    if not (runs := find_runs(folders)):
        where = ", ".join(str(folder) for folder in folders)
        raise ValueError(f"no runs in {where}: a run's folder holds a config.yaml")
    prepare_processor()
    console, cards, failures = Console(), {}, []
    for run in runs:
        try:
            cards[run] = complete(run, setting, parts or [*MEASURES], console, trust)
        except (ValueError, OSError, RuntimeError) as error:
            failures.append(f"{title(run)}: {error}")
    if not cards:
        raise ValueError("; ".join(failures))
    console.print(_table(cards, setting) if len(runs) > 1 else show(*cards.popitem()))
    for failure in failures:
        console.print(Text(f"not evaluated: {failure}", "yellow"))
    return 2 if failures else 0


def complete(
    run: Run,
    setting: Setting,
    parts: Sequence[str],
    console: Console,
    trust: Sequence[str] = (),
    make: Make | None = None,
    log: Callable[[ScoreCard], None] | None = None,
) -> ScoreCard:
    """Measure those parts of a run's score card that are not there yet, writing each at once.

    Args:
        run: The run.
        setting: What is asked for.
        parts: The parts that are asked for.
        console: Where the progress is shown, if it is a terminal.
        trust: Modules of one's own that the run may import.
        make: Makes the model and the data; by default they are restored from the run's folder.
        log: Is given the card, where something was measured; by default it goes to the run on W&B.

    Returns:
        The card.

    Raises:
        FileNotFoundError: The run has no checkpoint, or its data are not there.
        ValueError: It cannot be restored, or evaluated in this setting.
    """
    file, path = run.folder / f"{setting.stem}.json", checkpoint(run)
    model, data = make() if make else _restored(run, trust)
    check_finite(model, path)
    if setting.shuffle_conditions and not model.condition.dim:
        raise ValueError("the model has no condition that could be shuffled")
    card = ScoreCard(
        checkpoint=path.name,
        sha256=_digest(path.read_bytes()),
        split=setting.split,
        examples=_digest(*_contents(getattr(read(model, data), setting.split))),
        conditional=model.condition.dim > 0,
        shuffled_conditions=setting.shuffle_conditions,
    )
    card = _with_known(card, file)
    missing = [part for part in parts if not _there(card, part, setting)]
    if not missing:
        return card
    with _progress(console) as bar:
        task = bar.add_task("", total=len(missing))
        subject = Subject(run, model, data, setting, lambda share: bar.advance(task, share))
        for number, part in enumerate(missing):
            bar.update(task, description=f"{title(run)}: {part}", completed=number)
            measured = subject.measure(part)
            card = _with_known(card, file).with_part(part, measured)
            card.write(file)
    if setting == Setting():
        (log or partial(log_scores, run))(card)
    return card


def _with_known(card: ScoreCard, file: Path) -> ScoreCard:
    """Take the parts that a file has of the same weights and examples, as another process may."""
    try:
        known = ScoreCard.read(file)
    except (OSError, ValueError):
        return card  # none, a damaged one, or another version's: made anew
    same = known._replace(parts={}) == card._replace(parts={})
    return card._replace(parts={**card.parts, **known.parts}) if same else card


def _digest(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()


def _contents(split: Split) -> list[bytes]:
    return [part.numpy().tobytes() for part in split if part is not None]


def _there(card: ScoreCard, part: str, setting: Setting) -> bool:
    return part in card.parts and card.parts[part].asked == setting.asked(part)


def _restored(run: Run, trust: Sequence[str]) -> tuple[VAE, DataModule]:
    model, data = restore(run.folder, trust)
    return (model.cuda() if torch.cuda.is_available() else model), data


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20))
    return Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def show(run: Run, card: ScoreCard) -> Group:
    """Lay out a whole card: each number, what it is, and the setting of each part."""
    whose = ", each under the condition of another" * card.shuffled_conditions
    heading = f"{title(run)}: {card.checkpoint}, {card.split} split{whose}; value ± standard error"
    shown: list[Text | Table] = [Text(heading, "bold")]
    for name, part in card.parts.items():
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


def _table(cards: dict[Run, ScoreCard], setting: Setting) -> Table:
    """Lay out the likelihoods of several runs; the whole cards are for a page."""
    counts = sorted({part.setting.get("n", 0) for card in cards.values() for part in _parts(card)})
    whats = sorted({_what(card) for card in cards.values()})
    shuffled = ", conditions shuffled among the examples" * setting.shuffle_conditions
    heading = (
        f"{' or '.join(whats)} in nats, mean ± standard error over the "
        f"{' or '.join(f'{n:,}' for n in counts)} examples of the {setting.split} split{shuffled}"
    )
    table = Table(title=Text(heading, "dim"), title_justify="left", box=None, pad_edge=False)
    table.add_column("run", overflow="fold")
    for column in COLUMNS.values():
        table.add_column(column.format(setting.samples), justify="right", no_wrap=True)
    named = zip(_names(list(cards)), cards.values(), strict=True)
    for (name, told), card in sorted(named, key=lambda pair: pair[0][1]):  # likes beside likes
        told += [_what(card)] * (len(whats) > 1)
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


def _parts(card: ScoreCard) -> list[Part]:
    return [part for name, part in card.parts.items() if name in ("likelihood", "importance")]


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
