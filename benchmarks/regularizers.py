"""Time regularizers beside the plain form of each, and beside other packages.

    make bench-peers      (installs pythae in .venv-peers; without it its rows are left out)
    make bench-regularizers      (or: python benchmarks/regularizers.py [--only MMD] [--rounds 5])

Each case has contenders that compute the same from the same codes, ours first. They take turns in
one process, so that whatever else the machine does hits all alike; a ratio is the median over
rounds of the ratio within a round. Time is that of forward and backward. Memory is the most that
tensors held at once during both, beyond the codes.

To add a case, write a function that returns it and name it in ``CASES``. A contender takes the
codes, of shape ``(N, D)``, and returns a scalar.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import torch
from geomloss import SamplesLoss
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.distributions import Normal
from torch.profiler import ProfilerActivity, profile

from vae_zoo.posteriors import Delta
from vae_zoo.priors import StandardNormal
from vae_zoo.processor import prepare_processor
from vae_zoo.regularizers import (
    MMD,
    EnergyDistance,
    Regularizer,
    SlicedWasserstein,
    log_aggregate,
    log_weights,
    mmd,
    sinkhorn_divergence,
)

D = 16
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
PEERS = Path(__file__).parent.parent / ".venv-peers"
Contender = Callable[[Tensor], Tensor]


class Case(NamedTuple):
    """What is compared.

    Args:
        name: What it is, with the settings that matter.
        n: Number of codes.
        contenders: By name, ours first.
        spread: Whether to show the standard deviation of the value where q(z) is the prior.
    """

    name: str
    n: int
    contenders: dict[str, Contender]
    spread: bool = False


class Result(NamedTuple):
    """What one contender did."""

    seconds: list[float]
    mebibytes: float
    value: float
    spread: float | None


def mmd_of_samples(n: int) -> Case:
    """7-scale IMQ MMD against three distance matrices, and against pythae."""
    y, widths = torch.randn(n, D), torch.tensor([2 * D * scale for scale in SCALES])
    contenders: dict[str, Contender] = {
        "vae_zoo": lambda x: mmd(x, y, "imq", widths),
        "matrices": lambda x: plain_mmd(x, y, widths),
    }
    if PEERS.exists():
        contenders["pythae 0.1.2"] = pythae_mmd(y)
    return Case(f"MMD imq, 7 scales, n={n}", n, contenders)


def plain_mmd(x: Tensor, y: Tensor, widths: Tensor) -> Tensor:
    """Compute it as one writes it down, with the squared distances by a matrix product."""

    def similarities(x: Tensor, y: Tensor) -> Tensor:
        squares = x.square().sum(-1).unsqueeze(-1) + y.square().sum(-1)
        distances = (squares - 2 * x @ y.T).clamp(min=0)
        total = torch.zeros_like(distances)
        for width in widths:
            total = total + width / (width + distances)
        return total / len(widths)

    def mean_off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))

    within = mean_off_diagonal(similarities(x, x)) + mean_off_diagonal(similarities(y, y))
    return within - 2 * similarities(x, y).mean()


def pythae_mmd(y: Tensor) -> Contender:
    """The penalty of pythae's WAE_MMD, a sum over scales where ours is their mean."""
    sys.path.extend(str(path) for path in PEERS.glob("lib/python*/site-packages"))
    wae = import_module("pythae.models.wae_mmd")  # not among our dependencies
    model = wae.WAE_MMD(
        wae.WAE_MMD_Config(
            input_dim=(1,), latent_dim=D, kernel_choice="imq", kernel_bandwidth=1.0, scales=SCALES
        )
    )
    picture = torch.zeros(len(y), 1)
    return lambda x: model.loss_function(picture, picture, x, y)[2] / len(SCALES)


def prior_of_mmd(n: int, kernel: str) -> Case:
    """MMD with the exact expectation under the prior against samples of it."""
    exact, sampled = (MMD(kernel=kernel, prior=prior) for prior in ("exact", "sampled"))  # type: ignore[arg-type]
    return prior_expectation(f"MMD {kernel}, 7 scales, prior", n, exact, sampled)


def prior_of_energy_distance(n: int) -> Case:
    """Energy distance with the exact expectation under the prior against samples of it."""
    exact, sampled = EnergyDistance(prior="exact"), EnergyDistance(prior="sampled")
    return prior_expectation("EnergyDistance, prior", n, exact, sampled)


def prior_of_sliced_wasserstein(n: int) -> Case:
    """Sliced Wasserstein distance from the quantiles of the prior against samples of it."""
    exact, sampled = SlicedWasserstein(prior="exact"), SlicedWasserstein(prior="sampled")
    return prior_expectation("SlicedWasserstein, 50 projections, prior", n, exact, sampled)


def sinkhorn(n: int, blur: float, iterations: int, scaling: float) -> Case:
    """Sinkhorn divergence against geomloss, whose ``scaling`` trades time for accuracy."""
    y, width = torch.randn(n, D), blur * math.sqrt(D)
    peer = SamplesLoss("sinkhorn", p=2, blur=width, scaling=scaling, backend="tensorized")
    truth = sinkhorn_gradient(lambda x: sinkhorn_divergence(x.double(), y.double(), width, 40), n)

    def named(name: str, contender: Contender) -> tuple[str, Contender]:
        error = (sinkhorn_gradient(contender, n).double() - truth).norm() / truth.norm()
        return f"{name}, gradient to {error:.0e}", contender

    contenders = dict(
        [
            named("vae_zoo", lambda x: sinkhorn_divergence(x, y.to(x), width, iterations)),
            named(f"geomloss {scaling:g}", lambda x: 2 * peer(x, y.to(x))),  # its cost is half
        ]
    )
    return Case(f"Sinkhorn, blur {blur:g} √D, n={n}", n, contenders)


def sinkhorn_gradient(contender: Contender, n: int) -> Tensor:
    """The gradient by codes that are shifted and shrunken."""
    x = 0.5 * torch.randn(n, D, generator=torch.Generator().manual_seed(1)) + 0.5
    (gradient,) = torch.autograd.grad(contender(x.requires_grad_()), x)
    return gradient


def prior_expectation(name: str, n: int, exact: Regularizer, sampled: Regularizer) -> Case:
    """Compare two ways to know the prior N(0, I)."""
    p = StandardNormal(D)(torch.zeros(n, 0)).expand(torch.Size([n]))

    def contender(regularizer: Regularizer, x: Tensor) -> Tensor:
        return regularizer(Delta(x), p, x)  # type: ignore[no-any-return]

    contenders: dict[str, Contender] = {
        "exact": partial(contender, exact),
        "sampled": partial(contender, sampled),
    }
    return Case(f"{name}, n={n}", n, contenders, spread=True)


def total_correlation(n: int) -> Case:
    """The densities of β-TCVAE against a tensor of shape ``(n, n, D)``; the weights are MSS's."""
    weights = log_weights(n, 10000, "mss", like=torch.zeros(()))

    def plain(z: Tensor, mean: Tensor, scale: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        logs = Normal(mean, scale, validate_args=False).log_prob(z.unsqueeze(1))  # type: ignore[no-untyped-call]
        joint = (logs.sum(2) + log_weights).logsumexp(1)
        return joint.mean(), (logs + log_weights.unsqueeze(2)).logsumexp(1).sum(1).mean()

    def contender(aggregate: Callable[..., tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
        joint, marginals = aggregate(x, 0.9 * x, 0.3 + x.sigmoid(), weights)
        return 6 * joint - 5 * marginals

    contenders: dict[str, Contender] = {
        "vae_zoo": partial(contender, log_aggregate),
        "(n, n, D)": partial(contender, plain),
    }
    return Case(f"TotalCorrelation, n={n}", n, contenders)


CASES: Sequence[Callable[[], Case]] = (
    partial(total_correlation, 512),
    partial(mmd_of_samples, 512),
    partial(mmd_of_samples, 2048),
    partial(prior_of_mmd, 512, "gaussian"),
    partial(prior_of_mmd, 512, "imq"),
    partial(prior_of_mmd, 2048, "imq"),
    partial(prior_of_mmd, 512, "laplace"),
    partial(prior_of_energy_distance, 512),
    partial(prior_of_sliced_wasserstein, 512),
    partial(prior_of_sliced_wasserstein, 2048),
    partial(sinkhorn, 512, blur=1.0, iterations=3, scaling=0.5),
    partial(sinkhorn, 512, blur=1.0, iterations=3, scaling=0.9),
    partial(sinkhorn, 2048, blur=1.0, iterations=3, scaling=0.5),
    partial(sinkhorn, 512, blur=0.1, iterations=10, scaling=0.9),
)


def measure(case: Case, rounds: int) -> dict[str, Result]:
    """Give each contender a turn in every round."""
    x = (torch.randn(case.n, D) + 0.3).requires_grad_()
    seconds: dict[str, list[float]] = {name: [] for name in case.contenders}
    for turn in range(rounds + 1):
        for name, contender in case.contenders.items():
            start = perf_counter()
            contender(x).backward()  # type: ignore[no-untyped-call]
            if turn:  # the first warms up
                seconds[name].append(perf_counter() - start)
    return {
        name: Result(
            seconds=seconds[name],
            mebibytes=peak(contender, x),
            value=float(contender(x).detach()),
            spread=spread(contender, case.n) if case.spread else None,
        )
        for name, contender in case.contenders.items()
    }


def peak(contender: Contender, x: Tensor) -> float:
    """The most mebibytes that tensors held at once, by the allocator's own record."""
    with silence(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        contender(x).backward()  # type: ignore[no-untyped-call]
    held = most = 0
    events = record.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]"]
    for change in sorted(changes, key=lambda event: event.start_ns()):
        held += change.nbytes()
        most = max(most, held)
    return most / 2**20


@contextmanager
def silence() -> Iterator[None]:
    """Drop what the profiler's C++ writes to stderr of its starts and stops."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def spread(contender: Contender, n: int, draws: int = 200) -> float:
    """The standard deviation of the value for codes from the prior."""
    with torch.no_grad():
        return float(torch.stack([contender(torch.randn(n, D)) for _ in range(draws)]).std())


def rows(results: dict[str, Result]) -> Iterator[list[str]]:
    """One row for each contender, with its ratios to the first."""
    ours, *_ = results.values()
    for name, result in results.items():
        pairs = zip(result.seconds, ours.seconds, strict=True)
        cells = [
            f"  {name}",
            f"{1e3 * median(result.seconds):.2f}",
            f"{median(a / b for a, b in pairs):.2f}",
            f"{result.mebibytes:.2f}",
            f"{result.mebibytes / ours.mebibytes:.2f}",
            f"{result.value:.7f}",
        ]
        if result.spread is not None and ours.spread is not None:
            cells += [f"{result.spread:.2e}", f"{result.spread / ours.spread:.2f}"]
        yield cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time regularizers beside others.")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    prepare_processor()  # as fit does; the others gain by it too
    torch.manual_seed(0)
    table = Table("", "ms", "ratio", "MiB", "ratio", "value", "std at q = p", "ratio")
    for make in CASES:
        case = make()
        if options.only in case.name:
            table.add_section()
            table.add_row(case.name, style="bold")
            for cells in rows(measure(case, options.rounds)):
                table.add_row(*cells)
    console = Console(width=110)
    console.print(table)
    console.print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds, "
        f"D={D}; ratios are to the first of each case"
    )


if __name__ == "__main__":
    main()
