"""Why p(x) is intractable: how many samples tell it, of the prior and of q(z | x)."""

import math
from collections.abc import Iterable

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show, summary
from torch import Tensor
from torch.distributions import Normal

from vae_zoo import VAE, compare, load
from vae_zoo.evaluation import importance_sampling
from vae_zoo.evaluation.examples import examples
from vae_zoo.objectives import log_mean_exp
from vae_zoo.pictures.chart import PALETTE, new_figure
from vae_zoo.regularizers import renyi_divergence

RUNS = "runs/latent_dim"
SIZES = (1, 2, 4, 8, 16, 32)  # latent dimensions of the linear model, each of which has 1 nat
LOADING = math.sqrt(math.e**2 - 1)  # w of x = wz + ε, at which ½ ln(1 + w²) is 1
SCALE = 1 / math.e  # of the posterior
SHIFT, STRETCH = 0.3, 1.2  # of a q that is not the posterior, in its deviations
SAMPLES = (1, 10, 100, 1000, 10_000, 100_000)
REPEATS = 20  # of the largest number
EXAMPLES = 50  # those of the score card's AIS
WEIGHED = (1, 10, 100, 1000)  # samples of q
CHUNK = 10_000  # codes that are decoded at once
REACH, NODES = 8.0, 8001  # of the grid of a single dimension


def posterior() -> Normal:
    """p(z | x) of one dimension, at x² = 1 + w²: its mean square, at which the KL is 1 nat."""
    x = math.sqrt(1 + LOADING**2)
    return Normal(torch.tensor(LOADING * x * SCALE**2).double(), torch.tensor(SCALE).double())


def proposal() -> Normal:
    """A q(z | x) that is a little beside the posterior, and wider."""
    exact = posterior()
    return Normal(exact.loc + SHIFT * exact.scale, STRETCH * exact.scale)


def prior() -> Normal:
    """N(0, 1), in double precision."""
    return Normal(torch.tensor(0.0).double(), torch.tensor(1.0).double())


def relative_variance(source: Normal, dimensions: int) -> float:
    """Var w / p(x)² of a weight w = p(x, z) / q(z) of z ~ q: exp D₂(p(z | x) ‖ q) - 1."""
    exact = posterior()
    one = renyi_divergence(exact.loc, exact.scale, source.loc, source.scale, 2.0)
    return math.expm1(dimensions * one.item())


def log_weights(source: Normal, dimensions: int, samples: int) -> Tensor:
    """Log p(x, z) / q(z) p(x) = log p(z | x) / q(z) of samples z ~ q, ``(samples,)``."""
    z = source.sample((samples, dimensions))  # type: ignore[no-untyped-call]
    ratios: Tensor = posterior().log_prob(z) - source.log_prob(z)  # type: ignore[no-untyped-call]
    return ratios.sum(1)


def means(values: Tensor, number: int) -> Tensor:
    """Log-means of so many rows each: ``(samples, *N)`` becomes ``(samples / number, *N)``."""
    return log_mean_exp(values.view(-1, number, *values.shape[1:]).transpose(0, 1))


@torch.no_grad()
def log_likelihoods(model: VAE, x: Tensor, z: Tensor) -> Tensor:
    """Log p(x | z) = x·l - Σ ln(1 + exp l) of every code and every binary example, ``(N, B)``."""
    found = []
    for part in z.split(CHUNK):  # type: ignore[no-untyped-call]
        logits = model.decoder(part, part[:, :0]).flatten(1)
        found.append(logits @ x.flatten(1).T - torch.nn.functional.softplus(logits).sum(1, True))
    return torch.cat(found)


def by_grid(model: VAE, x: Tensor) -> float:
    """Mean log p(x) of binary examples by quadrature, to the last digit, if z is one number."""
    if model.latent_dim > 1:
        return math.nan
    z = torch.linspace(-REACH, REACH, NODES)[:, None]
    log_prior = prior().log_prob(z.double())  # type: ignore[no-untyped-call]
    joint = log_likelihoods(model, x, z).double() + log_prior
    mean: float = joint.logsumexp(0).mean().item()
    return mean + math.log(2 * REACH / (NODES - 1))


def of_linear() -> pd.DataFrame:
    """Samples of the linear model's prior and of a q: a row a number of dimensions."""
    rows = []
    for dimensions in SIZES:
        row: dict[str, object] = {"dimensions": dimensions}
        for name, source in (("prior", prior()), ("q", proposal())):
            weights = log_weights(source, dimensions, REPEATS * max(SAMPLES))
            row[f"{name} exact"] = relative_variance(source, dimensions)
            repeats = weights.view(REPEATS, -1).exp()
            row[f"{name} measured"] = repeats.var(1).tolist()
            for n in SAMPLES:
                row[f"{name} {n}"] = means(weights, n)
            few = weights.view(-1, 100)
            sizes = (2 * few.logsumexp(1) - (2 * few).logsumexp(1)).exp()
            row[f"{name} effective"] = sizes
        rows.append(row)
    return pd.DataFrame(rows)


def of_digits(runs: pd.DataFrame) -> pd.DataFrame:
    """Estimates of log p(x) of the runs' test examples, in their mean: columns for each number."""
    rows = []
    for folder in runs["folder"]:
        model, data, _ = load(folder)
        x, _ = examples(model, data, "test", EXAMPLES)
        torch.manual_seed(0)
        by_prior = log_likelihoods(model, x, torch.randn(max(SAMPLES), model.latent_dim))
        row = {f"prior {n}": means(by_prior, n).mean().item() for n in SAMPLES}
        with torch.no_grad():
            for n in WEIGHED:
                found = importance_sampling(model, x, x.new_zeros(len(x), 0), n)
                row[f"q {n}"] = found.importance_sampling.mean().item()
        row["grid"] = by_grid(model, x)
        row["effective"] = found.effective_samples.mean().item()
        rows.append(row)
    return pd.DataFrame(rows, index=runs.index)


def written(drawn: Iterable[Tensor]) -> list[str]:
    """Write the mean of each, with its error."""
    return estimates([each.tolist() for each in drawn])


def main() -> None:
    """Estimate, print and write what section 2 shows."""
    torch.manual_seed(0)
    linear = of_linear()
    plain = {
        "dimensions, and nats": [str(each) for each in linear["dimensions"]],
        "variance of a weight, exact": [estimates([[each]])[0] for each in linear["prior exact"]],
        "of 100,000, measured": [estimates([each])[0] for each in linear["prior measured"]],
        "error of 100,000": written(linear["prior 100000"]),
        "by q: variance, exact": [estimates([[each]])[0] for each in linear["q exact"]],
        "by q: error of 100": written(linear["q 100"]),
        "effective of 100": written(linear["q effective"]),
    }
    show("evidence linear", pd.DataFrame(plain))
    runs = compare(RUNS)
    runs = runs[runs["posterior"] == "DiagonalNormal"].reset_index(drop=True)
    runs = runs.join(of_digits(runs))
    by_prior = {f"{n:,}": f"prior {n}" for n in SAMPLES}
    judges = {"a grid": "grid", "AIS": "score/ais", "BDMC gap": "score/bdmc_gap"}
    columns = {"rate": "kl", **by_prior, **judges}
    show("evidence prior", summary(runs, "latent_dim", columns))
    weighed = {"1, the ELBO": "q 1", **{f"{n:,}": f"q {n}" for n in WEIGHED[1:]}}
    columns = {**weighed, "effective of 1,000": "effective", "AIS": "score/ais"}
    show("evidence posterior", summary(runs, "latent_dim", columns))
    figure = new_figure(10.0, 3.8)
    left, right = figure.subplots(1, 2)
    draw_linear(left, linear)
    draw_digits(right, runs)
    save("evidence", figure)


def draw_linear(axes: Axes, linear: pd.DataFrame) -> None:
    """Draw the error against the number of samples, and where exp KL of them lie."""
    for color, (_, row) in zip(PALETTE, linear.iterrows(), strict=False):
        nats = row["dimensions"]
        errors = [row[f"prior {n}"].mean() for n in SAMPLES]
        axes.plot(SAMPLES, errors, "o-", color=color, markersize=4, label=f"{nats} nats")
        if math.exp(nats) <= max(SAMPLES):
            axes.axvline(math.exp(nats), color=color, linestyle=":", linewidth=1)
    axes.set(xscale="log", yscale="symlog", ylim=(-300, 100), xlabel="samples of the prior")
    axes.set_ylabel("mean error of log p(x), nats")
    axes.legend(fontsize="small", title="KL(p(z|x)‖p(z))", ncols=3, loc="upper center")


def draw_digits(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw estimates of the digits' log p(x) by the prior and by q, and that of AIS."""
    for color, (size, group) in zip(PALETTE, runs.groupby("latent_dim"), strict=False):
        mean = group.mean(numeric_only=True)
        by_prior, by_q = (
            [mean[f"{w} {n}"] for n in N] for w, N in (("prior", SAMPLES), ("q", WEIGHED))
        )
        axes.plot(SAMPLES, by_prior, "o-", color=color, markersize=4, label=f"{size}")
        axes.plot(WEIGHED, by_q, "s--", color=color, markersize=4, markerfacecolor="white")
        axes.axhline(mean["score/ais"], color=color, linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="samples: — of the prior, -- of q", ylim=(-60, -15))
    axes.set_ylabel("log p(x), nats (··· by AIS)")
    axes.legend(frameon=False, fontsize="small", title="latent dimensions")


if __name__ == "__main__":
    run_section(main)
