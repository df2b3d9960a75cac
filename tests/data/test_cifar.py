"""CIFAR-10's binary version, on small files of its form."""

import io
import tarfile
from hashlib import sha256

import numpy as np
import pytest
import torch

from vae_zoo.data import CIFAR10, cifar

NAMES = [*cifar.TRAIN, cifar.TEST]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with six files of ten records, and their images and labels."""
    monkeypatch.setattr(cifar, "IMAGES", 10)
    monkeypatch.setattr(cifar, "VALIDATION", 5)
    generator, written = np.random.default_rng(0), {}
    (tmp_path / cifar.FOLDER).mkdir()
    for name in NAMES:
        labels = generator.integers(10, size=10, dtype=np.uint8)
        images = generator.integers(256, size=(10, 3, 32, 32), dtype=np.uint8)
        records = b"".join(
            bytes([label]) + b"".join(plane.tobytes() for plane in image)
            for label, image in zip(labels, images, strict=True)
        )
        (tmp_path / cifar.FOLDER / name).write_bytes(records)
        written[name] = images, labels
    return tmp_path, written


def pack(root, monkeypatch):
    """Turn the folder into the published archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(root / cifar.FOLDER, cifar.FOLDER)
    for name in NAMES:
        (root / cifar.FOLDER / name).unlink()
    (root / cifar.FOLDER).rmdir()
    (root / cifar.ARCHIVE.path).write_bytes(buffer.getvalue())
    digest = sha256(buffer.getvalue()).hexdigest()
    monkeypatch.setattr(cifar, "ARCHIVE", cifar.ARCHIVE._replace(sha256=digest))


@pytest.mark.parametrize("packed", [False, True])
def test_images_and_labels_are_those_of_the_files_packed_or_not(small, packed, monkeypatch):
    root, written = small
    if packed:
        pack(root, monkeypatch)
    data = CIFAR10(root, batch_size=5)
    data.prepare_data()
    data.setup("fit")
    assert data.support == "256 levels"
    assert [len(split.x) for split in data.splits] == [45, 5, 10]
    images = torch.cat([split.x for split in data.splits]).numpy()
    labels = torch.cat([split.y for split in data.splits]).numpy()
    np.testing.assert_array_equal(images, np.concatenate([written[name][0] for name in NAMES]))
    np.testing.assert_array_equal(labels, np.concatenate([written[name][1] for name in NAMES]))


def test_colours_are_dequantized_if_that_is_asked_for(small):
    data = CIFAR10(small[0], batch_size=5, dequantization=True)
    assert data.support == "unit interval"
    levels = (data.splits.test.x * 256).floor().byte().numpy()
    np.testing.assert_array_equal(levels, small[1][cifar.TEST][0])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda content: content[:-1], "10 records of 3073 bytes, got 30729 bytes"),
        (lambda content: content[:-3073], "10 records of 3073 bytes, got 27657 bytes"),
        (lambda content: b"", "got 0 bytes"),
        (lambda content: b"\x0a" + content[1:], "labels of data_batch_3.bin .* 0 to 9, got 10"),
    ],
)
def test_a_file_that_is_cut_off_or_another_is_named(small, harm, message):
    path = small[0] / cifar.FOLDER / "data_batch_3.bin"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ValueError, match=f"data_batch_3.bin is no batch of CIFAR-10.*{message}"):
        CIFAR10(small[0]).setup("fit")


def test_an_absent_file_is_named_with_where_it_can_be_had(small):
    (small[0] / cifar.FOLDER / "test_batch.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks test_batch.bin: .*https://www.cs.toronto"):
        CIFAR10(small[0]).setup("fit")


def test_another_archive_is_corrupt(small, monkeypatch):
    pack(small[0], monkeypatch)
    path = small[0] / cifar.ARCHIVE.path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz is corrupt .* delete it"):
        CIFAR10(small[0]).setup("fit")
