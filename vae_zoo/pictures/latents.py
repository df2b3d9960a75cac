"""Where the codes of examples lie, and samples of the prior."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vae_zoo.data import DataModule
from vae_zoo.evaluation.noise import evaluating
from vae_zoo.generation.decoded import chosen_examples
from vae_zoo.generation.dimensions import posteriors
from vae_zoo.pictures.chart import GREY, label_styles, new_figure, render
from vae_zoo.pictures.reason import require_dimensions
from vae_zoo.vae import VAE

OPACITY = 0.85
MOST_NAMED = 40  # labels in a legend


class Latents(NamedTuple):
    """Codes in a plane.

    Args:
        codes: A sample of q(z | x) of each example, ``(N, 2)``.
        prior: As many samples of the prior, ``(N, 2)``.
        labels: Of the examples, ``(N,)``, if they have any.
        axes: What the two coordinates are.
    """

    codes: Tensor
    prior: Tensor
    labels: Tensor | None
    axes: tuple[str, str]

    @classmethod
    def of(cls, model: VAE, data: DataModule, n: int) -> "Latents":
        """Take them of n test examples; of more than two dimensions, principal components."""
        x, y = chosen_examples(model, data, n)
        with evaluating(model):
            torch.manual_seed(0)
            c = model.condition(y).to(model.dtype)
            q = posteriors(model, x, c)
            z, means = q.rsample(), model.posterior.point(q)
            samples = model.prior(c).expand((len(x),)).sample()
        z, means, samples = (part.double().cpu() for part in (z, means, samples))
        axes = ("z0", "z1")
        if model.latent_dim > 2:
            directions, shares = principal(means)
            z, samples = ((part - means.mean(0)) @ directions.T for part in (z, samples))
            first, second = (
                f"{which} principal component of the means, {share:.0%} of their variance"
                for which, share in zip(("1st", "2nd"), shares, strict=True)
            )
            axes = (first, second)
        labels = y.cpu() if y is not None and data.classes else None
        return cls(z, samples, labels, axes)


def principal(codes: Tensor) -> tuple[Tensor, list[float]]:
    """The first two principal components of codes ``(N, D)``, ``(2, D)``, with their shares.

    The largest entry of each is positive, so that a picture is not turned over by chance.
    """
    _, scales, directions = torch.linalg.svd(codes - codes.mean(0), full_matrices=False)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    shares = scales.square() / scales.square().sum().clamp(min=1e-30)
    return (directions * largest.sign())[:2], shares[:2].tolist()


def latents(model: VAE, data: DataModule, n: int = 1000) -> Image.Image:
    """Show codes z ~ q(z | x) of n test examples by their labels, before samples of the prior.

    Of more than two dimensions the first two principal components of the means are shown: those
    of the codes themselves are nearly arbitrary where the codes are distributed as the prior is.
    A conditional prior is sampled under the condition of each example.

    Raises:
        NoPictureError: The model has fewer than two dimensions.
    """
    require_dimensions(model, 2)
    return render(draw(Latents.of(model, data, n), data.known_names))


def draw(points: Latents, names: Sequence[str] = ()) -> Figure:
    """Draw codes, each label with a colour and a marker of its own."""
    figure = new_figure()
    axes = figure.subplots()
    labels = torch.zeros(len(points.codes)) if points.labels is None else points.labels
    styles = label_styles(int(labels.max()) + 1)
    groups = [(points.prior, "prior", (GREY, "o"))]
    for label in sorted({*labels.int().tolist()}):
        name = "codes" if points.labels is None else str(names[label] if names else label)
        groups.append((points.codes[labels == label], name[:20], styles[label]))
    size = min(max(4000 / len(labels), 9), 16)
    for part, name, (color, marker) in groups:
        paint = partial(axes.scatter, s=size, alpha=OPACITY, linewidths=0)
        paint(part[:, 0], part[:, 1], color=color, marker=marker, label=name)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(points.axes[0])
    axes.set_ylabel(points.axes[1])
    if len(groups) <= MOST_NAMED:
        figure.legend(loc="outside right upper", frameon=False, markerscale=1.6)
    return figure
