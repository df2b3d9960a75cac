"""What every data module must satisfy."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_zoo.contract.examine import examine, make_first
from vae_zoo.contract.verdict import Property, Verdict
from vae_zoo.data import DataModule, Split
from vae_zoo.data.loaders import Batch
from vae_zoo.data.splits import check_examples, check_labels, check_support

PART = 1000  # examples at once
ERRORS = 6
ENOUGH = 14  # examples of a label, where one would be expected
NOT_REACHED = Verdict(None, "not reached: the data are not what is declared", "")


class Data:
    """A data module, and another one that is made later, under another seed of the process.

    Args:
        factory: Makes the data module.

    Raises:
        ValueError: It refuses its options.
        OSError: Files are missing.
    """

    def __init__(self, factory: Callable[[], DataModule]) -> None:
        self.factory = factory
        self.module = self.make(seed=0)
        self.module.prepare_data()
        try:
            _ = self.module.splits
        except OSError:
            raise
        except Exception:
            return  # the first property tells it

    def make(self, seed: int) -> DataModule:
        """Make the data module under a seed of the process."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return make_first([self.factory])

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The splits as they are stored."""
        return dict(self.module.splits._asdict())

    def seen(self, name: str) -> Iterator[Batch]:
        """All examples of a split, as models see them."""
        split, generator = self.splits[name], np.random.default_rng(0)
        for start in range(0, len(split.x), PART):
            stop = min(start + PART, len(split.x))
            x, y = split.take(torch.arange(start, stop))
            yield self.module.batch(self.module.augment(x, generator) if name == "train" else x, y)


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
    sizes = " / ".join(f"{len(split.x)}" for split in data.splits.values())
    return Verdict(True, f"{sizes} examples: {module}", expected)


def disjoint(data: Data) -> Verdict:
    """Count the examples of val and test that are in train, beside those that occur in it twice."""
    rows = {name: _rows(split) for name, split in data.splits.items()}
    times = Counter(rows["train"])
    twice = sum(number for number in times.values() if number > 1)
    natural = twice / len(rows["train"])
    holds, shown = True, []
    for name in ("val", "test"):
        there = sum(row in times for row in rows[name])
        size = len(rows[name])
        chance = (natural * (1 - natural) / size + 1 / size**2) ** 0.5
        holds &= there / size <= natural + ERRORS * chance
        shown.append(f"{there} of {size} {name} examples are in train")
    figure = f"{' and '.join(shown)}; {twice} of {len(rows['train'])} are there twice"
    return Verdict(holds, figure, f"no more than train repeats itself, to {ERRORS} standard errors")


def _rows(split: Split) -> list[bytes]:
    """The bytes of each example, with its label or condition."""
    x, y = split
    parts = [part.reshape(len(x), -1).numpy() for part in (x, y) if part is not None]
    return [b"".join(part.tobytes() for part in row) for row in zip(*parts, strict=True)]


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
            if not _equal(mine, theirs):
                return Verdict(False, f"another {name} split", expected)
    return Verdict(True, "the same", expected)


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)


def order_of_training(data: Data) -> Verdict:
    """Compare the batches of an epoch with the same ones, and with those of the next epoch."""
    expected = "the same batches of an epoch each time, others in the next"
    first, again, other = (_epoch(data, epoch) for epoch in (0, 0, 1))
    if not torch.equal(first, again):
        return Verdict(
            False, "others when an epoch is repeated, as a resumed run repeats it", expected
        )
    if torch.equal(first, other):
        return Verdict(False, "the same in the next epoch", expected)
    return Verdict(True, f"compared {len(first)} examples", expected)


def _epoch(data: Data, epoch: int) -> Tensor:
    """The examples of the first batches of an epoch, as Lightning asks for it."""
    loader: Any = data.module.train_dataloader()
    if hasattr(getattr(loader, "sampler", None), "set_epoch"):
        loader.sampler.set_epoch(epoch)
    batches = [x for (x, _), _ in zip(loader, range(10), strict=False)]
    return torch.cat(batches)


def evaluated_once(data: Data) -> Verdict:
    """Compare the batches of an evaluation with the split."""
    expected = "each example of val and test once"
    loaders = {"val": data.module.val_dataloader, "test": data.module.test_dataloader}
    for name, loader in loaders.items():
        batches = Counter(_hashes(loader()))
        stored = Counter(_hashes(data.seen(name)))
        if batches != stored:
            lost, more = (stored - batches).total(), (batches - stored).total()
            figure = f"{name}: {lost} examples are left out, {more} are too many"
            return Verdict(False, figure, expected)
    return Verdict(True, "each once", expected)


def _hashes(batches: Any) -> list[int]:
    return [hash(row) for x, y in batches for row in _rows(Split(x, y))]


def augmented_apart(data: Data) -> Verdict:
    """Look whether what is stored stays as it was, after an epoch and some examples."""
    expected = "the stored examples as they were, after augmented batches"
    before = [
        tensor.clone() for split in data.splits.values() for tensor in split if tensor is not None
    ]
    generator = np.random.default_rng(0)
    x, y = data.splits["train"].cut(0, PART)
    data.module.batch(data.module.augment(x, generator), y)
    data.module.examples(10)
    after = [tensor for split in data.splits.values() for tensor in split if tensor is not None]
    same = all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    return Verdict(same, "as they were" if same else "changed in place", expected)


def examples_to_start_from(data: Data) -> Verdict:
    """Take training examples, as pictures and priors do."""
    expected = "n examples of the shape, the same each time, or all if there are fewer"
    module = data.module
    first, again = module.examples(7), module.examples(7)
    if not all(_equal(one, other) for one, other in zip(first, again, strict=True)):
        return Verdict(False, "others each time", expected)
    counts = [len(module.examples(n)[0]) for n in (1, 7, module.size + 1)]
    right = counts == [1, min(7, module.size), module.size]
    right &= tuple(first[0].shape[1:]) == tuple(module.shape)
    return Verdict(
        right, f"{', '.join(map(str, counts))} of shape {tuple(first[0].shape[1:])}", expected
    )


def picture(data: Data) -> Verdict:
    """Look at some examples as images."""
    expected = "images (N, 1 or 3, H, W) with values in [0, 1]"
    x, y = data.module.examples(4)
    shown = data.module.picture(x, y)
    if shown is None:
        return Verdict(None, "does not apply: it shows none", expected)
    low, high = (bound.item() for bound in shown.aminmax())
    right = shown.dim() == 4 and len(shown) == len(x) and shown.shape[1] in (1, 3)
    figure = f"shape {tuple(shown.shape)}, from {low:.3g} to {high:.3g}"
    return Verdict(right and low >= 0 and high <= 1, figure, expected)


PROPERTIES: dict[str, Callable[[Data], Verdict]] = {
    "as declared": as_declared,
    "splits are disjoint": disjoint,
    "labels in all splits": labels_everywhere,
    "the same again": same_again,
    "order of the training": order_of_training,
    "evaluated once": evaluated_once,
    "stored examples stay": augmented_apart,
    "examples to start from": examples_to_start_from,
    "picture": picture,
}


def check_data(factory: Callable[[], DataModule]) -> list[Property]:
    """Hold a data module to the contract.

    Args:
        factory: The class, or a ``functools.partial`` of it that gives its options.

    Returns:
        The properties; one fails whose ``holds`` is False.

    Raises:
        ValueError: It refuses its options.
        OSError: Files are missing.
    """
    return examine(PROPERTIES, Data(factory), NOT_REACHED)
