"""Text, of self-written files and of the real one."""

from hashlib import sha256

import pytest
import torch

from vae_zoo.data import Text, text

LINE = "To be, or not to be.\n"


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.txt"
    file.write_bytes(("".join(LINE.replace("b", chr(97 + i % 26)) for i in range(50))).encode())
    return file


def test_the_parts_follow_one_another_in_windows_and_none_is_in_two(own):
    data = Text(own, length=10, batch_size=4)
    data.setup("fit")
    whole, texts = own.read_text(), []
    for split, start, stop in zip(data.splits, (0, 945, 997), (945, 997, 1050), strict=True):
        x, y = data.batch(*split)
        assert y is None
        texts.append("".join(data.texts(x)))
        assert texts[-1] == whole[start : start + (stop - start) // 10 * 10]
    assert [len(part) for part in texts] == [940, 50, 50]


@pytest.mark.filterwarnings("ignore:the .* examples of the")
def test_the_vocabulary_is_of_the_whole_text_in_order(tmp_path):
    file = tmp_path / "late.txt"
    file.write_text("ab" * 98 + "zé☃𝄞", encoding="utf-8")
    data = Text(file, length=2, batch_size=4)
    assert data.characters == "abzé☃𝄞"
    assert data.shape == (2, 6)
    assert data.texts(data.batch(*data.splits.test)[0])[-2:] == ["zé", "☃𝄞"]


def test_texts_are_read_back_whatever_their_vocabulary(tmp_path):
    file = tmp_path / "many.txt"
    whole = "".join(chr(0x4E00 + i) for i in range(1000))
    file.write_text(whole, encoding="utf-8")
    data = Text(file, length=10, batch_size=4)
    assert data.shape == (10, 1000)
    assert "".join(data.texts(data.batch(*data.splits.train)[0])) == whole[:900]


def test_a_mark_of_the_encoding_is_no_character(tmp_path):
    file = tmp_path / "mark.txt"
    file.write_bytes(b"\xef\xbb\xbf" + b"ab" * 100)
    assert Text(file, length=2).characters == "ab"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least 20 windows of 64 characters, got 0 characters in .*own.txt"),
        (b"ab" * 639 + b"c", "at least 20 windows of 64 .*, got 1279 .*: give a longer one, or a"),
        (
            b"ab" * 1000 + b"\xff\xfe",
            "path must be a text in UTF-8, got .*own.txt, whose byte 2000",
        ),
        (b"a" * 2000, "path must be a text of two different characters or more"),
    ],
)
def test_a_file_that_is_no_text_or_too_short_is_refused(tmp_path, content, message):
    file = tmp_path / "own.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        _ = Text(file).shape


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"path: there is no file {path}"):
            _ = Text(path).shape


@pytest.mark.parametrize("name", ["length", "batch_size"])
def test_a_size_that_is_not_positive_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Text(**{name: 0})


def test_the_published_text_is_verified_and_left_as_it_is(tmp_path, monkeypatch):
    content = ("".join(text.CHARACTERS) * 5).encode()
    published = text.TINY_SHAKESPEARE._replace(sha256=sha256(content).hexdigest())
    monkeypatch.setattr(text, "TINY_SHAKESPEARE", published)
    file = tmp_path / published.path
    data = Text(root=tmp_path, length=5, batch_size=4)
    with pytest.raises(FileNotFoundError, match=r"lacks text/tinyshakespeare/input.txt"):
        data.setup("fit")
    file.parent.mkdir(parents=True)
    file.write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"input.txt is corrupt .* delete it"):
        data.setup("fit")
    assert file.read_bytes() == content[:-1]
    file.write_bytes(content)
    data.prepare_data()
    data.setup("fit")
    assert "".join(data.texts(data.batch(*data.splits.train)[0])) == content[:290].decode()


def test_tiny_shakespeare_is_what_was_published(real_files):
    data = Text(root=real_files)
    data.setup("fit")
    assert data.shape == (64, 65)
    assert [len(split.x) for split in data.splits] == [15685, 871, 871]
    assert data.texts(data.batch(*data.splits.train.cut(0, 1))[0])[0].startswith("First Citizen:\n")
    assert len(set(torch.cat([split.x.flatten() for split in data.splits]).tolist())) == 65
