"""``vae-zoo evaluate``: the score cards of trained models, made or completed, and shown."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from vae_zoo.arguments import require_samples
from vae_zoo.checkpoints import check_finite, checkpoint
from vae_zoo.comparison.card_text import LIKELIHOODS, likelihoods, show
from vae_zoo.comparison.reading import title
from vae_zoo.data import DataModule, Split
from vae_zoo.evaluation.examples import read
from vae_zoo.evaluation.parts import MEASURES, measure
from vae_zoo.evaluation.subject import Setting, Subject
from vae_zoo.processor import prepare_processor
from vae_zoo.restore import restore
from vae_zoo.runs import Run, find_runs
from vae_zoo.scorecard import ScoreCard
from vae_zoo.vae import VAE
from vae_zoo.weights_and_biases import log_scores

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
    parts = [part for part in MEASURES if part in parts] if parts else [*MEASURES]
    console, cards, failures = Console(), {}, []
    for run in runs:
        try:
            card = complete(run, setting, parts, console, trust)
        except (ValueError, OSError, RuntimeError) as error:
            failures.append(f"{title(run)}: {error}")
        else:
            cards[run] = card
            failed = {part: why for part, why in card.failed.items() if part in parts}
            failures += [f"{title(run)}: {part} {why}" for part, why in failed.items()]
    if not cards:
        raise ValueError("; ".join(failures))
    if len(runs) > 1 and not set(LIKELIHOODS).isdisjoint(parts):
        console.print(likelihoods(cards, setting.samples))
        console.print(Text("the whole cards: vae-zoo compare", "dim"))
    else:
        for run, card in cards.items():
            console.print(show(run, card, parts))
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
        log: Is given the standard card; by default it goes to the run on W&B, if it is new there.

    Returns:
        The card.

    Raises:
        FileNotFoundError: The run has no checkpoint, or its data are not there.
        ValueError: It cannot be restored, or evaluated in this setting.
    """
    run.check_links()
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
    with _progress(console) as bar:
        task = bar.add_task("", total=len(missing))
        subject = Subject(run, model, data, setting, partial(bar.advance, task))
        for number, part in enumerate(missing):
            bar.update(task, description=f"{title(run)}: {part}", completed=number)
            measured = measure(subject, part)
            card = _with_known(card, file)
            if card.parts.get(part) != measured:
                card = card.with_part(part, measured)
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
    if part == "cost":
        return False  # read anew, since a run may be resumed and have the same best.ckpt after
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
