"""How noisy the encoder's gradient is: by the codes themselves, and by the score of q(z | x)."""

import math
from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd
import torch
from matplotlib.axes import Axes
from numpy.polynomial import Polynomial
from report import estimates, run_section, save, show, summary
from torch import Tensor
from torch.optim import Adam

from vae_zoo.data import Digits
from vae_zoo.evaluation import importance_sampling
from vae_zoo.networks import MLP
from vae_zoo.objectives import ImportanceWeighted
from vae_zoo.pictures.chart import PALETTE, new_figure
from vae_zoo.regularizers import KL, kl_divergence
from vae_zoo.vae import VAE

Baseline = Callable[[Tensor], Tensor | float]
Estimator = Callable[[VAE, Tensor], Tensor]  # its gradient is an estimate of that of the loss

SAMPLES = 5  # of each posterior
SEEDS = (0, 1, 2)
STEPS = (10, 100, 1000)  # at which the noise is measured, and all of the training
DRAWS = 100  # of each gradient, at the same weights and examples
BATCH, MEMORY = 64, 0.9  # and that of the moving average
WEIGHED = (5, 50)  # samples of the importance-weighted bound
F, SCORE = Polynomial([4.0, -4.0, 1.0]), Polynomial([0.0, 1.0])  # (z - 2)², and (z - μ) at μ = 0


def expectation(p: Polynomial) -> float:
    """E p(z) of z ~ N(0, 1), whose even moments are the double factorials (n - 1)!!."""
    moments = [0 if n % 2 else math.prod(range(n - 1, 0, -2)) for n in range(len(p.coef))]
    return math.fsum(a * m for a, m in zip(p.coef.tolist(), moments, strict=True))


def exact_variances(samples: int) -> dict[str, float]:
    """Variances of estimates of d/dμ E (z - 2)² under N(μ, 1), at μ = 0, by K samples each."""
    mean, middle = expectation(F * SCORE), F - expectation(F)

    def of_score(f: Polynomial) -> float:
        return (expectation(f**2 * SCORE**2) - mean**2) / samples

    best = expectation(F * SCORE**2) / expectation(SCORE**2)
    spread = expectation(middle**2) * expectation(SCORE**2)  # of a sample covariance of f and z
    others = expectation(middle**2 * SCORE**2) - mean**2 + (mean**2 + spread) / (samples - 1)
    return {
        "reparameterised": expectation((F.deriv() - mean) ** 2) / samples,
        "score": of_score(F),
        "score, minus E f": of_score(middle),
        "score, minus the mean of the others": others / samples,
        "score, minus the best constant": of_score(F - best),
    }


def toy_estimates(samples: int, draws: int) -> dict[str, Tensor]:
    """Draw each of them many times, ``(draws,)``."""
    z = torch.randn(samples, draws).double()
    f = (z - 2) ** 2
    return {
        "reparameterised": (2 * (z - 2)).mean(0),
        "score": (f * z).mean(0),
        "score, minus E f": ((f - 5) * z).mean(0),
        "score, minus the mean of the others": ((f - others(f)) * z).mean(0),
        "score, minus the best constant": ((f - 7) * z).mean(0),
    }


def others(f: Tensor) -> Tensor:
    """The mean of the other samples' values, for each of K: ``(K, *N)``."""
    return (f.sum(0) - f) / (len(f) - 1)


def reparameterised(model: VAE, x: Tensor) -> Tensor:
    """Minus the ELBO, of codes z = m + sε that its gradient passes through."""
    c = x.new_zeros(len(x), 0)
    q, p = model.encode(x, c), model.prior(c)
    z = q.rsample(torch.Size([SAMPLES]))
    return _minus_elbo(model.log_likelihood(x, z, c), kl_divergence(q, p.expand(q.batch_shape), z))


def score_function(model: VAE, x: Tensor, baseline: Baseline = lambda f: 0.0) -> Tensor:
    """Minus Σ (f - b) ln q(z | x), with f = ln p(x | z) of codes that are fixed, plus the KL.

    Its gradient by the encoder has the mean of that of minus the ELBO.
    """
    c = x.new_zeros(len(x), 0)
    q, p = model.encode(x, c), model.prior(c)
    z = q.sample(torch.Size([SAMPLES]))
    f = model.log_likelihood(x, z, c)  # of which the decoder's gradient is made
    score = (f - baseline(f)).detach() * q.log_prob(z)
    kl = kl_divergence(q, p.expand(q.batch_shape), z)
    return _minus_elbo(f + score - score.detach(), kl)


def _minus_elbo(log_likelihood: Tensor, kl: Tensor | None) -> Tensor:
    assert kl is not None  # q has a density
    return kl.mean() - log_likelihood.mean()


class MovingAverage:
    """The mean of ln p(x | z) of late, as a baseline."""

    value = 0.0

    def __call__(self, f: Tensor) -> float:
        """Return what it was before this batch, which the batch must not choose."""
        before, self.value = self.value, MEMORY * self.value + (1 - MEMORY) * f.mean().item()
        return before


def estimators() -> dict[str, Estimator]:
    """Make those of the ELBO."""
    return {
        "reparameterised": reparameterised,
        "score": score_function,
        "score, minus a moving average": partial(score_function, baseline=MovingAverage()),
        "score, minus the mean of the others": partial(score_function, baseline=others),
    }


def weighted(samples: int, double: bool) -> Estimator:
    """Minus the importance-weighted bound, by one of its two gradients."""
    objective = ImportanceWeighted(samples, doubly_reparameterized=double)

    def loss(model: VAE, x: Tensor) -> Tensor:
        model.objective = objective
        return model(x).loss  # type: ignore[no-any-return]

    return loss


def encoder_gradients(model: VAE, x: Tensor, estimator: Estimator) -> Tensor:
    """Draw a gradient by all the encoder's weights many times, ``(DRAWS, P)``."""
    weights = list(model.encoder.parameters())
    drawn = [torch.autograd.grad(estimator(model, x), weights) for _ in range(DRAWS)]
    return torch.stack([torch.cat([part.flatten() for part in each]) for each in drawn]).double()


def noises(drawn: Mapping[str, Tensor]) -> list[dict[str, float | str]]:
    """Variances of gradients over ‖mean‖², and their means along that of the first.

    The first half of the first's draws tells the direction and the length, so that the noise of
    those that are measured has no part in them.
    """
    first, *_ = drawn.values()
    direction, rest = first[: DRAWS // 2].mean(0), first[DRAWS // 2 :]
    signal = (rest.mean(0) @ direction).item()  # E = ‖mean‖²
    return [
        {
            "gradient": name,
            "noise": each.var(0).sum().item() / signal,
            "along": ((rest if each is first else each).mean(0) @ direction).item() / signal,
        }
        for name, each in drawn.items()
    ]


def train(seed: int, name: str, data: Digits) -> tuple[float, list[dict[str, float | str]]]:
    """Train by one estimator: the test ELBO, and along the first's path the noise of all."""
    torch.manual_seed(seed)
    layers = partial(MLP, hidden=(128,))
    model = VAE(data.shape, 8, KL(), encoder=layers, decoder=layers)
    known, x, found = estimators(), data.splits.train.x, []
    optimizer = Adam(model.parameters(), lr=2e-3, fused=True)
    for step in range(1, max(STEPS) + 1):
        batch = x[torch.randint(len(x), (BATCH,))]
        optimizer.zero_grad()
        known[name](model, batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if name == "reparameterised":
            with torch.no_grad():
                known["score, minus a moving average"](model, batch)
            if step in STEPS:
                found += [row | {"step": step, "seed": seed} for row in measure(model, x, known)]
    test = data.splits.test.x
    with torch.no_grad():
        elbo = importance_sampling(model, test, test.new_zeros(len(test), 0), 100).elbo
    return elbo.mean().item(), found


def measure(model: VAE, x: Tensor, known: dict[str, Estimator]) -> list[dict[str, float | str]]:
    """Draw the gradients of one batch, of the ELBO and of the weighted bounds."""
    batch, kept = x[torch.randint(len(x), (BATCH,))], model.objective
    rows = noises({name: encoder_gradients(model, batch, one) for name, one in known.items()})
    for k in WEIGHED:
        names = {f"K = {k}, doubly reparameterised": True, f"K = {k}, standard": False}
        rows += noises(
            {n: encoder_gradients(model, batch, weighted(k, d)) for n, d in names.items()}
        )
    model.objective = kept
    return rows


def main() -> None:
    """Draw, train, print and write what section 10 shows."""
    torch.manual_seed(0)
    exact, drawn = exact_variances(SAMPLES), toy_estimates(SAMPLES, 200_000)
    table = {
        "gradient": [*exact],
        "mean": estimates([each.tolist() for each in drawn.values()]),
        "variance, exact": [f"{each:.2f}" for each in exact.values()],
        "measured": [f"{each.var():.2f}" for each in drawn.values()],
    }
    show("estimators normal", pd.DataFrame(table))
    data, elbos, rows = Digits(), [], []
    for seed in SEEDS:
        for name in estimators():
            elbo, found = train(seed, name, data)
            elbos.append({"gradient": name, "elbo": elbo})
            rows += found
    noise = pd.DataFrame(rows)
    wide = noise.pivot(index=["gradient", "seed"], columns="step", values="noise")
    wide = wide.rename(columns=str).join(noise.groupby(["gradient", "seed"])["along"].mean())
    columns = {f"noise at step {n:,}": str(n) for n in STEPS} | {"mean along the first's": "along"}
    table = summary(wide.reset_index(), "gradient", columns)
    bounds = table["gradient"].str.startswith("K")
    trained = summary(pd.DataFrame(elbos), "gradient", {"ELBO after 1,000 steps by it": "elbo"})
    show("estimators digits", table[~bounds].merge(trained, on="gradient"))
    show("estimators bound", table[bounds])
    figure = new_figure(8.0, 4.2)
    draw(figure.subplots(), noise)
    save("estimators", figure)


def draw(axes: Axes, noise: pd.DataFrame) -> None:
    """Draw the noise of each gradient as the training goes on."""
    for color, (name, rows) in zip(PALETTE, noise.groupby("gradient"), strict=False):
        style = "s--" if str(name).startswith("K") else "o-"
        mean = rows.groupby("step")["noise"].mean()
        axes.plot(mean.index, mean, style, color=color, label=str(name))
    axes.set(xscale="log", yscale="log", xlabel="step of the training")
    axes.set_ylabel("variance of the gradient, in ‖its mean‖²")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


if __name__ == "__main__":
    run_section(main)
