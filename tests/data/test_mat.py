"""OMNIGLOT and Frey's faces, on small .mat files of their form."""

import numpy as np
import pytest
import torch
from scipy.io import savemat

from vae_zoo.data import FreyFaces, Omniglot, frey_faces, omniglot


@pytest.fixture
def characters(tmp_path, monkeypatch):
    """A small chardata.mat, and its images ``(N, 28, 28)`` and alphabets."""
    monkeypatch.setattr(omniglot, "VALIDATION", 4)
    generator, written, arrays = np.random.default_rng(0), {}, {}
    for name, size in {"": 20, "test": 6}.items():
        images, labels = generator.random((size, 28, 28)), generator.integers(50, size=size)
        # MATLAB's images(:), a column after the other.
        arrays[f"{name}data"] = np.stack([image.flatten(order="F") for image in images], axis=1)
        arrays[f"{name}target"] = np.eye(50)[:, labels]
        written[name] = images.astype(np.float32), labels
    (tmp_path / "omniglot").mkdir()
    savemat(tmp_path / omniglot.FILE, arrays, do_compression=True)
    return tmp_path, written, arrays


def test_characters_stand_upright_with_their_alphabets(characters):
    root, written, _ = characters
    data = Omniglot(root, 4, binarization="none")
    train, val, test = data.splits
    assert data.support == "unit interval"
    assert (len(train.x), len(val.x)) == (16, 4)
    np.testing.assert_array_equal(test.x.squeeze(1), written["test"][0])
    assert test.y.tolist() == written["test"][1].tolist()
    images, labels = written[""]
    together = torch.cat([train.x, val.x]).squeeze(1).numpy()
    order = [int(np.argmin(np.abs(images - x).sum(axis=(1, 2)))) for x in together]
    assert sorted(order) == list(range(20))
    assert order != list(range(20)), "the validation characters should be drawn at random"
    np.testing.assert_array_equal(together, images[order])
    assert torch.cat([train.y, val.y]).tolist() == labels[order].tolist()


def test_characters_are_binarized_dynamically_unless_told_otherwise(characters):
    data = Omniglot(characters[0], 4)
    assert data.support == "binary"
    assert data.splits.val.x.unique().tolist() == [0, 1]
    assert len(data.splits.train.x.unique()) > 2
    fixed = Omniglot(characters[0], 4, binarization="threshold")
    expected = (characters[1]["test"][0] > 0.5).astype(np.uint8)
    np.testing.assert_array_equal(fixed.splits.test.x.squeeze(1), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, "numbers data of 784 x any, got no numbers"),
        ({"data": np.zeros((20, 784))}, "numbers data of 784 x any, got 20 x 784"),
        ({"testdata": np.array([["word"]], object)}, "numbers testdata of 784 x any, got no num"),
        ({"target": np.eye(50)[:, :19]}, "as many labels as images, got 19 and 20"),
        ({"target": np.ones((50, 20))}, "one-hot alphabets"),
        ({"data": np.full((784, 20), 1.5)}, "grey values in 0 to 1"),
        ({"data": np.full((784, 20), np.nan)}, "grey values in 0 to 1"),
    ],
)
def test_a_mat_file_of_something_else_is_named(characters, change, message):
    root, _, arrays = characters
    arrays = {name: x for name, x in (arrays | change).items() if x is not None}
    savemat(root / omniglot.FILE, arrays)
    with pytest.raises(ValueError, match=rf"chardata\.mat should hold .*{message}"):
        Omniglot(root).setup("fit")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda content: b"", "cannot be read"),
        (lambda content: content[:-500], "cannot be read"),
        (lambda content: content[:200], "(cannot be read|should hold numbers)"),
        (lambda content: b"no matlab at all" * 20, "cannot be read"),
        (lambda content: content[:150] + bytes(200) + content[350:], "cannot be read"),
        # A header of version 2 is MATLAB 7.3's, which is HDF5.
        (lambda content: content[:124] + b"\x00\x02IM" + content[128:], "MATLAB 7.3: save it with"),
    ],
)
def test_a_mat_file_that_is_broken_or_too_new_is_named(characters, harm, message):
    path = characters[0] / omniglot.FILE
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"chardata\.mat .*{message}.*github"):
        Omniglot(characters[0]).setup("fit")


@pytest.fixture
def faces(tmp_path, monkeypatch):
    monkeypatch.setattr(frey_faces, "VALIDATION", 5)
    monkeypatch.setattr(frey_faces, "TEST", 5)
    images = np.random.default_rng(0).integers(256, size=(30, 28, 20), dtype=np.uint8)
    (tmp_path / "frey_faces").mkdir()
    savemat(tmp_path / frey_faces.FILE, {"ff": images.reshape(30, 560).T})
    return tmp_path, images


def test_the_three_splits_are_all_faces_once(faces):
    data = FreyFaces(faces[0], batch_size=5)
    assert (data.support, data.classes) == ("256 levels", 0)
    assert [len(split.x) for split in data.splits] == [20, 5, 5]
    found = torch.cat([split.x for split in data.splits]).squeeze(1).tolist()
    assert sorted(found) == sorted(faces[1].tolist())
    assert not torch.equal(data.splits.val.x, FreyFaces(faces[0], split_seed=1).splits.val.x)
    assert FreyFaces(faces[0], 5, dequantization=True).splits.val.x.dtype == torch.float32


def test_faces_that_are_absent_or_no_bytes_are_refused(faces):
    with pytest.raises(ValueError, match="split_seed must be non-negative, got -1"):
        FreyFaces(split_seed=-1)
    savemat(faces[0] / frey_faces.FILE, {"ff": np.zeros((560, 30))})
    with pytest.raises(ValueError, match="should hold levels in bytes, got float64"):
        FreyFaces(faces[0]).setup("fit")
    (faces[0] / frey_faces.FILE).unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no .*frey_rawface.mat: https://cs.nyu"):
        FreyFaces(faces[0]).setup("fit")
