"""Files are had whole or not at all, and their absence is said in one sentence."""

from hashlib import sha256
from pathlib import Path

import pooch
import pytest
import requests

from vae_zoo.data import MNIST, BinarizedMNIST
from vae_zoo.data.download import PublishedFile, data_folder, fetch

CONTENT = {"first.txt": b"one", "second.txt": b"two"}
FILES = [
    PublishedFile(f"deep/{name}", f"https://example.org/{name}", sha256(content).hexdigest())
    for name, content in CONTENT.items()
]


@pytest.fixture
def served(monkeypatch):
    """What the network gives for a file name; anything else breaks the connection midway."""
    served = dict(CONTENT)

    def download(self, url, output_file, pooch, check_only=False):
        name = url.rpartition("/")[2]
        Path(output_file).write_bytes(served.get(name, b"half"))
        if name not in served:
            raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", download)
    return served


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_absent_files_are_downloaded(served, tmp_path):
    fetch(tmp_path, FILES)
    assert files_below(tmp_path) == {f"deep/{name}": text for name, text in CONTENT.items()}


def test_a_download_that_breaks_leaves_nothing_behind(served, tmp_path):
    served.clear()
    with pytest.raises(FileNotFoundError, match="no route to host"):
        fetch(tmp_path / "new", FILES)
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_something_else_leaves_nothing_behind(served, tmp_path):
    served["first.txt"] = b"<html>please log in</html>"
    with pytest.raises(FileNotFoundError, match="SHA256 hash"):
        fetch(tmp_path, FILES)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_keeps_what_is_whole(served, tmp_path):
    del served["second.txt"]
    with pytest.raises(FileNotFoundError, match=r"lacks deep/second.txt \("):
        fetch(tmp_path, FILES)
    assert files_below(tmp_path) == {"deep/first.txt": b"one"}


def test_a_file_of_the_users_is_never_replaced(served, tmp_path):
    mine = tmp_path / "deep/first.txt"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    fetch(tmp_path, FILES)
    assert mine.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_named(served, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"file lacks deep/first.txt, deep/second.txt"):
        fetch(tmp_path / "file", FILES)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (MNIST, ["MNIST/raw/train-images-idx3-ubyte.gz", "MNIST/raw/t10k-labels-idx1-ubyte.gz"]),
        (BinarizedMNIST, ["binarized_mnist/binarized_mnist_train.amat", "mnist_test.amat"]),
    ],
)
def test_offline_one_error_names_the_folder_and_all_files_wanted(served, tmp_path, data, wanted):
    served.clear()
    with pytest.raises(FileNotFoundError) as caught:
        data(tmp_path).prepare_data()
    message = str(caught.value)
    for part in (str(tmp_path), *wanted, "no route to host", "--data.root", "VAE_ZOO_DATA"):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("data", [MNIST, BinarizedMNIST])
def test_reading_what_was_never_downloaded_names_the_file(tmp_path, data):
    with pytest.raises(FileNotFoundError, match=r"train.*prepare_data\(\) downloads it"):
        data(tmp_path).setup("fit")


def test_the_folder_is_the_argument_or_the_variable_or_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_ZOO_DATA", str(tmp_path))
    assert MNIST().root == BinarizedMNIST().root == tmp_path
    assert MNIST(tmp_path / "a").root == BinarizedMNIST(str(tmp_path / "a")).root == tmp_path / "a"
    monkeypatch.delenv("VAE_ZOO_DATA")
    assert MNIST().root == Path(pooch.os_cache("vae_zoo"))
    assert data_folder("~/data") == Path.home() / "data"
