"""The digits that come with scikit-learn: they need no download."""

from typing import Literal

import torch

from vae_zoo.data.base import DataModule
from vae_zoo.data.splits import Split, Splits, Support


class Digits(DataModule):
    """scikit-learn's 1797 handwritten digits, 8 x 8, in 1397 / 200 / 200; no download.

    Args:
        batch_size: Number of examples per device and step.
        binarization: ``threshold`` makes a pixel 1 above half of its 16 levels (binary data),
            ``none`` keeps them, as sixteenths (data on the unit interval).
        split_seed: Decides which examples are trained on; nothing else changes it.

    Raises:
        ValueError: There is no such binarization.

    References:
        E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
        Repository, 1998, https://doi.org/10.24432/C50P49 (its test part)
    """

    shape = (1, 8, 8)
    classes = 10

    def __init__(
        self,
        batch_size: int = 64,
        binarization: Literal["threshold", "none"] = "threshold",
        split_seed: int = 0,
    ) -> None:
        super().__init__(batch_size)
        if binarization not in ("threshold", "none"):
            raise ValueError(f"binarization must be threshold or none, got {binarization!r}")
        if split_seed < 0:
            raise ValueError(f"split_seed must be non-negative, got {split_seed}")
        self.support: Support = "binary" if binarization == "threshold" else "unit interval"
        self.split_seed = split_seed

    def load(self) -> Splits:
        # Its import takes longer than all of ours, and the command line imports every data module.
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        x = torch.from_numpy(images).float().reshape(-1, *self.shape)
        x = (x > 8).float() if self.support == "binary" else x / 16
        data = Split(x, torch.from_numpy(labels).long())
        return Splits.at_random(data, val=200, test=200, seed=self.split_seed)
