"""Whether an autoencoder and a VAE become one where the latent space is small."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from evidence import EXAMPLES, log_likelihoods
from matplotlib.axes import Axes
from report import run_section, save, show, summary
from scipy.linalg import subspace_angles
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, kl_divergence

from vae_zoo import VAE, compare, load
from vae_zoo.evaluation.bounds import Bounds, importance_sampling, weigh
from vae_zoo.evaluation.chains import AnnealedChains
from vae_zoo.evaluation.examples import examples
from vae_zoo.objectives import log_mean_exp
from vae_zoo.pictures.chart import PALETTE, new_figure
from vae_zoo.regularizers import sliced_wasserstein_to_standard
from vae_zoo.sampling import directions

LINEAR, RUNS = "runs/subspace", "runs/latent_dim"
ACTIVE = 0.01  # variance of a code's mean, of Burda et al., 2016
STEPS, BATCH = 300, 200  # by which an autoencoder's noise is found
SAMPLES = 100  # of importance sampling
CODES = 40_000  # of the prior, which all examples share
CHAINS = {"chains": 4, "temperatures": 800, "leapfrogs": 1, "seed": 0}  # the score card's
NAMES = {"DiagonalNormal": "VAE", "Deterministic": "autoencoder"}


class Optimum(NamedTuple):
    """What the best linear model reaches on data of given variances λ."""

    directions: int
    rate: float
    square_error: float  # E ‖x - E p(x | z)‖², with the noise of z


def optimum(variances: np.ndarray, latent_dim: int, theta: float) -> Optimum:
    """Reverse water-filling at θ = βσ²: of the first D components those with λ > θ are kept.

    θ = 0 is PCA, and an autoencoder, whose codes have no rate.
    """
    kept = variances[:latent_dim][variances[:latent_dim] > theta]
    rate = float(np.log(kept / theta).sum() / 2) if theta else math.nan
    rest = variances[len(kept) :].sum()
    return Optimum(len(kept), rate, float(rest + theta * len(kept)))


def components(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances λ of the principal components of ``(N, X)``, from the largest, and their axes."""
    variances, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    return variances[::-1], axes[:, ::-1]


def span(w: np.ndarray, k: int) -> np.ndarray:
    """An orthonormal basis of the k directions in which a decoder stretches most."""
    basis: np.ndarray = np.linalg.svd(w, full_matrices=False)[0][:, :k]
    return basis


@torch.no_grad()
def of_linear(folder: str) -> dict[str, float]:
    """What a linear run reached on its training data, and what was to be reached, exactly."""
    model, data, _ = load(folder)
    x = data.splits.train.x
    c = x.new_zeros(len(x), 0)
    q, affine = model.encode(x, c), model.decoder.layers[0]  # type: ignore[index]
    w, m = affine.weight.double(), q.mean.double()  # type: ignore[union-attr]
    rest = x.flatten(1).double() - m @ w.T - affine.bias.double()  # type: ignore[union-attr]
    point = not isinstance(q, Independent)
    noise = torch.zeros_like(m) if point else q.variance.double()
    theta = 0.0 if point else model.likelihood.log_scale.mul(2).exp().item()  # type: ignore[operator]
    variances, axes = components(x.flatten(1).double().numpy())
    best = optimum(variances, model.latent_dim, theta)
    angles = np.degrees(
        subspace_angles(span(w.numpy(), best.directions), axes[:, : best.directions])
    )
    kept = w[:, m.var(0) > ACTIVE]
    cosines = (kept / kept.norm(dim=0)).T @ torch.from_numpy(axes.copy())
    return {
        "directions": kept.shape[1],
        "rate": math.nan if point else kl_divergence(q, model.prior(c)).mean().item(),
        "square error": (rest.square().sum(1) + noise @ w.square().sum(0)).mean().item(),
        "angle": angles.max(),
        "median angle": np.median(angles),
        "cosine": cosines.abs().amax(1).mean().item(),
        **{f"best {name}": value for name, value in best._asdict().items()},
    }


def whitening(z: Tensor) -> MultivariateNormal:
    """The normal of the moments of codes, ``(N, D)``: what an autoencoder's prior should be."""
    return MultivariateNormal(z.mean(0), z.T.cov().view(z.shape[1], -1))


def with_noise(z: Tensor, p: MultivariateNormal, log_scale: Tensor) -> MultivariateNormal:
    """Normals around codes, of deviations s along the axes in which p is standard."""
    return MultivariateNormal(z, scale_tril=p.scale_tril * log_scale.exp())


def best_noise(model: VAE, x: Tensor, z: Tensor, p: MultivariateNormal) -> Tensor:
    """Log-deviations of `with_noise`, one for all codes of x, at which the ELBO is best."""
    log_scale = torch.full((model.latent_dim,), -2.0, requires_grad=True)
    optimizer = torch.optim.Adam([log_scale], lr=0.1)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    torch.manual_seed(0)
    for _ in range(STEPS):
        chosen = torch.randint(len(x), (BATCH,))
        q = with_noise(z[chosen], p, log_scale)
        reconstruction = -model.log_likelihood(x[chosen], q.rsample(), x.new_zeros(BATCH, 0))
        optimizer.zero_grad()
        (reconstruction + kl_divergence(q, p)).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        decay.step()
    return log_scale.detach()


def given_noise(model: VAE, x: Tensor, test: Tensor) -> Bounds:
    """Make an autoencoder a VAE afterwards: p(z) and the deviations of q that serve it best."""
    c = x.new_zeros(len(x), 0)
    with torch.no_grad():
        z, z_test = model.encode(x, c).mean, model.encode(test, c[: len(test)]).mean
    p = whitening(z)
    log_scale = best_noise(model, x, z, p)
    with torch.no_grad():
        q = with_noise(z_test, p, log_scale)
        return weigh(model, q, p, test, c[: len(test)], SAMPLES)


@torch.no_grad()
def by_prior(model: VAE, p: MultivariateNormal, x: Tensor) -> tuple[float, float]:
    """Mean log p(x) of binary examples by samples of p(z), and how many of them are effective.

    It needs no q, so that it does not take a poor one for a poor model; but where few samples are
    effective, of the median example, it is too low.
    """
    torch.manual_seed(0)
    found = log_likelihoods(model, x, p.sample(torch.Size([CODES])))
    effective = (2 * found.logsumexp(0) - (2 * found).logsumexp(0)).exp()
    return log_mean_exp(found).mean().item(), effective.median().item()


class Recentred(nn.Module):
    """The decoder of z ~ N(0, I) that makes of it what another makes of the normal p."""

    def __init__(self, decoder: nn.Module, p: MultivariateNormal) -> None:
        super().__init__()
        self.decoder, self.p = decoder, p

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.p.mean + z @ self.p.scale_tril.T, c)
        return found


def annealed(model: VAE, p: MultivariateNormal, x: Tensor) -> float:
    """Mean log p(x) under the prior p, by AIS; the model has N(0, I), and a new decoder after."""
    model.decoder = Recentred(model.decoder, p)  # type: ignore[assignment]
    chains = AnnealedChains(model, x, x.new_zeros(len(x), 0), range(len(x)), **CHAINS)
    return chains.forward().lower.mean().item()


def of_digits(folder: str) -> dict[str, float]:
    """What the score card lacks: an autoencoder's bounds, and codes against N(0, I)."""
    model, data, _ = load(folder)
    x, test = data.splits.train.x, data.splits.test.x
    c = x.new_zeros(len(x), 0)
    with torch.no_grad():
        torch.manual_seed(0)
        q = model.encode(x, c)
        z, mean = q.sample(), model.encode(test, c[: len(test)]).mean
        at_mean = -model.log_likelihood(test, mean, c[: len(test)]).mean().item()
    p = whitening(z)
    white = torch.linalg.solve_triangular(p.scale_tril, (z - p.mean).T, upper=False).T
    along = directions(200, like=z)
    found = {
        "at the mean": at_mean,
        "mismatch": sliced_wasserstein_to_standard(z, along).item(),
        "mismatch of shape": sliced_wasserstein_to_standard(white, along).item(),
        "floor": sliced_wasserstein_to_standard(torch.randn_like(z), along).item(),
    }
    if isinstance(q, Independent):
        with torch.no_grad():
            bounds = importance_sampling(model, test, c[: len(test)], SAMPLES)
    else:
        bounds = given_noise(model, x, test)
    found["bound"] = bounds.elbo.mean().item()
    found["by q"] = bounds.importance_sampling.mean().item()
    judged, _ = examples(model, data, "test", EXAMPLES)  # the score card's
    d, vae = model.latent_dim, isinstance(q, Independent)
    own = MultivariateNormal(torch.zeros(d), torch.eye(d)) if vae else p
    found["by prior"], found["effective"] = by_prior(model, own, test)
    found["annealed"] = math.nan if vae else annealed(model, p, judged)
    return found


def main() -> None:
    """Measure, print and write what section 7 shows."""
    linear = compare(LINEAR)
    linear["model"] = linear["posterior"].map(NAMES)
    linear = linear.join(pd.DataFrame([of_linear(folder) for folder in linear["folder"]]))
    columns = {
        "directions used": "directions",
        "closed form": "best directions",
        "largest angle, °": "angle",
        "median, °": "median angle",
        "cosine with an axis": "cosine",
        "rate": "rate",
        "closed form ": "best rate",
        "square error": "square error",
        "closed form  ": "best square_error",
    }
    show("small_latents subspace", summary(linear, ["latent_dim", "model"], columns))
    runs = compare(RUNS)
    runs["model"] = runs["posterior"].map(NAMES)
    runs = runs.join(pd.DataFrame([of_digits(folder) for folder in runs["folder"]]))
    runs["annealed"] = runs["annealed"].fillna(runs["score/ais"])  # a VAE's is with its own prior
    columns = {
        "reconstruction at the mean": "at the mean",
        "rate": "kl",
        "ELBO": "bound",
        "log p(x) by q": "by q",
        "log p(x) by p(z)": "by prior",
        f"effective of {CODES:,}": "effective",
        f"by AIS, of {EXAMPLES}": "annealed",
        "W₂² of codes": "mismatch",
        "of their shape": "mismatch of shape",
        "of N(0, I) itself": "floor",
        "FID of samples": "score/fid/samples",
    }
    show("small_latents digits", summary(runs, ["latent_dim", "model"], columns))
    figure = new_figure(16.0, 3.6)
    panels = figure.subplots(1, 5)
    titles = {
        "at the mean": "reconstruction at the mean, nats",
        "bound": "ELBO, nats",
        "by prior": "log p(x) by p(z), nats",
        "annealed": "log p(x) by AIS, nats",
        "mismatch of shape": "W₂² of whitened codes",
    }
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        draw(axes, runs, column, title)
    panels[0].legend(frameon=False)
    save("small_latents", figure)


def draw(axes: Axes, runs: pd.DataFrame, column: str, title: str) -> None:
    """Draw a number against the latent dimension, of both models, every seed a point."""
    for color, (name, rows) in zip(PALETTE[::4], runs.groupby("model"), strict=False):
        means = rows.groupby("latent_dim")[column].mean()
        axes.plot(means.index, means, "-", color=color, label=str(name))
        axes.plot(rows["latent_dim"], rows[column], "o", color=color, markersize=4)
    sizes = sorted(runs["latent_dim"].unique())
    axes.set(xscale="log", xlabel="latent dimensions", ylabel=title)
    axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    axes.minorticks_off()


if __name__ == "__main__":
    run_section(main)
