"""Data modules that keep the contract, though they are unlike those of the zoo."""

import torch

from vae_zoo.data import DataModule, Split, Splits


class AllThereIs(DataModule):
    """Has all of eight examples in each split."""

    shape, support = (3,), "binary"

    def __init__(self):
        super().__init__(batch_size=4)

    def load(self):
        x = torch.cartesian_prod(*[torch.tensor([0.0, 1])] * 3)
        return Splits(Split(x), Split(x), Split(x))


class TwicePerSplit(DataModule):
    """Draws numbers of few, as val and train do."""

    shape, support = (2,), "real"

    def load(self):
        generator = torch.Generator().manual_seed(0)
        x = torch.randint(20, (600, 2), generator=generator).float()
        return Splits.at_random(Split(x), 100, 100, seed=0)


RIGHT = [AllThereIs, TwicePerSplit]
