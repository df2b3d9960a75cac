"""What a model of two latent dimensions decodes everywhere."""

import torch
from PIL import Image
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.data import DataModule
from vae_zoo.evaluation.noise import evaluating
from vae_zoo.evaluation.surgery import factorised
from vae_zoo.generation.decoded import first
from vae_zoo.generation.made import Made, rows_of
from vae_zoo.pictures.decoded import require_images, show
from vae_zoo.pictures.reason import require_dimensions
from vae_zoo.vae import VAE

SAMPLES = 10_000  # of a prior whose quantiles have no closed form


def grid(model: VAE, data: DataModule, n: int = 12) -> Image.Image:
    """Show what n × n codes are decoded into, at quantiles of both dimensions of the prior.

    They are those at 1/2n, 3/2n, … of each dimension alone, z0 rising to the right and z1 upwards.
    A conditional model has the condition of the first test example.

    Raises:
        NoPictureError: The data are no pictures, or the model has not two dimensions.
    """
    require_dimensions(model, 2, 2)
    batch = first(model, data, 1)
    require_images(data, batch)
    return show(data, decode_plane(model, *batch, n))


def decode_plane(model: VAE, x: Tensor, y: Tensor | None, n: int) -> Made:
    """Decode n × n codes under the condition of one example."""
    with evaluating(model):
        torch.manual_seed(0)
        c = model.condition(y).to(model.dtype)
        levels = (torch.arange(n, device=x.device) + 0.5) / n
        across, up = quantiles(model.prior(c), levels).T
        codes = torch.stack([across.repeat(n), up.flip(0).repeat_interleave(n)], dim=1)
        decoded = model.likelihood.point(model.decode(codes, c.expand(n * n, -1)))
    titles = [f"z0 {one:.2f}, z1 {other:.2f}" for one, other in codes.tolist()]
    return Made(
        decoded,
        None if y is None else y.repeat_interleave(n * n, 0),
        titles,
        rows_of(n * n, n),
        [f"{'z1: ' if i == 0 else ''}{value:.1f}" for i, value in enumerate(up.flip(0).tolist())],
        [f"{'z0: ' if i == 0 else ''}{value:.1f}" for i, value in enumerate(across.tolist())],
    )


def quantiles(p: Distribution, levels: Tensor) -> Tensor:
    """Quantiles of each dimension of a prior of batch shape ``()`` or ``(1,)``, ``(levels, D)``."""
    if factorised(p):
        try:
            return p.base_dist.icdf(levels.unsqueeze(1))  # type: ignore[attr-defined, no-any-return]
        except NotImplementedError:
            pass
    samples = p.sample((SAMPLES,)).flatten(0, -2)
    return samples.quantile(levels.to(samples), dim=0)
