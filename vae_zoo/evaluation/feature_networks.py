"""The networks of features: a small classifier without its last layer, or a projection."""

import math
from collections.abc import Iterator, Sequence
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from torch.optim.lr_scheduler import OneCycleLR

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch, Shuffled
from vae_zoo.data.splits import Split

ROWS = 1000  # examples at once
CLASSIFIER, COMPONENTS = 32, 64  # features; of components there are fewer in fewer dimensions
HIDDEN, CHANNELS = 128, (8, 32, 64)
STEPS, EPOCHS, BATCH, RATE = 1000, 40, 128, 1e-2  # of the training, which ends by the first


def make_network(shape: Sequence[int], classes: int, features: int) -> nn.Module:
    """Make what maps examples ``(N, *shape)`` to features ``(N, F)``, with weights of no training.

    Images of 8 x 8 or more are convolved, other data with labels go through one hidden layer, and
    data with no labels to tell apart are projected.
    """
    dimensions = math.prod(shape)
    if classes < 2:
        return nn.Sequential(nn.Flatten(), nn.Linear(dimensions, features, bias=False))
    if len(shape) == 3 and min(shape[1:]) >= 8:
        return nn.Sequential(*_convolutions(shape, features))
    standardized = nn.BatchNorm1d(dimensions, affine=False, momentum=None)
    hidden = (nn.Linear(dimensions, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, features))
    return nn.Sequential(nn.Flatten(), standardized, *hidden)


def _convolutions(shape: Sequence[int], features: int) -> Iterator[nn.Module]:
    channels, height, width = shape
    yield nn.BatchNorm2d(channels, affine=False, momentum=None)  # standardizes what is read
    for number in count():
        if max(height, width) < 8:
            break
        last, channels = channels, CHANNELS[min(number, len(CHANNELS) - 1)]
        # A pool finds an edge wherever it lies, and a stride but where its filters look.
        yield nn.Conv2d(last, channels, kernel_size=3, padding=1)
        yield nn.MaxPool2d(2, ceil_mode=True)
        yield nn.ReLU()
        height, width = (height + 1) // 2, (width + 1) // 2
    yield nn.Flatten()
    yield nn.Linear(channels * height * width, features)


def train_classifier(data: DataModule) -> tuple[nn.Module, float]:
    """Train a classifier on the train split.

    Returns:
        The network of its last hidden layer, before the ReLU, and the share of the labels of the
        test split that the classifier finds.
    """
    network = make_network(data.shape, data.classes, CLASSIFIER)
    classifier = nn.Sequential(network, nn.ReLU(), nn.Linear(CLASSIFIER, data.classes))
    batches = _endless(data)
    steps = min(STEPS, EPOCHS * -(-data.size // BATCH))
    optimizer = torch.optim.Adam(classifier.parameters(), RATE)
    schedule = OneCycleLR(optimizer, RATE, total_steps=steps)
    for x, y in islice(batches, steps):
        optimizer.zero_grad()
        cross_entropy(classifier(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network, _accuracy(classifier.eval(), data)


def _endless(data: DataModule) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches to train on, epoch after epoch, always the same."""

    def prepare(split: Split, generator: np.random.Generator) -> Batch:
        return data.batch(data.augment(split.x, generator), split.y)

    # The data module's own loader follows the seed of the process.
    batches = Shuffled(data.splits.train, min(BATCH, data.size), prepare, seed=0)
    for epoch in count():
        batches.set_epoch(epoch)
        for x, y in batches:
            assert y is not None  # since there are classes
            yield x, y


@torch.no_grad()
def _accuracy(classifier: nn.Module, data: DataModule) -> float:
    right, test = 0, data.splits.test
    for start in range(0, len(test.x), ROWS):
        x, y = data.batch(*test.cut(start, start + ROWS))
        right += int((classifier(x).argmax(1) == y).sum())
    return right / len(test.x)


@torch.no_grad()
def principal_components(x: Tensor) -> tuple[nn.Module, float]:
    """Find the directions of the largest variance, at most 64 of them.

    Args:
        x: Examples ``(N, *X)``.

    Returns:
        The projection on them, and the share of the variance that they hold.
    """
    rows = x.flatten(1).double()
    rows = rows - rows.mean(0)
    n, dimensions = rows.shape
    # The eigenvectors of XᵀX, or those of XXᵀ where that is the smaller matrix.
    values, vectors = torch.linalg.eigh(rows.T @ rows if dimensions <= n else rows @ rows.T)
    number = min(COMPONENTS, max(1, int((values > 1e-12 * values[-1]).sum())))
    directions = vectors[:, -number:].flip(1)
    directions = normalize(directions if dimensions <= n else rows.T @ directions, dim=0)
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    directions = directions * torch.where(largest < 0, -1.0, 1.0)  # either sign would do
    network = make_network(x.shape[1:], 0, number)
    network[1].weight.copy_(directions.T)  # type: ignore[index]
    total = float(values.sum())
    return network, float(values[-number:].sum()) / total if total else 1.0
