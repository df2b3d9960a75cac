"""Text, cut into windows of characters."""

from functools import cached_property
from pathlib import Path
from string import ascii_letters

import numpy as np
import torch
from torch import Tensor

from vae_zoo.data.base import DataModule
from vae_zoo.data.download import PublishedFile, data_folder, fetch, read
from vae_zoo.data.splits import Split, Splits, Support

TINY_SHAKESPEARE = PublishedFile(
    "text/tinyshakespeare/input.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
CHARACTERS = "".join(sorted("\n !$&',-.3:;?" + ascii_letters))  # all that it has
PARTS = 20  # of a text, of which one is val and one is test


class Text(DataModule):
    """Characters of Tiny Shakespeare, or of a file of one's own, in windows of T.

    The first 90 % of the text are trained on, the next 5 % are val and the last 5 % test; each part
    is cut into windows one after the other, and a rest is left out. The vocabulary is of the
    whole text, in the order of the characters' code points, so that val and test hold no unknown.

    Args:
        path: A text of one's own in UTF-8; Tiny Shakespeare unless given.
        length: Number T of characters of a window.
        root: Folder that holds ``text/tinyshakespeare/input.txt``, or is to hold it once it is
            downloaded (1 MB); by default what VAE_ZOO_DATA names, else the user's cache folder
            (~/.cache/vae_zoo).
        batch_size: Number of windows per device and step.

    Raises:
        ValueError: The length is not positive; once it is read, the file is no text in UTF-8, or
            too short.

    References:
        Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015 (Tiny
        Shakespeare). https://karpathy.github.io/2015/05/21/rnn-effectiveness/
    """

    support: Support = "tokens"

    def __init__(
        self,
        path: str | Path | None = None,
        length: int = 64,
        root: str | Path | None = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(batch_size)
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        self.root, self.length = data_folder(root), length
        self.path = None if path is None else Path(path).expanduser()

    @cached_property
    def text(self) -> str:
        """The whole text, read when it is first needed."""
        if self.path is None:
            return read(self.root, TINY_SHAKESPEARE).decode()
        text = _read(self.path)
        if len(text) < PARTS * self.length:
            raise ValueError(
                f"path must be a text of at least {PARTS} windows of {self.length} characters, got "
                f"{len(text)} characters in {self.path}: give a longer one, or a smaller length"
            )
        if len(set(text)) < 2:
            raise ValueError(
                f"path must be a text of two different characters or more, got {self.path}"
            )
        return text

    @cached_property
    def characters(self) -> str:
        """The vocabulary, in the order of the code points."""
        return CHARACTERS if self.path is None else "".join(sorted(set(self.text)))

    @cached_property
    def names(self) -> list[str]:  # type: ignore[override]
        return [*self.characters]

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]  # of the text
        return (self.length, len(self.characters))

    def prepare_data(self) -> None:
        if self.path is None:
            fetch(self.root, [TINY_SHAKESPEARE])

    def load(self) -> Splits:
        points, order = _code_points(self.text), _code_points(self.characters)
        kind = torch.uint8 if len(order) <= 256 else torch.int32
        tokens = torch.from_numpy(np.searchsorted(order, points)).to(kind)
        start = len(tokens) * (PARTS - 2) // PARTS
        middle = len(tokens) * (PARTS - 1) // PARTS
        return Splits(*(self._windows(part) for part in tokens.tensor_split([start, middle])))

    def texts(self, x: Tensor) -> list[str]:
        characters = self.known_names
        return ["".join(characters[i] for i in row) for row in x.argmax(-1).tolist()]

    def _windows(self, tokens: Tensor) -> Split:
        windows = len(tokens) // self.length
        return Split(tokens[: windows * self.length].view(windows, self.length))


def _read(path: Path) -> str:
    """Read a text of the user's.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It is no text.
    """
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"path must be a text in UTF-8, got {path}, whose byte {error.start} is none"
        ) from error


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
