"""CIFAR-10 from its binary version."""

import io
import tarfile
from pathlib import Path

import numpy as np
import torch

from vae_zoo.data.binarization import GreyData
from vae_zoo.data.download import PublishedFile, data_folder, fetch, read
from vae_zoo.data.splits import Split, Splits

FOLDER = "cifar-10-batches-bin"
ARCHIVE = PublishedFile(
    "cifar-10-binary.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = "test_batch.bin"
IMAGES = 10_000  # of each file
VALIDATION = 5_000  # the last of the 50,000
LABEL, PIXELS = 1, 3 * 32 * 32  # bytes of a record


class CIFAR10(GreyData):
    """CIFAR-10's colour photos of ten things, 3 x 32 x 32, in 45,000 / 5,000 / 10,000.

    Args:
        root: Folder that holds ``cifar-10-batches-bin/data_batch_1.bin`` to ``_5`` and
            ``test_batch.bin``, or ``cifar-10-binary.tar.gz``, or is to hold the latter once it is
            downloaded (170 MB); by default what VAE_ZOO_DATA names, else the user's cache folder
            (~/.cache/vae_zoo).
        batch_size: Number of examples per device and step.
        dequantization: Whether levels become (level + u) / 256, u ~ U(0, 1), anew in each epoch
            (data on the unit interval); otherwise they are 256 levels.

    References:
        A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
        https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
    """

    shape = (3, 32, 32)
    classes = 10

    def __init__(
        self, root: str | Path | None = None, batch_size: int = 128, dequantization: bool = False
    ) -> None:
        super().__init__(batch_size, dequantization=dequantization)
        self.root = data_folder(root)

    @property
    def unpacked(self) -> bool:
        """Whether the user has taken the files out of the archive."""
        return (self.root / FOLDER).is_dir()

    def prepare_data(self) -> None:
        if not self.unpacked:
            fetch(self.root, [ARCHIVE])

    def read(self) -> Splits:
        files = self._files()
        parts = [_parse(*files[name], name) for name in TRAIN]
        train = Split(*(torch.cat(part) for part in zip(*parts, strict=True)))
        border = len(train.x) - VALIDATION
        test = Split(*_parse(*files[TEST], TEST))
        return Splits(train.cut(0, border), train.cut(border, len(train.x)), test)

    def _files(self) -> dict[str, tuple[bytes, Path]]:
        """The content of each file, and where it is from."""
        names = [*TRAIN, TEST]
        if not self.unpacked:
            content = io.BytesIO(read(self.root, ARCHIVE))  # its hash vouches for the rest
            with tarfile.open(fileobj=content) as archive:
                members = {name: archive.extractfile(f"{FOLDER}/{name}") for name in names}
                return {
                    name: (member.read(), self.root / ARCHIVE.path)
                    for name, member in members.items()
                    if member
                }
        folder = self.root / FOLDER
        if absent := [name for name in names if not (folder / name).is_file()]:
            raise FileNotFoundError(
                f"{folder} lacks {', '.join(absent)}: take them out of {ARCHIVE.url} again"
            )
        return {name: ((folder / name).read_bytes(), folder / name) for name in names}


def _parse(content: bytes, path: Path, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Read images and labels from records of a label and three planes of 32 x 32 bytes."""
    size = LABEL + PIXELS
    if len(content) != IMAGES * size:
        raise ValueError(
            f"{path} is no batch of CIFAR-10's binary version: {name} should have {IMAGES} records "
            f"of {size} bytes, got {len(content)} bytes"
        )
    records = torch.tensor(np.frombuffer(content, np.uint8).reshape(-1, size))
    labels = records[:, 0].long()
    if labels.max() > 9:
        raise ValueError(
            f"{path} is no batch of CIFAR-10's binary version: the labels of {name} should be 0 to "
            f"9, got {int(labels.max())}"
        )
    return records[:, LABEL:].reshape(-1, *CIFAR10.shape), labels
