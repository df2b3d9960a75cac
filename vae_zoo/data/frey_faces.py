"""Frey's faces, from the .mat file of Roweis."""

from pathlib import Path

import torch

from vae_zoo.data.binarization import GreyData
from vae_zoo.data.download import data_folder
from vae_zoo.data.mat import read_mat
from vae_zoo.data.splits import Split, Splits

FILE = "frey_faces/frey_rawface.mat"
SOURCE = "https://cs.nyu.edu/~roweis/data/frey_rawface.mat"
VALIDATION = TEST = 200


class FreyFaces(GreyData):
    """One man's face in 1,965 frames of a film, 28 x 20, in 1,565 / 200 / 200, without labels.

    Frames are drawn into splits at random, so that neighbours of a test frame are trained on.

    Args:
        root: Folder that holds ``frey_faces/frey_rawface.mat``, which you download from
            https://cs.nyu.edu/~roweis/data.html; by default what VAE_ZOO_DATA names, else the
            user's cache folder (~/.cache/vae_zoo).
        batch_size: Number of examples per device and step.
        dequantization: Whether levels become (level + u) / 256, u ~ U(0, 1), anew in each epoch
            (data on the unit interval); otherwise they are 256 levels.
        split_seed: Decides which frames are trained on; nothing else changes it.

    Raises:
        ValueError: The seed is negative.

    References:
        S. Roweis and L. Saul, Nonlinear Dimensionality Reduction by Locally Linear Embedding, 2000,
        https://doi.org/10.1126/science.290.5500.2323
    """

    shape = (1, 28, 20)

    def __init__(
        self,
        root: str | Path | None = None,
        batch_size: int = 100,
        dequantization: bool = False,
        split_seed: int = 0,
    ) -> None:
        super().__init__(batch_size, dequantization=dequantization)
        if split_seed < 0:
            raise ValueError(f"split_seed must be non-negative, got {split_seed}")
        self.path = data_folder(root) / FILE
        self.split_seed = split_seed

    def read(self) -> Splits:
        [faces] = read_mat(self.path, {"ff": (560, None)}, SOURCE)
        if faces.dtype.name != "uint8":
            raise ValueError(f"{self.path} should hold levels in bytes, got {faces.dtype}")
        x = torch.tensor(faces.T.reshape(-1, *self.shape))
        return Splits.at_random(Split(x), val=VALIDATION, test=TEST, seed=self.split_seed)
