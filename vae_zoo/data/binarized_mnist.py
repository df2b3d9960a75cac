"""Larochelle's fixed binarization of MNIST, from its published texts or packed into bits."""

import zipfile
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from vae_zoo.data.base import DataModule
from vae_zoo.data.download import PublishedFile, corrupt, data_folder, fetch, read
from vae_zoo.data.splits import Split, Splits, Support

PIXELS = 784
PACKED = "binarized_mnist/binarized_mnist_packed.npz"
FILES = {
    name: PublishedFile(
        f"binarized_mnist/binarized_mnist_{name}.amat",
        f"http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
        f"binarized_mnist_{name}.amat",
        digest,
    )
    for name, digest in {
        "train": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
        "valid": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
        "test": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
    }.items()
}


def from_text(text: bytes) -> np.ndarray:
    """Read rows of 784 digits 0 or 1, each followed by one space or the end of the line."""
    return np.frombuffer(text, np.uint8).reshape(-1, 2 * PIXELS)[:, ::2] - ord("0")


def to_text(pixels: np.ndarray) -> bytes:
    """Write pixels as they were published, byte for byte."""
    text = np.full((len(pixels), 2 * PIXELS), ord(" "), np.uint8)
    text[:, ::2] = pixels + ord("0")
    text[:, -1] = ord("\n")
    return text.tobytes()


class BinarizedMNIST(DataModule):
    """Larochelle's fixed binary MNIST, 28 x 28, in 50,000 / 10,000 / 10,000, without labels.

    The data behind most published log-likelihoods.

    Args:
        root: Folder that holds ``binarized_mnist/binarized_mnist_train.amat``, ``_valid`` and
            ``_test``, or is to hold them once they are downloaded (110 MB), or that holds
            ``binarized_mnist/binarized_mnist_packed.npz`` (arrays train, valid and test of packed
            bits; 8 MB); by default what VAE_ZOO_DATA names, else the user's cache folder
            (~/.cache/vae_zoo).
        batch_size: Number of examples per device and step.

    References:
        H. Larochelle and I. Murray, The Neural Autoregressive Distribution Estimator, 2011,
        https://proceedings.mlr.press/v15/larochelle11a.html
    """

    shape = (1, 28, 28)
    support: Support = "binary"

    def __init__(self, root: str | Path | None = None, batch_size: int = 128) -> None:
        super().__init__(batch_size)
        self.root = data_folder(root)

    def prepare_data(self) -> None:
        if not (self.root / PACKED).exists():
            fetch(self.root, FILES.values())

    def load(self) -> Splits:
        if (self.root / PACKED).exists():
            pixels = _unpack(self.root / PACKED)
        else:
            pixels = {name: from_text(read(self.root, file)) for name, file in FILES.items()}
        return Splits(*(Split(torch.tensor(pixels[name]).view(-1, *self.shape)) for name in FILES))


def _unpack(path: Path) -> dict[str, np.ndarray]:
    """Read the packed bits, which must be those of the published texts.

    Raises:
        ValueError: They are not.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pixels = {name: np.unpackbits(arrays[name], axis=1) for name in FILES}
        intact = {name: sha256(to_text(pixels[name])).hexdigest() for name in FILES}
    # What numpy and zipfile raise for a file that is cut off or is something else.
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise corrupt(path, str(error)) from error
    if wrong := [name for name, file in FILES.items() if intact[name] != file.sha256]:
        raise corrupt(path, f"{', '.join(wrong)} differ from the published images")
    return pixels
