"""OMNIGLOT as autoencoders know it: chardata.mat."""

from pathlib import Path

import numpy as np
import torch

from vae_zoo.data.binarization import Binarization, GreyData
from vae_zoo.data.download import data_folder
from vae_zoo.data.mat import read_mat
from vae_zoo.data.splits import Split, Splits, Support

FILE = "omniglot/chardata.mat"
SOURCE = "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat"
VALIDATION = 1_345  # of the 24,345, as many as Tomczak and Welling (2018) set apart


class Omniglot(GreyData):
    """Handwritten characters of 50 alphabets, 28 x 28, in 23,000 / 1,345 / 8,070.

    The images and the test split of Burda et al.; a label is the alphabet.

    Args:
        root: Folder that holds ``omniglot/chardata.mat``, which you download from
            https://github.com/yburda/iwae; by default what VAE_ZOO_DATA names, else the user's
            cache folder (~/.cache/vae_zoo).
        batch_size: Number of examples per device and step.
        binarization: ``dynamic`` draws every pixel from its grey value, for training anew in each
            epoch, for val and test once and the same in every run; ``static`` draws all of them
            once; ``threshold`` makes a pixel 1 above a half (binary data); ``none`` keeps the grey
            values (data on the unit interval).

    Raises:
        ValueError: There is no such binarization.

    References:
        Y. Burda, R. Grosse and R. Salakhutdinov, Importance Weighted Autoencoders, 2016,
        https://arxiv.org/abs/1509.00519 (the split)
        B. Lake, R. Salakhutdinov and J. Tenenbaum, Human-Level Concept Learning through
        Probabilistic Program Induction, 2015, https://doi.org/10.1126/science.aab3050
        J. Tomczak and M. Welling, VAE with a VampPrior, 2018, https://arxiv.org/abs/1705.07120
    """

    shape = (1, 28, 28)
    classes = 50
    stored: Support = "unit interval"

    def __init__(
        self,
        root: str | Path | None = None,
        batch_size: int = 128,
        binarization: Binarization = "dynamic",
    ) -> None:
        super().__init__(batch_size, binarization)
        self.path = data_folder(root) / FILE

    def read(self) -> Splits:
        arrays = read_mat(
            self.path,
            {
                "data": (784, None),
                "target": (self.classes, None),
                "testdata": (784, None),
                "testtarget": (self.classes, None),
            },
            SOURCE,
        )
        train, test = self._split(*arrays[:2]), self._split(*arrays[2:])
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(train.x)))
        return Splits(train.take(order[:-VALIDATION]), train.take(order[-VALIDATION:]), test)

    def _split(self, images: np.ndarray, alphabets: np.ndarray) -> Split:
        if images.shape[1] != alphabets.shape[1]:
            raise ValueError(
                f"{self.path} should hold as many labels as images, got {alphabets.shape[1]} and "
                f"{images.shape[1]}"
            )
        if not (images >= 0).all() or not (images <= 1).all():
            raise ValueError(f"{self.path} should hold grey values in 0 to 1")
        if not (alphabets.max(axis=0) == 1).all() or not (alphabets.sum(axis=0) == 1).all():
            raise ValueError(f"{self.path} should hold one-hot alphabets")
        # MATLAB stores an image column by column.
        x = torch.from_numpy(images.T.reshape(-1, 1, 28, 28).astype(np.float32)).transpose(2, 3)
        return Split(x.contiguous(), torch.from_numpy(alphabets.argmax(axis=0)).long())
