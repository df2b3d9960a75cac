"""Pictures of what a model decodes: reconstructions, samples, interpolations, traversals."""

import torch
from PIL import Image

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.evaluation.examples import SplitName
from vae_zoo.generation.decoded import (
    chosen_examples,
    conditions,
    first,
    interpolate,
    numbered,
    reconstruct,
    sample,
)
from vae_zoo.generation.dimensions import MEASURED, MOST, Dimensions, traverse
from vae_zoo.generation.made import COLUMNS, Made
from vae_zoo.generation.sheet import sheet
from vae_zoo.pictures.reason import NoPictureError, require_dimensions
from vae_zoo.vae import VAE

MOST_LABELS = 20  # that have a column each


def reconstructions(
    model: VAE, data: DataModule, n: int = COLUMNS, split: SplitName = "test"
) -> Image.Image:
    """Show the first n examples, and below them the means of p(x | z) at the means of q(z | x).

    Raises:
        NoPictureError: The data are no pictures.
    """
    batch = first(model, data, n, split)
    require_images(data, batch)
    return show(data, reconstruct(model, *batch))


def samples(
    model: VAE, data: DataModule, rows: int = 4, split: SplitName = "test", seed: int = 0
) -> Image.Image:
    """Show samples of the model's own prior.

    A conditional model has a column for each label, or for the condition of each of the first
    examples.

    Raises:
        NoPictureError: The data are no pictures.
    """
    require_images(data, first(model, data, 1, split))
    columns = COLUMNS
    if model.condition.dim and 0 < model.classes <= MOST_LABELS:
        columns = model.classes
    y = conditions(model, data, columns, split=split)
    n = rows * columns
    if y is not None:
        y = y[torch.arange(n) % columns]
    return show(data, sample(model, n, y, columns, seed=seed))


def interpolations(
    model: VAE, data: DataModule, pairs: int = COLUMNS // 2, steps: int = 8
) -> Image.Image:
    """Show straight lines between the codes of test examples 0 and 1, 2 and 3, and so on.

    The examples themselves are at both ends, and their reconstructions beside them. The condition
    is that of the example at the left.

    Raises:
        NoPictureError: The data are no pictures, or the model has no codes.
    """
    require_dimensions(model, 1)
    x, y = first(model, data, 2 * pairs)
    require_images(data, (x, y))
    even = len(x) // 2 * 2
    if not even:
        raise NoPictureError("the test split has one example alone")
    y = None if y is None else y[:even]
    return show(data, interpolate(model, x[:even], y, steps, range(even)))


def traversals(
    model: VAE, data: DataModule, example: int = 0, steps: int = 9, most: int = MOST
) -> Image.Image:
    """Show what each dimension changes in a test example, the most used dimensions first.

    A row changes one dimension of the mean of q(z | x) by up to two standard deviations of all
    codes. In the middle of an odd number of steps is the reconstruction.

    Raises:
        NoPictureError: The data are no pictures, or the model has no codes.
    """
    require_dimensions(model, 1)
    x, y = numbered(model, data, [example])
    require_images(data, (x, y))
    dimensions = Dimensions.of(model, *chosen_examples(model, data, MEASURED))
    return show(data, traverse(model, x, y, dimensions, steps, most))


def require_images(data: DataModule, batch: Batch) -> None:
    """Refuse data that are no pictures, before anything is computed.

    Raises:
        NoPictureError: They are none.
    """
    if data.picture(*batch) is None:
        raise NoPictureError(f"{type(data).__name__} has examples that are no pictures")


def show(data: DataModule, made: Made) -> Image.Image:
    """Lay out what a model made of images."""
    images = data.picture(made.x, made.y)
    assert images is not None
    return sheet(made, images)
