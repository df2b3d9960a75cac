"""The density of the aggregate posterior beside that of the prior, in two dimensions."""

from typing import NamedTuple

import torch
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.data import DataModule
from vae_zoo.evaluation.aggregate_density import log_aggregate, normal_marginals
from vae_zoo.evaluation.noise import evaluating
from vae_zoo.evaluation.surgery import log_density
from vae_zoo.generation.decoded import chosen_examples
from vae_zoo.generation.dimensions import posteriors
from vae_zoo.pictures.chart import new_figure, render
from vae_zoo.pictures.reason import NoPictureError, require_dimensions, require_prior_density
from vae_zoo.vae import VAE

CELLS = 160  # to each side
FEW_CELLS = 80  # where the posteriors are not diagonal
CONDITIONS = 50  # at most, of a conditional prior that is no normal
SAMPLES = 10_000  # of the prior, that tell where it lies
REACH, OUTSIDE = 3.5, 0.002  # standard deviations, and what lies beyond each edge
MASSES = (0.5, 0.95)  # within the contours of the prior


class Density(NamedTuple):
    """Two densities on a grid, per unit of area.

    Args:
        q: Of q(z), the mean of q(z | x) over examples, ``(cells of z1, cells of z0)``.
        p: Of p(z), the same; the mean of p(z | c) over them, of a conditional prior.
        edges: Of the cells, ``(2, cells + 1)``.
        n: Number of examples.
    """

    q: Tensor
    p: Tensor
    edges: Tensor
    n: int

    @property
    def area(self) -> float:
        """Of a cell."""
        return self.edges.diff(dim=1)[:, 0].prod().item()

    @classmethod
    def of(cls, model: VAE, data: DataModule, n: int) -> "Density":
        """Compute them by the posteriors of n test examples.

        Raises:
            NoPictureError: The posterior is no normal, or the prior has no density.
        """
        x, y = chosen_examples(model, data, n)
        with evaluating(model):
            torch.manual_seed(0)
            c = model.condition(y).to(model.dtype)
            q, p = posteriors(model, x, c), model.prior(c)
            if normal_marginals(q) is None:
                raise NoPictureError("the density of q(z) is drawn of normal posteriors alone")
            require_prior_density(p)
            cells = CELLS if isinstance(q, Independent) else FEW_CELLS
            edges = _edges(q, p.expand((len(x),)).sample((SAMPLES // len(x) + 1,)), cells)
            of_q = _mean_in(q, edges)
            of_p = _mean_in(p, edges) if _diagonal(p) else _prior_in(model, c, edges)
        of_q, of_p = (part.view(cells, cells).cpu() for part in (of_q, of_p))
        return cls(of_q, of_p, edges.cpu(), len(x))


def _edges(q: Distribution, samples: Tensor, cells: int) -> Tensor:
    """Edges of cells that hold all but a little of both, ``(2, cells + 1)``."""
    means, scales = normal_marginals(q)  # type: ignore[misc]
    reach, samples = REACH * scales, samples.flatten(0, -2)
    lows = [part.double().quantile(OUTSIDE, dim=0) for part in (samples, means - reach)]
    highs = [part.double().quantile(1 - OUTSIDE, dim=0) for part in (samples, means + reach)]
    low, high = torch.minimum(*lows).unsqueeze(1), torch.maximum(*highs).unsqueeze(1)
    steps = torch.linspace(0, 1, cells + 1, dtype=torch.double, device=low.device)
    return torch.lerp(low, high, steps)


def _centres(edges: Tensor) -> Tensor:
    """The middles of all cells, z0 the fastest, ``(cells², 2)``."""
    across, up = (edges[:, 1:] + edges[:, :-1]) / 2
    return torch.stack([across.repeat(len(up)), up.repeat_interleave(len(across))], dim=1)


def _diagonal(d: Distribution) -> bool:
    return isinstance(d, Independent) and isinstance(d.base_dist, Normal)


def _mean_in(d: Distribution, edges: Tensor) -> Tensor:
    """The density of a mixture of normals in cells: the mean of each, or that in its middle.

    It is the mean of each cell where the normals are diagonal: exact, however narrow they are.
    """
    if not _diagonal(d):
        return log_aggregate(d, _centres(edges)).exp()
    means, scales = (part.double().view(-1, 2, 1) for part in (d.base_dist.loc, d.base_dist.scale))  # type: ignore[attr-defined]
    normals = Normal(means, scales, validate_args=False)
    shares: Tensor = normals.cdf(edges).diff(dim=2) / edges.diff(dim=1)  # type: ignore[no-untyped-call]
    return shares[:, 1].T @ shares[:, 0] / len(shares)


def _prior_in(model: VAE, c: Tensor, edges: Tensor) -> Tensor:
    """The density of p(z), or the mean of those of p(z | c), in the middles of cells.

    Raises:
        NoPictureError: There are too many different conditions.
    """
    p = model.prior(c)
    z = _centres(edges).to(p.sample().dtype)
    if not p.batch_shape:
        return log_density(p, z).exp()
    kinds, counts = c.unique(dim=0, return_counts=True)  # type: ignore[no-untyped-call]
    if len(kinds) > CONDITIONS:
        raise NoPictureError(f"p(z | c) has the density of a mixture of {len(kinds)} conditions")
    parts = [log_density(model.prior(kind), z).exp() for kind in kinds.split(1)]
    shares: Tensor = counts / len(c)
    return (torch.stack(parts) * shares.unsqueeze(1)).sum(0)


def density(model: VAE, data: DataModule, n: int = 2000) -> Image.Image:
    """Show the density of q(z) = (1/n) Σ q(z | x) of n test examples beside that of the prior.

    Raises:
        NoPictureError: The model has not two dimensions, or one of both has no density.
    """
    require_dimensions(model, 2, 2)
    return render(draw(Density.of(model, data, n)))


def draw(found: Density) -> Figure:
    """Draw both on one scale, under the regions that hold most of the prior."""
    figure = new_figure(9.0, 4.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    across, up = found.edges.numpy()
    norm = PowerNorm(0.5, 0, max(found.q.max().item(), found.p.max().item()))
    middles = [(edges[1:] + edges[:-1]) / 2 for edges in (across, up)]
    levels = sorted({level_of(found.p * found.area, mass) / found.area for mass in MASSES})
    within = " and ".join(f"{mass:.0%}" for mass in MASSES)
    titles = (f"q(z), of {found.n:,} examples", f"p(z); the lines hold {within} of it")
    for axes, part, title in zip(panels, (found.q, found.p), titles, strict=True):
        image = axes.pcolormesh(across, up, part.numpy(), norm=norm, cmap="cividis")
        axes.contour(*middles, found.p.numpy(), levels=levels, colors="white", linewidths=0.8)
        axes.set_title(title, fontsize="medium")
        axes.set_aspect("equal")
        axes.set_xlabel("z0")
    panels[0].set_ylabel("z1")
    figure.colorbar(image, ax=panels, label="density")
    return figure


def level_of(shares: Tensor, mass: float) -> float:
    """The share of the last of the fewest cells that hold so much of the mass."""
    ordered = shares.flatten().sort(descending=True).values
    held = ordered.cumsum(0)
    return ordered[min(int((held < mass * held[-1]).sum()), len(ordered) - 1)].item()
