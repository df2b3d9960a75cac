"""MNIST from its four idx files."""

from pathlib import Path

from vae_zoo.data.binarization import Binarization, GreyData
from vae_zoo.data.download import PublishedFile, data_folder, fetch, read
from vae_zoo.data.idx import decompress, parse_idx
from vae_zoo.data.splits import Split, Splits

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


class MNIST(GreyData):
    """MNIST's handwritten digits, 28 x 28, in 50,000 / 10,000 / 10,000.

    Args:
        root: Folder that holds ``MNIST/raw/train-images-idx3-ubyte.gz`` and its three companions,
            or is to hold them once they are downloaded (11 MB); by default what VAE_ZOO_DATA
            names, else the user's cache folder (~/.cache/vae_zoo).
        batch_size: Number of examples per device and step.
        binarization: ``dynamic`` draws every pixel from its grey level, for training anew in each
            epoch, for val and test once and the same in every run; ``static`` draws all of them
            once; ``threshold`` makes a pixel 1 above half of its levels (binary data); ``none``
            keeps the grey levels (256 levels).
        dequantization: Whether grey levels become (level + u) / 256, u ~ U(0, 1), anew in each
            epoch (data on the unit interval).

    Raises:
        ValueError: There is no such binarization, or pixels would be dequantized besides.

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
        binarization: Binarization = "dynamic",
        dequantization: bool = False,
    ) -> None:
        super().__init__(batch_size, binarization, dequantization)
        self.root = data_folder(root)

    def prepare_data(self) -> None:
        fetch(self.root, FILES.values())

    def read(self) -> Splits:
        train, test = self._read("train"), self._read("t10k")
        border = len(train.x) - VALIDATION
        return Splits(train.cut(0, border), train.cut(border, len(train.x)), test)

    def _read(self, part: str) -> Split:
        images, labels = (
            parse_idx(decompress(read(self.root, FILES[f"{part}-{name}"])))
            for name in ("images-idx3", "labels-idx1")
        )
        return Split(images.unsqueeze(1), labels.long())
