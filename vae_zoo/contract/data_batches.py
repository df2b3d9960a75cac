"""Whether a data module makes the batches, examples and pictures that it should."""

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_zoo.contract.data_examples import PART, Data, equal, rows
from vae_zoo.contract.verdict import Verdict
from vae_zoo.data import Split


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
    return [hash(row) for x, y in batches for row in rows(x, y)]


def batches_of_any_size(data: Data) -> Verdict:
    """Compare a batch of several examples with two smaller ones of the same."""
    expected = "x and y of an example the same, whatever others are in the batch"
    for name, split in data.splits.items():
        size = min(len(split), PART)
        x, y = split.take(torch.randperm(len(split))[:size])
        if name == "train":
            x = data.module.augment(x, np.random.default_rng(0))
        stored = Split(x, y)
        parts = [stored.cut(0, 1), stored.cut(1, size)] if size > 1 else [stored]
        found = zip(*(data.module.batch(*part) for part in parts), strict=True)
        for what, whole, pieces in zip("xy", data.module.batch(x, y), found, strict=True):
            if whole is not None and not torch.allclose(whole, torch.cat([*pieces]), atol=1e-5):
                return Verdict(False, f"another {what} in {name}", expected)
    return Verdict(True, "the same", expected)


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
    if not all(equal(one, other) for one, other in zip(first, again, strict=True)):
        return Verdict(False, "others each time", expected)
    counts = [len(module.examples(n)[0]) for n in (1, 7, module.size + 1)]
    right = counts == [1, min(7, module.size), module.size]
    right &= tuple(first[0].shape[1:]) == tuple(module.shape)
    return Verdict(
        right, f"{', '.join(map(str, counts))} of shape {tuple(first[0].shape[1:])}", expected
    )


def picture(data: Data) -> Verdict:
    """Look at some examples as images."""
    expected = "images (N, 1 or 3, H, W) with values in [0, 1], the same each time"
    x, y = data.module.examples(4)
    shown, again = data.module.picture(x, y), data.module.picture(x, y)
    if not equal(shown, again):
        return Verdict(False, "another picture each time", expected)
    if shown is None:
        return Verdict(None, "does not apply: it shows none", expected)
    low, high = (bound.item() for bound in shown.aminmax())
    right = shown.dim() == 4 and len(shown) == len(x) and shown.shape[1] in (1, 3)
    figure = f"shape {tuple(shown.shape)}, from {low:.3g} to {high:.3g}"
    return Verdict(right and low >= 0 and high <= 1, figure, expected)
