"""MNIST, on four small files of its form and on the real ones."""

import gzip
from hashlib import sha256

import numpy as np
import pytest
import torch

from vae_zoo.data import MNIST, Split, mnist
from vae_zoo.data.binarization import binarize

SIZES = {"train": 60, "t10k": 12}


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes())


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Random files of MNIST's form, and what was written into them."""
    generator, written, files = np.random.default_rng(0), {}, {}
    for name, file in mnist.FILES.items():
        part, images = name.split("-")[0], "images" in name
        shape = (SIZES[part], 28, 28) if images else (SIZES[part],)
        written[name] = generator.integers(256 if images else 10, size=shape, dtype=np.uint8)
        path, content = tmp_path / file.path, idx(written[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files[name] = file._replace(sha256=sha256(content).hexdigest())
    monkeypatch.setattr(mnist, "FILES", files)
    monkeypatch.setattr(mnist, "VALIDATION", 10)
    return tmp_path, written


def test_grey_levels_and_labels_are_those_of_the_files(small):
    root, written = small
    data = MNIST(root, batch_size=5, binarization="none")
    data.prepare_data()
    assert data.support == "256 levels"
    labels = [*np.split(written["train-labels-idx1"], [50]), written["t10k-labels-idx1"]]
    assert [split.y.tolist() for split in data.splits] == [y.tolist() for y in labels]
    x = torch.cat([x for x, _ in data.val_dataloader()])
    expected = torch.from_numpy(written["train-images-idx3"][50:] / np.float32(255)).unsqueeze(1)
    torch.testing.assert_close(x, expected, rtol=0, atol=0)


def test_dynamic_training_images_are_drawn_anew_in_each_epoch_and_alike_when_resumed(small):
    loader = MNIST(small[0], batch_size=50).train_dataloader()
    grey = torch.full((50, 1, 28, 28), 128, dtype=torch.uint8)
    loader.split = Split(grey)  # alike, so that the order makes no difference

    def epoch(number):
        loader.set_epoch(number)
        return next(iter(loader))[0]

    first = epoch(0)
    assert first.unique().tolist() == [0, 1]
    assert not torch.equal(first, epoch(1))
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first, epoch(0))


def test_dynamic_training_images_are_drawn_from_their_own_grey_levels(small):
    (x, y), (grey, labels) = (
        next(iter(MNIST(small[0], 50, binarization).train_dataloader()))
        for binarization in ("dynamic", "none")
    )
    assert torch.equal(y, labels)
    correlation = torch.corrcoef(torch.stack([x.flatten(), grey.flatten()]))[0, 1]
    assert correlation == pytest.approx(3**-0.5, abs=0.02)  # of u < p with p, both uniform


def test_the_mean_of_the_draws_is_the_grey_level():
    draws, levels = 20_000, torch.tensor([0, 1, 64, 128, 254, 255], dtype=torch.uint8)
    x = binarize(levels.repeat(draws, 1), np.random.default_rng(0))
    p = levels / 255
    error = (p * (1 - p) / draws).sqrt()
    assert x.dtype == torch.uint8
    assert ((x.float().mean(0) - p).abs() <= 4 * error).all()  # exact for black and white


def test_white_stays_white_even_at_the_largest_draw():
    class Largest:
        def integers(self, high, size, dtype):
            return np.full(size, high - 1, dtype)

    x = binarize(torch.tensor([0, 254, 255], dtype=torch.uint8), Largest())
    assert x.tolist() == [0, 0, 1]


def test_val_and_test_are_drawn_once_and_the_same_in_every_run(small):
    first = MNIST(small[0])
    torch.manual_seed(9)
    other = MNIST(small[0], batch_size=7)
    assert first.support == "binary"
    for loader in ("val_dataloader", "test_dataloader"):
        x = torch.cat([x for x, _ in getattr(first, loader)()])
        assert torch.equal(x, torch.cat([x for x, _ in getattr(other, loader)()]))
        assert torch.equal(x, torch.cat([x for x, _ in getattr(first, loader)()]))
        assert x.unique().tolist() == [0, 1]


def test_an_unknown_binarization_is_refused():
    with pytest.raises(ValueError, match=r"binarization must be one of none, .* got 'grey'"):
        MNIST(binarization="grey")


@pytest.mark.parametrize("harm", [lambda content: content[:-9], lambda content: content + b"\0"])
def test_a_broken_file_is_named_and_left_as_it_is(small, harm):
    path = small[0] / "MNIST/raw/t10k-labels-idx1-ubyte.gz"
    path.write_bytes(broken := harm(path.read_bytes()))
    data = MNIST(small[0])
    data.prepare_data()
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte.gz is corrupt .* delete it"):
        data.setup("fit")
    assert path.read_bytes() == broken


def test_the_real_files_hold_the_known_digits(real_files):
    data = MNIST(real_files, binarization="none")
    data.setup("fit")
    train, val, test = data.splits
    assert [len(split.x) for split in data.splits] == [50_000, 10_000, 10_000]
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert val.y[-3:].tolist() == [5, 6, 8]
    counts = sum(torch.bincount(split.x.flatten(), minlength=256) for split in (train, val))
    levels, p = torch.arange(256) / 255, counts / (60_000 * 784)
    mean = float(p @ levels)
    assert mean == pytest.approx(0.1307, abs=5e-5)  # the two numbers that MNIST is normalised by
    assert float(p @ (levels - mean).square()) ** 0.5 == pytest.approx(0.3081, abs=5e-5)
