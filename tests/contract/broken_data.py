"""Data modules that break the contract, each in one property."""

import torch

from vae_zoo.data import DataModule, Digits, Split, Splits
from vae_zoo.data.loaders import InOrder, Shuffled


class Grey(Digits):
    """Grey digits, some of which have a value outside of [0, 1] at the end of a split."""

    def __init__(self):
        super().__init__(binarization="none")

    def load(self):
        splits = super().load()
        splits.train.x[-1, 0, 0, 0] = 1.5
        return splits


class NotANumber(Grey):
    support = "real"

    def load(self):
        splits = super().load()
        splits.train.x[-1, 0, 0, 0] = torch.nan
        return splits

    def __init__(self):
        super().__init__()
        self.support = "real"


class ManyLabels(Digits):
    classes = 12


class Leak(Digits):
    """A tenth of the test examples are trained on."""

    def __init__(self):
        super().__init__(binarization="none")

    def load(self):
        train, val, test = super().load()
        train.x[:20], train.y[:20] = test.x[:20], test.y[:20]
        return Splits(train, val, test)


class OtherLabels(Digits):
    """Some test examples are trained on, with another label."""

    def __init__(self):
        super().__init__(binarization="none")

    def load(self):
        train, val, test = super().load()
        train.x[:20], train.y[:20] = test.x[:20], (test.y[:20] + 1) % 10
        return Splits(train, val, test)


class ChosenOnTest(Digits):
    """Has val examples in test."""

    def __init__(self):
        super().__init__(binarization="none")

    def load(self):
        train, val, test = super().load()
        joined = Split(torch.cat([test.x, val.x[:40]]), torch.cat([test.y, val.y[:40]]))
        return Splits(train, val, joined)


class NoNines(Digits):
    """Labels are 0 to 9 in train and 0 to 8 in val."""

    def load(self):
        train, val, test = super().load()
        return Splits(train, Split(val.x, val.y.clamp(max=8)), test)


class SeedOfTheRun(DataModule):
    """Draws other points in each run."""

    shape, support = (2,), "real"

    def load(self):
        return Splits(*(Split(torch.randn(n, 2)) for n in (200, 50, 50)))


class NeverShuffled(Digits):
    def train_dataloader(self):
        return InOrder(self.splits.train, 64, lambda split: self.batch(*split))


class OrderByChance(Digits):
    """A resumed run would see other batches."""

    def train_dataloader(self):
        seed = int(torch.randint(1000, ()))
        return Shuffled(self.splits.train, 64, lambda split, _: self.batch(*split), seed)


class DropsTheLast(Digits):
    def val_dataloader(self):
        split = self.splits.val
        return InOrder(split.cut(0, len(split.x) - 8), 64, lambda split: self.batch(*split))


class TestsOnVal(Digits):
    def test_dataloader(self):
        return self.val_dataloader()


class LabelsBackwards(Digits):
    """Turns the labels of a batch against its examples."""

    def __init__(self):
        super().__init__(batch_size=300)  # more than val has: it is evaluated as it is seen

    def batch(self, x, y):
        x, y = super().batch(x, y)
        return x, y.flip(0)


class CentredOnTheBatch(Digits):
    def __init__(self):
        super().__init__(binarization="none", batch_size=300)
        self.support = "real"

    def picture(self, x, y):
        return None

    def batch(self, x, y):
        x, y = super().batch(x, y)
        return x - x.mean(), y


class ChangesInPlace(Digits):
    """Inverts the first images that it is given, where they are stored."""

    def augment(self, x, generator):
        x[:5] = 1 - x[:5]
        return x


class OtherExamples(Digits):
    def examples(self, n):
        index = torch.randperm(self.size)[:n]
        return self.batch(*self.splits.train.take(index))


class TooFewExamples(Digits):
    def examples(self, n):
        return super().examples(min(n, 5))


class TwoChannels(Digits):
    def picture(self, x, y):
        return x.expand(-1, 2, -1, -1)


class Bright(Digits):
    def picture(self, x, y):
        return 255 * x


class AnotherPicture(Digits):
    def picture(self, x, y):
        return torch.rand_like(x)


BROKEN = {
    Grey: "as declared",
    NotANumber: "as declared",
    Leak: "splits are disjoint",
    OtherLabels: "splits are disjoint",
    ChosenOnTest: "splits are disjoint",
    ManyLabels: "labels in all splits",
    NoNines: "labels in all splits",
    SeedOfTheRun: "the same again",
    NeverShuffled: "order of the training",
    OrderByChance: "order of the training",
    DropsTheLast: "evaluated once",
    TestsOnVal: "evaluated once",
    LabelsBackwards: "batches of any size",
    CentredOnTheBatch: "batches of any size",
    ChangesInPlace: "stored examples stay",
    OtherExamples: "examples to start from",
    TooFewExamples: "examples to start from",
    TwoChannels: "picture",
    Bright: "picture",
    AnotherPicture: "picture",
}
