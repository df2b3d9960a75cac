"""Images in idx files, on small ones of one's own and on MNIST's."""

import gzip

import numpy as np
import pytest
import torch

from vae_zoo.data import IDX, MNIST
from vae_zoo.data.idx import parse_idx

NAMES = {
    "train-images-idx3-ubyte": (30, 6, 5),
    "train-labels-idx1-ubyte": (30,),
    "t10k-images-idx3-ubyte": (8, 6, 5),
    "t10k-labels-idx1-ubyte": (8,),
}


def idx(values, kind=8):
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, kind, values.ndim]) + sizes + values.tobytes()


@pytest.fixture
def folder(tmp_path):
    """Files of four classes, and what was written into them."""
    generator, written = np.random.default_rng(0), {}
    for name, shape in NAMES.items():
        high = 4 if "labels" in name else 256
        written[name] = generator.integers(high, size=shape, dtype=np.uint8)
        (tmp_path / name).write_bytes(idx(written[name]))
    return tmp_path, written


@pytest.mark.parametrize("packed", [False, True])
def test_images_and_labels_are_those_of_the_files_packed_or_not(folder, packed):
    path, written = folder
    if packed:
        for name in NAMES:
            (path / f"{name}.gz").write_bytes(gzip.compress((path / name).read_bytes()))
            (path / name).unlink()
    data = IDX(path, val=10)
    assert (data.shape, data.classes, data.support) == ((1, 6, 5), 4, "256 levels")
    images, labels = written["train-images-idx3-ubyte"], written["train-labels-idx1-ubyte"]
    expected = [
        (images[:20], labels[:20]),
        (images[20:], labels[20:]),
        (written["t10k-images-idx3-ubyte"], written["t10k-labels-idx1-ubyte"]),
    ]
    for split, (x, y) in zip(data.splits, expected, strict=True):
        assert split.x.squeeze(1).tolist() == x.tolist()
        assert split.y.tolist() == y.tolist()


def test_idx_images_are_binarized_or_dequantized(folder):
    assert IDX(folder[0], 5, "static", val=10).splits.train.x.unique().tolist() == [0, 1]
    data = IDX(folder[0], 5, dequantization=True, val=10)
    assert data.splits.test.x.dtype == torch.float32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with two zeros"),
        (b"\0\0", "begins with two zeros"),
        (b"\x89PNG....", "begins with two zeros"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 1]) + bytes(4), "unsigned bytes, 8, got 13"),
        (bytes([0, 0, 8, 0]), "header of 0 dimensions is cut off"),
        (bytes([0, 0, 8, 3, 0, 0, 0, 1]), "header of 3 dimensions is cut off"),
        (idx(np.zeros((2, 3), np.uint8))[:-1], "header says 2 x 3 values, got 5"),
        (idx(np.zeros((2, 3), np.uint8)) + b"\0", "header says 2 x 3 values, got 7"),
        (bytes([0, 0, 8, 2, *[255] * 8]), "header says 4294967295 x 4294967295 values, got 0"),
        (b"\x1f\x8bnot at all", "gzip is broken"),
        (gzip.compress(idx(np.zeros(99, np.uint8)), mtime=0)[:-12], "gzip is broken"),
    ],
)
def test_what_is_no_idx_file_is_named(folder, content, message):
    path = folder[0] / "t10k-labels-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"t10k-labels-idx1-ubyte is no idx file .*{message}"):
        IDX(folder[0], val=10).setup("fit")


def test_files_that_do_not_belong_together_are_refused(folder):
    path, written = folder
    with pytest.raises(ValueError, match=r"val must leave some of 30 images .* got 30"):
        IDX(path, val=30).setup("fit")
    (path / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((8, 5, 5), np.uint8)))
    with pytest.raises(ValueError, match=r"of one size, got \(6, 5\) and \(5, 5\)"):
        IDX(path, val=10).setup("fit")
    (path / "t10k-images-idx3-ubyte").write_bytes(idx(written["t10k-labels-idx1-ubyte"]))
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte must have 3 dimensions, got 1"):
        IDX(path, val=10).setup("fit")
    (path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(29, np.uint8)))
    with pytest.raises(ValueError, match="as many labels as images, and some, got 29 and 30"):
        IDX(path, val=10).setup("fit")
    (path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks train-labels-idx1-ubyte, or .*\.gz"):
        IDX(path, val=10).setup("fit")


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="val must be at least 1, got 0"):
        IDX("nowhere", val=0)
    with pytest.raises(ValueError, match="binarization must be one of"):
        IDX("nowhere", binarization="grey")


def test_the_four_files_of_mnist_are_mnist(real_files):
    data, known = IDX(real_files / "MNIST/raw"), MNIST(real_files, binarization="none")
    assert (data.shape, data.classes) == (known.shape, known.classes)
    for split, expected in zip(data.splits, known.splits, strict=True):
        assert torch.equal(split.x, expected.x)
        assert torch.equal(split.y, expected.y)


def test_values_lie_in_the_order_of_the_file():
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert torch.equal(parse_idx(idx(values)), torch.from_numpy(values))
