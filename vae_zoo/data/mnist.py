"""MNIST from its four idx files, grey or binarized anew in each epoch."""

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.base import DataModule
from vae_zoo.data.download import PublishedFile, data_folder, fetch, read
from vae_zoo.data.splits import Split, Splits, Support

VALIDATION = 10_000  # the last of the 60,000, as in Larochelle and Murray (2011)
FILES = {
    name: PublishedFile(
        f"MNIST/raw/{name}-ubyte.gz",
        f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}-ubyte.gz",
        sha256,
    )
    for name, sha256 in {
        "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }.items()
}


def parse_idx(content: bytes) -> Tensor:
    """Bytes of an idx file: 0, 0, type, number of dimensions, each as 4 bytes, values."""
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    return torch.tensor(values.reshape(shape))


def binarize(x: Tensor, generator: np.random.Generator) -> Tensor:
    """Draw x ~ Bernoulli(grey / 255), 0 or 1 in bytes, from grey levels in bytes.

    Probabilities are right to 2^-16, since 16 random bits cost half of a uniform float.
    """
    grey = x.numpy()
    u = generator.integers(2**16, size=grey.shape, dtype=np.uint16)
    ones = (u < grey.astype(np.uint16) * 257) | (grey == 255)  # 257 / 2^16 is nearly 1 / 255
    return torch.from_numpy(ones.view(np.uint8))


class MNIST(DataModule):
    """MNIST's handwritten digits, 28 x 28, in 50,000 / 10,000 / 10,000.

    Args:
        root: Folder that holds ``MNIST/raw/train-images-idx3-ubyte.gz`` and its three companions,
            or is to hold them once they are downloaded (11 MB); by default what VAE_ZOO_DATA
            names, else the user's cache folder (~/.cache/vae_zoo).
        batch_size: Number of examples per device and step.
        binarization: ``dynamic`` draws every pixel from its grey level, for training anew in each
            epoch, for val and test once and the same in every run (binary data); ``none`` keeps
            the grey levels (256 levels).

    Raises:
        ValueError: There is no such binarization.

    References:
        Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document
        Recognition, 1998, https://doi.org/10.1109/5.726791
        R. Salakhutdinov and I. Murray, On the Quantitative Analysis of Deep Belief Networks, 2008,
        https://doi.org/10.1145/1390156.1390266 (binary digits drawn from grey levels)
    """

    shape = (1, 28, 28)
    classes = 10

    def __init__(
        self,
        root: str | Path | None = None,
        batch_size: int = 128,
        binarization: Literal["dynamic", "none"] = "dynamic",
    ) -> None:
        super().__init__(batch_size)
        if binarization not in ("dynamic", "none"):
            raise ValueError(f"binarization must be dynamic or none, got {binarization!r}")
        self.root = data_folder(root)
        self.dynamic = binarization == "dynamic"
        self.support: Support = "binary" if self.dynamic else "256 levels"

    def prepare_data(self) -> None:
        fetch(self.root, FILES.values())

    def load(self) -> Splits:
        train, test = self._read("train"), self._read("t10k")
        border = len(train.x) - VALIDATION
        val = train.cut(border, len(train.x))
        if self.dynamic:
            val, test = (
                Split(binarize(split.x, np.random.default_rng(seed)), split.y)
                for seed, split in enumerate((val, test))
            )
        return Splits(train.cut(0, border), val, test)

    def augment(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        return binarize(x, generator) if self.dynamic else x

    def _read(self, part: str) -> Split:
        images, labels = (
            parse_idx(gzip.decompress(read(self.root, FILES[f"{part}-{name}"])))
            for name in ("images-idx3", "labels-idx1")
        )
        return Split(images.unsqueeze(1), labels.long())
