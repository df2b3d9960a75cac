"""A folder of images, with sub-folders for labels and splits."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vae_zoo.data.contents import ALL, WORDS, Contents, Part

# A closed list: pillow would hand an .eps to another program, and open a .pdf to write it.
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
GREY = {"1", "L", "LA"}
DEEP = {"I", "F"}  # more than 8 bits, as are those that begin with I;16


def read_folder(path: Path, size: int | None, grayscale: bool | None) -> Contents:
    """Read all images of a folder as bytes, in the order of their names.

    Sub-folders train, val and test are splits; others are labels, in such splits too.

    Args:
        path: The folder.
        size: Side of the square that images are cropped and scaled to; None leaves them.
        grayscale: Whether they become grey, or colours; None takes what the first one is.

    Raises:
        ValueError: An image cannot be read, they differ in size, or labels are missing.
    """
    files, others = find_images(path)
    note = f"left out {_listed(others, path)}" if others else ""
    if grayscale is None:
        grayscale = _open(files[0]).mode in GREY
    parts: Contents = {}
    splits = _splits(path, files)
    shape = None
    for split, (root, names) in splits.items():
        images = []
        for file in names:
            pixels = _pixels(file, size, grayscale)
            shape = shape or pixels.shape
            if pixels.shape != shape:
                raise ValueError(
                    f"images must be of one size, but {files[0]} has {shape[0]} x {shape[1]} "
                    f"pixels and {file} {pixels.shape[0]} x {pixels.shape[1]}: crop and scale "
                    "them alike, as --data.size 64 does for a training"
                )
            images.append(pixels)
        parts[split] = Part(np.moveaxis(np.stack(images), 3, 1), _labels(root, names), note)
    return parts


def find_images(path: Path) -> tuple[list[Path], list[Path]]:
    """Find the images of a folder and its sub-folders, and other files, but for what is hidden.

    Raises:
        ValueError: There are none.
    """
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    images = [file for file in files if file.suffix.lower() in ENDINGS]
    if not images:
        raise ValueError(f"{path} holds no images, which end in {', '.join(sorted(ENDINGS))}")
    return images, [file for file in files if file.suffix.lower() not in ENDINGS]


def _listed(files: list[Path], path: Path) -> str:
    shown = ", ".join(str(file.relative_to(path)) for file in files[:3])
    return f"{shown} and {len(files) - 3} more" if len(files) > 3 else shown


def _splits(path: Path, files: list[Path]) -> dict[str, tuple[Path, list[Path]]]:
    """The folder and the images of each split; of ALL where the sub-folders name none."""
    names = {word: split for split, words in WORDS.items() for word in words}
    tops = {file.relative_to(path).parts[0] for file in files}
    if "train" not in tops and tops <= names.keys():
        raise ValueError(f"{path} has {' and '.join(sorted(tops))} and no train to train on")
    if "train" not in tops or not tops <= names.keys():
        return {ALL: (path, files)}
    if len({names[top] for top in tops}) < len(tops):
        raise ValueError(f"{path} names a split twice: {', '.join(sorted(tops))}")
    return {
        names[top]: (path / top, [file for file in files if file.is_relative_to(path / top)])
        for top in sorted(tops, key=lambda top: list(WORDS).index(names[top]))
    }


def _labels(root: Path, files: list[Path]) -> np.ndarray | None:
    parts = [file.relative_to(root).parts for file in files]
    loose = [file for file, part in zip(files, parts, strict=True) if len(part) == 1]
    if len(loose) == len(files):
        return None
    if loose:
        raise ValueError(
            f"{root} holds images beside sub-folders of images, whose names are labels: put "
            f"{loose[0].name} and its like into one"
        )
    return np.asarray([part[0] for part in parts])


def _pixels(file: Path, size: int | None, grayscale: bool) -> np.ndarray:
    image = _open(file)
    if image.mode in DEEP or image.mode.startswith("I;16"):
        raise ValueError(f"{file} has more than 8 bits a pixel ({image.mode}): save it with 8")
    image = image.convert("L" if grayscale else "RGB")
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return pixels[..., np.newaxis] if grayscale else pixels


def _open(file: Path) -> Image.Image:
    """Read an image, turned as its camera says."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            return ImageOps.exif_transpose(image)
    # What pillow raises for a file that is cut off, is something else, or would fill the memory.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{file} is no image that can be read: {reason}") from error
