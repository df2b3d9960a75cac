"""Whether two processes train as one, for several regularizers in one pair of processes."""

import pickle
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn

from vae_zoo.contract.codes import LATENT_DIM, Factory, codes, make
from vae_zoo.contract.gradients import backward
from vae_zoo.contract.noise import Noise, align
from vae_zoo.contract.verdict import Verdict
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.priors import LearnedNormal, StandardNormal

RANKS, EXAMPLES, FEATURES = 2, 7, 4  # examples of each rank
PATIENCE = timedelta(seconds=60)  # for a rank that does not take part in what the others do
TOLERANCE = 1e-6
EXPECTED = f"the gradient of {RANKS} x {EXAMPLES} examples is that of 1 x {RANKS * EXAMPLES}"

Found = tuple[dict[str, Tensor], list[Tensor]]  # gradients, and the noise of which they are


def same_gradient_on_two_processes(factories: Mapping[str, Factory]) -> dict[str, Verdict]:
    """Compare the gradients of two processes with those of one that has all examples and noise.

    Each has a linear encoder, a learned prior where the regularizer takes one, and the parameters
    of the regularizer itself. Both losses are in it, an adversary's too.

    Args:
        factories: Makes each regularizer, by its name.
    """
    verdicts = {name: _importable(factory) for name, factory in factories.items()}
    shared = {name: factories[name] for name, verdict in verdicts.items() if verdict is None}
    found: list[dict[str, Found | str]] = []
    if shared:
        found = _on_ranks(shared)
    for name, factory in shared.items():
        with torch.random.fork_rng(devices=[]):
            verdicts[name] = _compare(factory, [of_rank[name] for of_rank in found])
    return {name: verdict for name, verdict in verdicts.items() if verdict is not None}


def _on_ranks(factories: Mapping[str, Factory]) -> list[dict[str, Found | str]]:
    with TemporaryDirectory() as folder:
        try:
            _spawn(_run_rank, (folder, factories))
        except Exception as error:  # of a class that ends its process
            failure = f"a process failed: {str(error).strip().splitlines()[-1]}"
            return [dict.fromkeys(factories, failure)]
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(RANKS)]


def _spawn(run: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run the ranks; Ctrl-C is this process's to hear, and ends them without their tracebacks."""
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which they inherit
    try:
        context = spawn(run, arguments, nprocs=RANKS, join=False, daemon=True)  # type: ignore[no-untyped-call]
    finally:
        signal.signal(signal.SIGINT, heard)
    while not context.join():
        continue


def _importable(factory: Factory) -> Verdict | None:
    with suppress(AttributeError, TypeError, pickle.PicklingError):
        pickle.dumps(factory)
        made = factory.func if isinstance(factory, partial) else factory
        if getattr(made, "__module__", "") != "__main__":
            return None
    figure = "does not apply: another process cannot import the class; put it in a file of its own"
    return Verdict(None, figure, EXPECTED)


def _compare(factory: Factory, found: list[Found | str]) -> Verdict:
    for of_rank in found:
        if isinstance(of_rank, str):
            return Verdict(False, of_rank, EXPECTED)
    whole = [of_rank for of_rank in found if not isinstance(of_rank, str)]
    gradients, _ = whole[0]
    kept = align([noise for _, noise in whole])
    try:
        expected, _ = _gradients(factory, 0, _data(), kept)
    except Exception as error:  # of a class of the user's own
        return Verdict(False, f"{type(error).__name__}: {error}", EXPECTED)
    largest = max(gradient.abs().max().item() for gradient in expected.values())
    off = {
        name: (gradients[name] - gradient).abs().max().item() / (largest or 1.0)
        for name, gradient in expected.items()
    }
    worst = max(off, key=lambda name: off[name])
    figure = f"differs by {off[worst]:.1g} of the largest gradient, in {worst}"
    return Verdict(off[worst] <= TOLERANCE, figure, EXPECTED)


def _data() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(RANKS * EXAMPLES, FEATURES, generator=generator).double()


def _run_rank(rank: int, folder: str, factories: Mapping[str, Factory]) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", f"file://{folder}/meeting", PATIENCE, rank=rank, world_size=RANKS
    )
    found: dict[str, Found | str] = {}
    for name, factory in factories.items():
        try:
            gradients, kept = _gradients(factory, rank, _data().chunk(RANKS)[rank])
            for gradient in gradients.values():
                distributed.all_reduce(gradient)
                gradient /= RANKS  # the mean, as DDP takes it
            found[name] = gradients, kept
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def _gradients(
    factory: Factory, rank: int, x: Tensor, kept: list[tuple[Tensor, ...]] | None = None
) -> Found:
    """The gradients on these examples, with new noise or with what the ranks kept."""
    try:
        return _gradients_with(factory, LearnedNormal, rank, x, kept)
    except ValueError:  # as it refuses a learned prior
        return _gradients_with(factory, StandardNormal, rank, x, kept)


def _gradients_with(
    factory: Factory,
    family: type[LearnedNormal | StandardNormal],
    rank: int,
    x: Tensor,
    kept: list[tuple[Tensor, ...]] | None,
) -> Found:
    regularizer = make(factory, RANKS * EXAMPLES)
    encoder, prior = nn.Linear(FEATURES, 2 * LATENT_DIM), family(LATENT_DIM)
    model = nn.ModuleDict({"encoder": encoder, "prior": prior, "regularizer": regularizer})
    model.double()
    torch.manual_seed(rank)  # other noise on each rank, as in a training
    with Noise(kept) as noise:
        q = DiagonalNormal(LATENT_DIM)(encoder(x))
        draw = codes(q.base_dist.loc, q.base_dist.scale, prior)
        critic = regularizer.critic_loss(*draw)
        loss = regularizer(*draw)
    backward(loss if critic is None else loss + critic)
    gradients = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in model.named_parameters()
    }
    return gradients, noise.drawn
