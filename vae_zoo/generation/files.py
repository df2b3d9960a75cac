"""What a model made, in a file: texts, a picture or numbers."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from vae_zoo.data import DataModule
from vae_zoo.generation.made import Made
from vae_zoo.generation.sheet import sheet
from vae_zoo.runs import check_new, replace


def write_made(data: DataModule, made: Made, output: Path | None, stem: str) -> str:
    """Write what was made, or return it if it is text, and no file is asked for.

    Raises:
        OSError: The file is there already, or cannot be written.
        ValueError: The data are none of such a file.
    """
    pictures, texts = data.picture(made.x, made.y), data.texts(made.x)
    written = None if texts is None else paragraphs(made.titles, texts)
    if written is not None and output is None:
        return written.rstrip("\n")
    default = f"{stem}.npz" if pictures is None else f"{stem}.png"
    path = output or Path(default)
    check_new(path)
    content: str | bytes
    if path.suffix == ".npz":
        content = _npz(made)
    elif path.suffix == ".png" and pictures is not None:
        content = png(sheet(made, pictures))
    elif path.suffix == ".txt" and written is not None:
        content = written
    else:
        kinds = [*[".txt"] * (texts is not None), *[".png"] * (pictures is not None), ".npz"]
        raise ValueError(f"--output must end in {' or '.join(kinds)} for such data, got {path}")
    replace(path, content)
    return f"{path}: {made.titles[0]} to {made.titles[-1]}"


def paragraphs(titles: Sequence[str], texts: Sequence[str]) -> str:
    """Set each text below its title, as texts may be of several lines."""
    return "\n".join(f"--- {title}\n{text}\n" for title, text in zip(titles, texts, strict=True))


def png(picture: Image.Image) -> bytes:
    """Turn a picture into the content of a file."""
    buffer = BytesIO()
    picture.save(buffer, format="png")
    return buffer.getvalue()


def _npz(made: Made) -> bytes:
    arrays = {"x": made.x.numpy(), "titles": np.asarray(made.titles)}
    arrays |= {} if made.y is None else {"y": made.y.numpy()}
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
