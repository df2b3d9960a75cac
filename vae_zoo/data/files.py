"""A user's own data: a folder of images, arrays or a table."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

from vae_zoo.data.binarization import Binarization, GreyData
from vae_zoo.data.contents import ALL, Contents, Part, check_labels
from vae_zoo.data.inference import (
    as_examples,
    as_stored,
    infer_support,
    number_labels,
    pieces,
)
from vae_zoo.data.reading import read_contents
from vae_zoo.data.splits import Split, Splits, Support

Values = Literal["binary", "unit interval", "256 levels", "real"]
LARGE = 1e6  # a real value beyond it is of data that nobody standardized


class Files(GreyData):
    """Your own data, with no code: a folder of images, .npz, .npy, .csv or .parquet.

    What they are is found out and said in a line, and options override it. Values are ``binary``
    where all are 0 or 1, ``256 levels`` where they are bytes or images of whole numbers to 255, on
    the ``unit interval`` where they lie in [0, 1], and else ``real``, as they stand: standardize
    such data yourself. Arrays ``(N, H, W)``, and of 1 or 3 channels last or first, are images.

    A .npy file of more than a GiB is not read into memory, but mapped: examples are read from the
    disk when a batch wants them. That is of values that are stored as they are trained on, bytes of
    levels or of 0 and 1, else float32, images with their channels first; others are converted in
    memory. The file must not change while it is trained on.

    The splits are those of a file or folder that names them (x_train, x_val and x_test, or train,
    val and test); what is missing is drawn from those to train on.

    Args:
        path: The file; or the folder, whose sub-folders are splits if they are named so, and labels
            otherwise. Names begin the columns of a .csv, unless its first line holds a number.
        labels: The column, or the array of an .npz, that holds labels (y, unless given), or a file
            of them, .npy or a .csv of one column, in the order of the examples (of images: of their
            paths). Words and integers become numbers in their sorted order.
        batch_size: Number of examples per device and step.
        shape: Shape of an example, such as [1, 28, 28] of a row of 784 values.
        support: Where the values lie.
        size: Side of the square that images of a folder are cropped and scaled to.
        grayscale: Whether images of a folder become grey, or colours (transparency is dropped);
            by default what the first one is.
        ignore: Columns to leave out.
        val: Fraction of the examples that is drawn for validation.
        test: Fraction of the examples that is drawn for the test.
        split_seed: Decides which examples are drawn; nothing else changes it.
        binarization: ``threshold`` makes a grey value 1 above a half; ``static`` draws all values
            from their grey once; ``dynamic`` draws those to train on anew in each epoch; ``none``
            keeps them.
        dequantization: Whether levels become (level + u) / 256, u ~ U(0, 1), anew in each epoch
            (data on the unit interval).

    Raises:
        ValueError: An option is none, or does not go with another.
    """

    def __init__(
        self,
        path: str | Path,
        labels: str | None = None,
        batch_size: int = 128,
        shape: Sequence[int] | None = None,
        support: Values | None = None,
        size: int | None = None,
        grayscale: bool | None = None,
        ignore: Sequence[str] = (),
        val: float = 0.1,
        test: float = 0.1,
        split_seed: int = 0,
        binarization: Binarization = "none",
        dequantization: bool = False,
    ) -> None:
        super().__init__(batch_size, binarization, dequantization)
        if shape is not None and (not shape or min(shape) < 1):
            raise ValueError(f"shape must be positive numbers, got {[*shape]}")
        if support is not None and support not in get_args(Values):
            raise ValueError(
                f"support must be one of {', '.join(get_args(Values))}, got {support!r}"
            )
        if size is not None and size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        if not (0 < val < 1 and 0 < test < 1 and val + test < 1):
            raise ValueError(
                f"val and test must be positive fractions that leave a rest, got {val} and {test}"
            )
        if split_seed < 0:
            raise ValueError(f"split_seed must be non-negative, got {split_seed}")
        self.path, self.labels, self.ignore = Path(path).expanduser(), labels, tuple(ignore)
        self._shape, self._support = shape, support
        self.size_of_images, self.grayscale = size, grayscale
        self.fractions, self.split_seed = (val, test), split_seed

    @cached_property
    def contents(self) -> Contents:
        """Examples ``(N, *X)`` and labels as they stand in the file, by split."""
        parts = read_contents(
            self.path, self.labels, self.ignore, self.size_of_images, self.grayscale
        )
        for split, (x, y, note) in parts.items():
            where = str(self.path) if split == ALL else f"{self.path}, {split}"
            x = as_examples(where, x, self._shape)
            y = None if y is None else check_labels(where, y, len(x))
            parts[split] = Part(x, y, note)
        shapes = {part.x.shape[1:] for part in parts.values()}
        if len(shapes) > 1:
            raise ValueError(
                f"{self.path}: splits must be of one shape, got "
                f"{', '.join(map(str, sorted(shapes)))}"
            )
        bare = [split for split, part in parts.items() if part.y is None]
        if 0 < len(bare) < len(parts):
            raise ValueError(
                f"{self.path}: all splits must have labels, or none, and {' and '.join(bare)} has "
                "none"
            )
        self._notes = dict.fromkeys(part.note for part in parts.values() if part.note)
        return parts

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]  # of the files
        return next(iter(self.contents.values())).x.shape[1:]

    @cached_property
    def stored(self) -> Support:  # type: ignore[override]
        return self._support or infer_support([part.x for part in self.contents.values()])

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"support": self.stored}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Remember the names of a run, and where its values lay.

        Raises:
            ValueError: The data were read, and have others.
        """
        super().load_state_dict(state_dict)
        if (support := state_dict.get("support")) not in get_args(Values):
            return
        if "stored" in vars(self) and self.stored != support:
            raise ValueError(
                f"{self.path} is {self.stored} now, and was {support} when the run was trained: "
                "give it back the data that it had, or train another run"
            )
        self._support = support

    @cached_property
    def names(self) -> list[str]:  # type: ignore[override]
        """The labels as they stand in the file, by their numbers."""
        labels = [part.y for part in self.contents.values() if part.y is not None]
        if len({y.dtype.kind for y in labels}) > 1:
            raise ValueError(f"{self.path}: labels are integers in one split, words in another")
        return [str(name) for name in np.unique(np.concatenate(labels))] if labels else []

    @cached_property
    def classes(self) -> int:  # type: ignore[override]
        return len(self.names)

    def read(self) -> Splits:
        parts = {split: self._part(split, self.names) for split in self.contents}
        train = parts[ALL] if ALL in parts else parts["train"]
        choose = train.leave if self._mapped else train.take
        absent = [split for split in ("val", "test") if split not in parts]
        sizes = {
            split: max(1, round(fraction * len(train)))
            for split, fraction in zip(("val", "test"), self.fractions, strict=True)
            if split in absent
        }
        if sum(sizes.values()) >= len(train):
            raise ValueError(
                f"{self.path} holds too few examples to draw {' and '.join(absent)} from, got "
                f"{len(train)}"
            )
        order = torch.from_numpy(np.random.default_rng(self.split_seed).permutation(len(train)))
        for split, size in sizes.items():
            parts[split], order = choose(order[:size]), order[size:]
        splits = Splits(choose(order) if absent else train, parts["val"], parts["test"])
        self._describe(splits, absent)
        _ = self.shape
        del self.contents  # of which the splits are a copy; all sizes are known by now
        return splits

    def in_order(self, names: Sequence[str]) -> Split:
        """Return all examples as the file has them, changed once as those of a test are.

        Args:
            names: The labels, by their numbers.
        """
        parts = [self._part(split, names) for split in self.contents]
        if len(parts) == 1:
            return self.change_once(parts[0], seed=1)
        x = torch.cat([part.x for part in parts])
        labels = [part.y for part in parts if part.y is not None]
        return self.change_once(Split(x, torch.cat(labels) if labels else None), seed=1)

    @property
    def _mapped(self) -> bool:
        """Whether the examples stay in a file that is too large to be copied."""
        return any(isinstance(part.x, np.memmap) for part in self.contents.values())

    def _part(self, split: str, names: Sequence[str]) -> Split:
        x, y, _ = self.contents[split]
        where = str(self.path)
        labels = None if y is None else number_labels(where, y, names)
        return Split(as_stored(where, x, self.stored), labels)

    @rank_zero_only
    def _describe(self, splits: Splits, drawn: Sequence[str]) -> None:
        """Say in a line what was found out."""
        sizes = " x ".join(map(str, self.shape))
        made = f" made {self.support}" if self.support != self.stored else ""
        shown = ", ".join(self.names[:5]) + (", …" if self.classes > 5 else "")
        labels = f"{self.classes} labels ({shown})" if self.names else "no labels"
        found = "; ".join([*self._notes, labels])
        counts = [f"{len(split)} {name}" for name, split in splits._asdict().items()]
        how = f" ({' and '.join(drawn)} drawn at random)" if drawn else ""
        print(f"{self.path}: {sizes}, {self.stored}{made}; {found}; {', '.join(counts)}{how}")
        parts = [piece for part in self.contents.values() for piece in pieces(part.x)]
        if self.stored == "real" and (largest := max(np.abs(x).max() for x in parts)) > LARGE:
            print(
                f"{self.path}: values up to {largest:.3g} hardly train: standardize them (subtract "
                "the mean, divide by the standard deviation)"
            )
