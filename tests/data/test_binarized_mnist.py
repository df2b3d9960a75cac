"""Larochelle's binary MNIST, on small files of its two forms and on the real one."""

from hashlib import sha256

import numpy as np
import pytest
import torch

from vae_zoo.data import BinarizedMNIST, binarized_mnist

SIZES = {"train": 30, "valid": 8, "test": 6}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder for files, the pixels that belong into them, and their texts."""
    generator, files, pixels, texts = np.random.default_rng(0), {}, {}, {}
    for name, file in binarized_mnist.FILES.items():
        pixels[name] = generator.integers(2, size=(SIZES[name], 784), dtype=np.uint8)
        rows = (" ".join(str(pixel) for pixel in row) + "\n" for row in pixels[name])
        texts[name] = "".join(rows).encode()
        files[name] = file._replace(sha256=sha256(texts[name]).hexdigest())
    monkeypatch.setattr(binarized_mnist, "FILES", files)
    (tmp_path / "binarized_mnist").mkdir()
    return tmp_path, pixels, texts


def write_texts(root, texts):
    for name, text in texts.items():
        (root / binarized_mnist.FILES[name].path).write_bytes(text)


def write_packed(root, pixels):
    path = root / "binarized_mnist/binarized_mnist_packed.npz"
    np.savez_compressed(path, **{name: np.packbits(x, axis=1) for name, x in pixels.items()})
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_images_are_those_of_the_files_whatever_their_form(small, packed: bool):
    root, pixels, texts = small
    write_packed(root, pixels) if packed else write_texts(root, texts)
    data = BinarizedMNIST(root, batch_size=4)
    data.prepare_data()
    data.setup("fit")
    for split, expected in zip(data.splits, pixels.values(), strict=True):
        assert split.y is None
        assert split.x.flatten(1).tolist() == expected.tolist()
    x, y = next(iter(data.val_dataloader()))
    assert (x.shape, x.dtype, y) == ((4, 1, 28, 28), torch.float32, None)
    assert (data.classes, data.support) == (0, "binary")


def test_a_text_with_one_other_pixel_is_corrupt(small):
    root, _, texts = small
    write_texts(root, texts | {"valid": texts["valid"].replace(b"0", b"1", 1)})
    with pytest.raises(ValueError, match=r"binarized_mnist_valid.amat is corrupt .* delete it"):
        BinarizedMNIST(root, batch_size=5).setup("fit")


def test_packed_images_that_differ_from_the_published_are_corrupt(small):
    root, pixels, _ = small
    write_packed(root, pixels | {"test": 1 - pixels["test"]})
    with pytest.raises(ValueError, match=r"packed.npz is corrupt \(test differ from .* delete it"):
        BinarizedMNIST(root, batch_size=5).setup("fit")


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:300] + bytes(100) + content[400:],
        lambda content: b"",
        lambda content: b"not at all numpy's",
    ],
)
def test_a_broken_packed_file_is_named_and_left_as_it_is(small, harm):
    root, pixels, _ = small
    path = write_packed(root, pixels)
    path.write_bytes(broken := harm(path.read_bytes()))
    with pytest.raises(ValueError, match=r"packed.npz is corrupt .* delete it"):
        BinarizedMNIST(root, batch_size=5).setup("fit")
    assert path.read_bytes() == broken


@pytest.mark.parametrize(
    "arrays",
    [
        {"train": np.zeros((2, 98), np.uint8)},
        {name: np.zeros((2, 98), np.int64) for name in SIZES},
        {name: np.zeros((2, 9), np.uint8) for name in SIZES},
        {name: np.array([{"an": "object"}]) for name in SIZES},
    ],
)
def test_a_packed_file_of_something_else_is_named(small, arrays: dict):
    np.savez(small[0] / "binarized_mnist/binarized_mnist_packed.npz", **arrays)
    with pytest.raises(ValueError, match=r"packed.npz is corrupt"):
        BinarizedMNIST(small[0], batch_size=5).setup("fit")


def test_the_real_file_is_larochelles(real_files):
    data = BinarizedMNIST(real_files)
    data.setup("fit")
    assert [len(split.x) for split in data.splits] == [50_000, 10_000, 10_000]
    assert int(data.splits.train.x.max()) == 1
