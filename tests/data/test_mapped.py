"""Files that are too large to be read: examples stay on the disk, and are those of a small file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vae_zoo.data import Files, contents

N = 300
LEVELS = np.random.default_rng(0).integers(256, size=(N, 4, 4), dtype=np.uint8)
ARRAYS = {
    "levels": LEVELS,
    "binary": LEVELS // 128,
    "unit interval": LEVELS / np.float32(256),
    "real": LEVELS.astype(np.float32) - 100,
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Data modules of one file, read and mapped."""

    def make(x, **options):
        np.save(tmp_path / "x.npy", x)
        np.save(tmp_path / "y.npy", np.arange(len(x)) % 3)
        labels = str(tmp_path / "y.npy")
        found = []
        for limit in (2**30, 0):
            monkeypatch.setattr(contents, "MAPPED", limit)
            found.append(Files(tmp_path / "x.npy", labels=labels, batch_size=32, **options))
            _ = found[-1].splits
        return found

    return make


def is_mapped(split):
    """Whether the examples lie where the kernel says that the file is mapped."""
    place = split._x.data_ptr()
    for line in Path("/proc/self/maps").read_text().splitlines():
        low, high = (int(end, 16) for end in line.split()[0].split("-"))
        if low <= place < high:
            return line.endswith("x.npy")
    return False


@pytest.mark.parametrize("name", ARRAYS)
def test_a_mapped_file_gives_the_batches_of_one_that_is_read(files, name):
    small, large = files(ARRAYS[name])
    assert (small.shape, small.support, small.names) == (large.shape, large.support, large.names)
    for one, other in zip(small.splits, large.splits, strict=True):
        assert not is_mapped(one)
        assert is_mapped(other)
        assert len(one) == len(other)
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.y, other.y)
        assert torch.equal(one.cut(3, 9).x, other.cut(3, 9).x)
    for stage in ("train", "val", "test"):
        batches = [list(getattr(data, f"{stage}_dataloader")()) for data in (small, large)]
        for (x, y), (of_file, labels) in zip(*batches, strict=True):
            assert torch.equal(x, of_file)
            assert torch.equal(y, labels)
    assert torch.equal(small.examples(20)[0], large.examples(20)[0])


@pytest.mark.parametrize("binarization", ["dynamic", "static", "threshold"])
def test_what_is_changed_once_is_the_same_of_a_mapped_file(files, binarization):
    small, large = files(LEVELS, binarization=binarization)
    assert is_mapped(large.splits.train) is (binarization == "dynamic")
    for one, other in zip(small.splits, large.splits, strict=True):
        assert torch.equal(one.x, other.x)
    assert torch.equal(small.examples(20)[0], large.examples(20)[0])


@pytest.mark.parametrize("x", [LEVELS.astype(float), np.moveaxis(LEVELS[:, None], 1, 3)])
def test_what_is_stored_otherwise_is_converted_in_memory(files, x):
    small, large = files(x)
    for one, other in zip(small.splits, large.splits, strict=True):
        assert torch.equal(one.x, other.x)
        assert one.x.dtype == other.x.dtype == torch.uint8


def test_a_value_that_is_not_finite_is_found_in_any_piece(files, monkeypatch):
    monkeypatch.setattr("vae_zoo.data.inference.PIECE", 1000)
    x = ARRAYS["real"].copy()
    x[251, 2, 1] = np.nan
    with pytest.raises(ValueError, match="not finite, first in example 251"):
        files(x)


def test_pieces_are_all_looked_at(files, monkeypatch):
    monkeypatch.setattr("vae_zoo.data.inference.PIECE", 1000)
    x = ARRAYS["unit interval"].copy()
    x[299, 3, 3] = 1.5
    small, large = files(x)
    assert small.support == large.support == "real"
