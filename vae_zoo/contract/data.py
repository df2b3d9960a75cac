"""What every data module must satisfy."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from math import prod

import torch

from vae_zoo.contract import data_batches as batches
from vae_zoo.contract.data_examples import Data, equal, rows
from vae_zoo.contract.examine import Contract
from vae_zoo.contract.verdict import Verdict
from vae_zoo.data import DataModule
from vae_zoo.data.splits import check_examples, check_labels, check_support

ERRORS = 6
ENOUGH = 14  # examples of a label, where one would be expected


def as_declared(data: Data) -> Verdict:
    """Hold all examples of all splits to what the data module declares."""
    module, count = data.module, 0
    expected = "shape, classes, condition_shape and support as declared, float32, in all splits"
    for name, split in data.splits.items():
        try:
            for x, y in data.seen(name):
                check_examples(name, x, y, module.shape, module.condition_shape)
                check_support(name, x, module.support)
                if x.dtype != torch.float32 or not x.isfinite().all():
                    raise ValueError(f"the {name} examples are {x.dtype}, or not finite")
                count += len(x)
            if not module.condition_shape:
                check_labels(name, split, module.classes)
        except ValueError as error:
            return Verdict(False, str(error), expected)
    sizes = " / ".join(f"{len(split)}" for split in data.splits.values())
    return Verdict(True, f"{sizes} examples: {module}", expected)


def disjoint(data: Data) -> Verdict:
    """Count the examples that two splits share, beside those that occur in one of them twice."""
    expected = f"no more than a split repeats itself, to {ERRORS} standard errors"
    # An example with another label is a leak; one with another condition is another question.
    keyed = bool(data.module.condition_shape)
    keys = {name: rows(x, y if keyed else None) for name, (x, y) in data.splits.items()}
    if not keyed and len(set(keys["train"])) == _possible(data.module):
        figure = f"does not apply: train holds all {_possible(data.module)} examples there are"
        return Verdict(None, figure, expected)
    shared = [_shared(keys[one], keys[other]) for one, other in combinations(keys, 2)]
    names = [f"{other} examples are in {one}" for one, other in combinations(keys, 2)]
    shown = [
        f"{there} of {size} {name}" for (there, size, _), name in zip(shared, names, strict=True)
    ]
    twice = sum(number for number in Counter(keys["train"]).values() if number > 1)
    figure = f"{', '.join(shown)}; {twice} of {len(keys['train'])} are in train twice"
    return Verdict(all(there <= most for there, _, most in shared), figure, expected)


def _shared(one: list[bytes], other: list[bytes]) -> tuple[int, int, float]:
    """How many of the other's examples the one has, of how many, and how many it may have."""
    times, size = Counter(one), len(other)
    natural = sum(number for number in times.values() if number > 1) / len(one)
    chance = (natural * (1 - natural) / size + 1 / size**2) ** 0.5
    return sum(row in times for row in other), size, (natural + ERRORS * chance) * size


def _possible(module: DataModule) -> int:
    """How many different examples there are of its shape, 0 where they are endless."""
    if module.support == "tokens":
        length, vocabulary = module.shape
        return int(vocabulary**length)
    levels = {"binary": 2, "256 levels": 256}.get(module.support, 0)
    return int(levels ** prod(module.shape))


def labels_everywhere(data: Data) -> Verdict:
    """Count the labels of each split."""
    classes = data.module.classes
    expected = "all labels in train, and in val and test where that would take bad luck"
    if not classes:
        return Verdict(None, "does not apply: it has no labels", expected)
    counts = {
        name: torch.bincount(split.y, minlength=classes)
        for name, split in data.splits.items()
        if split.y is not None
    }
    train = counts["train"]
    for name, found in counts.items():
        due = train / train.sum() * found.sum() >= ENOUGH
        lost = (found == 0) & (due | (name == "train"))
        if lost.any():
            labels = ", ".join(str(int(label)) for label in lost.nonzero()[:5])
            return Verdict(False, f"label {labels} is absent in {name}", expected)
    figure = f"{train.min()} to {train.max()} examples of each of {classes} labels in train"
    return Verdict(True, figure, expected)


def same_again(data: Data) -> Verdict:
    """Compare the splits with those of a second construction, under another seed."""
    expected = "the same splits from a second construction, whatever the seed of the run"
    other = data.make(seed=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        splits = other.splits._asdict()
    for name, split in data.splits.items():
        for mine, theirs in zip(split, splits[name], strict=True):
            if not equal(mine, theirs):
                return Verdict(False, f"another {name} split", expected)
    return Verdict(True, "the same", expected)


PROPERTIES: dict[str, Callable[[Data], Verdict]] = {
    "as declared": as_declared,
    "splits are disjoint": disjoint,
    "labels in all splits": labels_everywhere,
    "the same again": same_again,
    "order of the training": batches.order_of_training,
    "evaluated once": batches.evaluated_once,
    "batches of any size": batches.batches_of_any_size,
    "stored examples stay": batches.augmented_apart,
    "examples to start from": batches.examples_to_start_from,
    "picture": batches.picture,
}
check_data = Contract(Data, PROPERTIES, "the data are not what is declared")
