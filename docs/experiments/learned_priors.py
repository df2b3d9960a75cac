"""What a learned prior is worth: each of them, and why a learned normal is worth nothing."""

from copy import deepcopy

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import run_section, save, show, summary
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from vae_zoo import VAE, compare, load
from vae_zoo.comparison.style import minus
from vae_zoo.data import DataModule
from vae_zoo.networks import Network
from vae_zoo.pictures.chart import PALETTE, label_styles, new_figure
from vae_zoo.priors import LearnedNormal, StandardNormal

RUNS = "runs/priors"
NAMES = {
    "StandardNormal": "N(0, I)",
    "LearnedNormal": "learned normal",
    "MixtureOfNormals": "learned mixture",
    "VampPrior": "VampPrior",
    "Flow": "flow",
    "Laplace": "Laplace",
    "StudentT": "Student's t",
}
OF_RUNS = {
    "ELBO": "elbo",
    "above N(0, I)": "gain",
    "log p(x) ≥, K = 500": "score/importance_sampling",
    "distortion": "reconstruction",
    "rate": "kl",
    "KL(q(z)‖p)": "score/aggregate_kl",
    "FID": "score/fid/samples",
}
OF_ENCODERS = {
    "rate under N(0, I)": "fixed",
    "saved by a fitted normal": "fitted",
    "KL(matched‖N(0, I))": "matched",
}
EMPTY = torch.zeros(1, 0)  # the condition of a model that has none


def moments(q: Distribution) -> tuple[Tensor, Tensor]:
    """Mean and variances of z ~ q(z) = E_x q(z | x), each ``(D,)``."""
    return q.mean.mean(0), q.variance.mean(0) + q.mean.var(0, correction=0)


def matched_kl(mean: Tensor, variance: Tensor) -> float:
    """KL(N(m, diag v) ‖ N(0, I)) = ½ Σ_d [m² + v - 1 - ln v]."""
    return 0.5 * (mean.square() + variance - 1 - variance.log()).sum().item()


def rate(q: Distribution, prior: nn.Module) -> Tensor:
    """E_x KL(q(z | x) ‖ p(z)) of a normal prior."""
    return kl_divergence(q, prior(EMPTY)).mean()


def fitted_rate(q: Distribution) -> float:
    """The least E_x KL(q(z | x) ‖ p(z)) of p = N(m, diag s²), by descent that knows no moments."""
    prior = LearnedNormal(q.event_shape[0]).double()
    optimizer = torch.optim.LBFGS(prior.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = rate(q, prior)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return rate(q, prior).item()


def whitened(q: Distribution, p: Distribution) -> Distribution:
    """Posterior of (z - m) / s instead of z, of which the prior is N(0, I)."""
    return normal((q.mean - p.mean) / p.stddev, q.stddev / p.stddev)


def absorb(decoder: Network, p: Distribution) -> Network:
    """A decoder of (z - m) / s that says what the given one says of z, by its first affine map."""
    changed = deepcopy(decoder)
    first = next(layer for layer in changed.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        first.bias.add_(first.weight @ p.mean)
        first.weight.mul_(p.stddev)
    return changed


def normal(mean: Tensor, scale: Tensor) -> Distribution:
    """N(m, diag s²) in double precision."""
    return Independent(Normal(mean.double(), scale.double()), 1)


def elbo(vae: VAE, x: Tensor, q: Distribution, p: Distribution, noise: Tensor) -> float:
    """E_q log p(x | z) - KL(q(z | x) ‖ p(z)), with z of given noise."""
    z = q.mean + q.stddev * noise
    return (vae.decode(z, EMPTY.expand(len(z), 0)).log_prob(x) - kl_divergence(q, p)).mean().item()


@torch.no_grad()
def with_and_without(vae: VAE, x: Tensor) -> tuple[float, float]:
    """The ELBO under a learned normal, and under N(0, I) once the decoder has absorbed it."""
    vae, x = deepcopy(vae).double(), x.double()
    p, q = vae.prior(EMPTY.double()), posterior(vae, x)
    noise = torch.randn(q.mean.shape, generator=torch.Generator().manual_seed(0)).double()
    learned = elbo(vae, x, q, p, noise)
    vae.decoder = absorb(vae.decoder, p)
    standard = StandardNormal(vae.latent_dim).double()(EMPTY)
    return learned, elbo(vae, x, whitened(q, p), standard, noise)


@torch.no_grad()
def posterior(vae: VAE, x: Tensor) -> Distribution:
    """q(z | x) of unconditional data, in double precision."""
    q = vae.encode(x, x.new_zeros(len(x), 0))
    return normal(q.mean, q.stddev)


def of_encoder(vae: VAE, data: DataModule) -> dict[str, float]:
    """What a learned normal saves at the encoder of a run, by its training examples, two ways."""
    q = posterior(vae, data.examples(len(data.splits.train))[0])
    fixed = rate(q, StandardNormal(vae.latent_dim).double()).item()
    return {
        "fixed": fixed,
        "fitted": fixed - fitted_rate(q),
        "matched": matched_kl(*moments(q)),
    }


def of_learned(vae: VAE, data: DataModule) -> dict[str, str]:
    """Where a learned normal went, and what its model is without it."""
    p = vae.prior(EMPTY)
    learned, without = with_and_without(vae, data.splits.test.x.float())
    return {
        "largest |m|": f"{p.mean.abs().max().item():.3f}",
        "s": f"{p.stddev.min().item():.3f} to {p.stddev.max().item():.3f}",
        "ELBO": minus(f"{learned:.6f}"),
        "ELBO, absorbed": minus(f"{without:.6f}"),
    }


def main() -> None:
    """Read the runs, print and draw what section 9 shows."""
    runs = compare(RUNS)
    runs["prior"] = runs["prior"].str.split().str[0]
    usual = runs[runs["prior"] == "StandardNormal"].set_index("seed")["elbo"]
    runs["gain"] = (runs["elbo"] - runs["seed"].map(usual)).where(runs["prior"] != "StandardNormal")
    runs["prior"] = pd.Categorical(runs["prior"].map(NAMES), [*NAMES.values()], ordered=True)
    show("learned_priors all", summary(runs, "prior", OF_RUNS))
    loaded = {row.folder: load(row.folder) for row in runs.itertuples()}
    found = [of_encoder(each.model, each.data) for each in loaded.values()]
    encoders = runs[["prior", "seed"]].join(pd.DataFrame(found, runs.index))
    show("learned_priors encoders", summary(encoders, "prior", OF_ENCODERS))
    learned = runs[runs["prior"] == "learned normal"].sort_values("seed")
    rows = [of_learned(*loaded[folder][:2]) for folder in learned["folder"]]
    show("learned_priors absorbed", pd.DataFrame(rows, learned["seed"].map(str)).reset_index())
    figure = new_figure(10.0, 3.8)
    left, right = figure.subplots(1, 2)
    draw_gains(left, runs)
    draw_encoders(right, encoders)
    save("learned_priors", figure)


def draw_gains(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw, seed by seed, how far the ELBO of each prior is from that of N(0, I)."""
    groups = [each for each in runs.groupby("prior", observed=True) if each[0] != "N(0, I)"]
    for row, (_, group) in enumerate(groups):
        axes.plot(group["gain"], [row] * len(group), "o", color=PALETTE[2], alpha=0.7)
        axes.plot(group["gain"].mean(), row, "|", color="black", markersize=16)
    axes.axvline(0.0, color="black", linewidth=1)
    axes.set_yticks(range(len(groups)), [name for name, _ in groups])
    axes.invert_yaxis()
    axes.set(xlabel="test ELBO above that of N(0, I) of the same seed, nats")


def draw_encoders(axes: Axes, encoders: pd.DataFrame) -> None:
    """Draw what a fitted normal saves against the formula."""
    groups = [*encoders.groupby("prior", observed=True)]
    for (name, group), (color, marker) in zip(groups, label_styles(len(groups)), strict=True):
        axes.plot(group["matched"], group["fitted"], marker, color=color, alpha=0.7, label=name)
    ends = encoders["matched"].min(), encoders["matched"].max()
    axes.plot(ends, ends, color="black", linewidth=1, zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="KL(matched normal‖N(0, I)), nats")
    axes.set(ylabel="saved by a fitted normal, nats")
    axes.legend(frameon=False, title="encoder of a run with")


if __name__ == "__main__":
    run_section(main)
