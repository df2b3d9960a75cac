"""Images in rows and columns, with titles beside and above them."""

from functools import partial

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vae_zoo.generation.made import Made

CELL = 28  # pixels, at least
TITLED_CELL = 38  # pixels, at least, where it has a title
TEXT = 12  # pixels high
GAP = 4  # pixels between texts and images


def sheet(made: Made, images: Tensor) -> Image.Image:
    """Lay images out as they are to lie, each in a white frame, and large enough to be seen.

    Args:
        made: What they show; rows that are short end in white.
        images: Images ``(N, C, H, W)`` with values in [0, 1].
    """
    framed = torch.nn.functional.pad(images.float(), (1, 1, 1, 1), value=1.0)
    framed = torch.cat([framed, framed.new_ones(1, *framed.shape[1:])])
    columns = max(map(len, made.rows))
    index = torch.full((len(made.rows), columns), len(images))
    for filled, row in zip(index, made.rows, strict=True):
        filled[: len(row)] = torch.tensor(row)
    cells = framed.cpu()[index]  # (R, columns, C, H, W)
    paper = cells.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)
    pixels = paper.clamp(0, 1).mul(255).round().byte().numpy()
    picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    titled = bool(made.row_titles or made.column_titles)
    times = max(1, -(-(TITLED_CELL if titled else CELL) // min(images.shape[-2:])))
    size = (picture.width * times, picture.height * times)
    picture = picture.resize(size, Image.Resampling.NEAREST)
    return _with_titles(picture, made) if titled else picture


def _with_titles(picture: Image.Image, made: Made) -> Image.Image:
    """Write the titles beside and above, in grey pictures as in coloured ones."""
    font = ImageFont.load_default(TEXT)
    left = max((round(font.getlength(title)) + 2 * GAP for title in made.row_titles), default=0)
    top = TEXT + 2 * GAP if made.column_titles else 0
    titled = Image.new(picture.mode, (left + picture.width, top + picture.height), "white")
    titled.paste(picture, (left, top))
    write = partial(ImageDraw.Draw(titled).text, fill="black", font=font)
    write((left - GAP, top - GAP), made.corner, anchor="rs")
    for i, title in enumerate(made.row_titles):
        middle = top + (i + 0.5) * picture.height / len(made.row_titles)
        write((left - GAP, middle), title, anchor="rm")
    for i, title in enumerate(made.column_titles):
        middle = left + (i + 0.5) * picture.width / len(made.column_titles)
        write((middle, top - GAP), title, anchor="ms")
    return titled
