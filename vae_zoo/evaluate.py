"""``vae-zoo evaluate``: how likely trained models find data that they have not seen."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from vae_zoo.arguments import require_samples
from vae_zoo.comparison.configuration import Configuration, differing, short_names, text
from vae_zoo.comparison.reading import title
from vae_zoo.data.loaders import Batch
from vae_zoo.evaluation.examples import SplitName, examples, shuffle_conditions
from vae_zoo.evaluation.metrics import ImportanceSampling, PriorSampling, SampledMean
from vae_zoo.evaluation.score import Score
from vae_zoo.posteriors import Deterministic
from vae_zoo.restore import checkpoint, restore
from vae_zoo.runs import Run, find_runs, replace
from vae_zoo.vae import VAE

SEED = 0
ABSENT = "–"
COLUMNS = {  # in lines, for a terminal of 80 columns
    "elbo": "elbo",
    "importance_sampling": "importance\nsampling\n(K={})",
    "effective_samples": "effective\nsamples",
    "prior_samples": "prior\nsamples\n(K={})",
}


class Setting(NamedTuple):
    """What is evaluated, and how."""

    split: SplitName = "test"
    samples: int = 100
    examples: int | None = None
    shuffle_conditions: bool = False

    @property
    def stem(self) -> str:
        """Of the file: a part of the examples must not replace the whole."""
        words = [
            self.split if self.split != "test" else "",
            str(self.examples or ""),
            "shuffled" * self.shuffle_conditions,
        ]
        return "_".join(["evaluation", *filter(None, words)])


def run_evaluation(folders: Sequence[Path], setting: Setting, trust: Sequence[str] = ()) -> int:
    """Evaluate the runs in or below some folders, print a table and write each run's numbers.

    Returns:
        The exit code: 0 if all runs could be evaluated, else 2.

    Raises:
        ValueError: There is no run, or none that can be evaluated.
    """
    require_samples(setting.samples)
    if not (runs := find_runs(folders)):
        where = ", ".join(str(folder) for folder in folders)
        raise ValueError(f"no runs in {where}: a run's folder holds a config.yaml")
    console, rows, failures = Console(), {}, []
    for run in runs:
        try:
            rows[run] = evaluate(run, setting, trust, console.is_terminal)
        except (ValueError, OSError) as error:
            failures.append(f"{title(run)}: {error}")
    if not rows:
        raise ValueError("; ".join(failures))
    console.print(_table(rows, setting))
    for failure in failures:
        console.print(Text(f"not evaluated: {failure}", "yellow"))
    return 2 if failures else 0


def evaluate(run: Run, setting: Setting, trust: Sequence[str], bar: bool) -> dict[str, Any]:
    """Evaluate the best model of a run, and write the numbers into the run's folder.

    Returns:
        What ``evaluation.json`` holds, or ``evaluation_val_100_shuffled.json`` of another setting.

    Raises:
        FileNotFoundError: It has no checkpoint, or its data are not there.
        ValueError: It cannot be restored, or evaluated in this setting.
    """
    model, data = restore(run.folder, trust)
    batch = examples(model, data, setting.split, setting.examples)
    if setting.shuffle_conditions:
        if not model.condition.dim:
            raise ValueError("the model has no condition that could be shuffled")
        batch = shuffle_conditions(batch)
    if torch.cuda.is_available():
        model.cuda()
    found: dict[str, Any] = {
        "split": setting.split,
        "examples": len(batch[0]),
        "samples": setting.samples,
        "seed": SEED,
        "checkpoint": checkpoint(run).name,
        "shuffled_conditions": setting.shuffle_conditions,
        "conditional": model.condition.dim > 0,
    }
    for name, mean in _means(model, batch, setting.samples, title(run) if bar else None).items():
        found[name] = mean._asdict()
    content = json.dumps(found, indent=2, allow_nan=False) + "\n"
    replace(run.folder / f"{setting.stem}.json", content)
    return found


def _means(model: VAE, batch: Batch, samples: int, bar: str | None) -> dict[str, Score]:
    metrics: list[SampledMean] = [PriorSampling(samples, SEED)]
    if not isinstance(model.posterior, Deterministic):
        metrics.insert(0, ImportanceSampling(samples, SEED))
    x, y = batch
    starts = range(0, len(x), 50)
    for start in track(starts, bar or "", disable=bar is None, transient=True):
        part = slice(start, start + 50)
        for metric in metrics:
            metric.update(model, x[part], None if y is None else y[part])
    return {name: mean for metric in metrics for name, mean in metric.compute().items()}


def _table(rows: dict[Run, dict[str, Any]], setting: Setting) -> Table:
    numbers = sorted({row["examples"] for row in rows.values()})
    whats = sorted({_what(row) for row in rows.values()})
    shuffled = ", conditions shuffled among the examples" * setting.shuffle_conditions
    heading = (
        f"{' or '.join(whats)} in nats, mean ± standard error over the "
        f"{' or '.join(f'{n:,}' for n in numbers)} examples of the {setting.split} split{shuffled}"
    )
    table = Table(title=Text(heading, "dim"), title_justify="left", box=None, pad_edge=False)
    table.add_column("run", overflow="fold")
    for column in COLUMNS.values():
        table.add_column(column.format(setting.samples), justify="right", no_wrap=True)
    named = zip(_names(list(rows)), rows.values(), strict=True)
    for (name, words), row in sorted(named, key=lambda pair: pair[0][1]):  # likes beside likes
        words += [_what(row)] * (len(whats) > 1)
        below = f"\n{', '.join(words)}" * bool(words)
        cells = [_cell(column, row.get(column)) for column in COLUMNS]
        table.add_row(Text(name).append(below, "dim"), *cells)
    return table


def _what(row: dict[str, Any]) -> str:
    return "log p(x | c)" if row["conditional"] else "log p(x)"


def _cell(column: str, found: dict[str, Any] | None) -> str:
    if found is None:
        return ABSENT
    return f"{found['value']:.1f}" if column == "effective_samples" else str(Score(**found))


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
