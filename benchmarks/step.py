"""Time a training step beside a bare PyTorch loop, and beside Lightning without any logging.

    make bench      (or: python benchmarks/step.py)

All take turns in one process, a short epoch each, so that whatever else the machine does hits all
alike; a ratio is the median over rounds of the ratio within a round.
``fit`` is the training of ``vae-zoo fit``: it observes every term, and writes them to metrics.csv
and to W&B offline. Two minutes on two cores.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, softplus

from vae_zoo.callbacks import KLHistogram, Pictures, Progress
from vae_zoo.callbacks.idle import skip_idle_hooks
from vae_zoo.checkpoints import WholeCheckpoints
from vae_zoo.data import DataModule, Split, Splits
from vae_zoo.fit import own_callbacks, quieten
from vae_zoo.likelihoods import Normal
from vae_zoo.metrics_file import MetricsFile
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.processor import prepare_processor
from vae_zoo.profiler import NoProfiler
from vae_zoo.regularizers import KL, Regularizer
from vae_zoo.runs import Run
from vae_zoo.sampling import draw, gather
from vae_zoo.vae import VAE
from vae_zoo.weights_and_biases import WeightsAndBiases

LATENT, WIDTH = 20, 400
ADAM = partial(torch.optim.Adam, lr=1e-3, fused=True)
Epoch = Callable[[], float]  # trains for an epoch, and returns its seconds per step


class Enlarged(DataModule):
    """scikit-learn's digits, enlarged: real images, since noise trains to nothing."""

    classes = 0
    support = "binary"

    def __init__(self, shape: Sequence[int], batch_size: int, steps: int) -> None:
        super().__init__(batch_size=batch_size)
        self.shape, self.steps = tuple(shape), steps

    def load(self) -> Splits:
        digits = torch.from_numpy(load_digits().images > 8).float().unsqueeze(1)
        enlarged = interpolate(digits, self.shape[1:])
        x = enlarged[torch.arange(self.steps * self.batch_size) % len(enlarged)]
        return Splits(Split(x), Split(x[:1]), Split(x[:1]))


class Means(Regularizer):
    """Match the mean of the codes: next to no work, so that only the overhead is left."""

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return (gather(z).mean(0) - gather(draw(p)).mean(0)).square().sum()


class Silent(VAE):
    """The same model without a thought for its terms."""

    def training_step(self, batch: tuple[Tensor, Tensor | None], batch_idx: int) -> Tensor:
        return self(*batch).loss  # type: ignore[no-any-return]


class Stopwatch(Callback):
    """The seconds that each training epoch took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds.append(perf_counter() - self.start)


def bare(data: Enlarged) -> Epoch:
    """Train 784-400-400-20 in a plain loop."""
    x = data.load().train.x.flatten(1)

    def layers(*widths: int) -> nn.Sequential:
        modules = [m for n, w in pairwise(widths) for m in (nn.Linear(n, w), nn.ReLU())]
        return nn.Sequential(*modules[:-1])

    encoder = layers(x.shape[1], WIDTH, WIDTH, 2 * LATENT)
    decoder = layers(LATENT, WIDTH, WIDTH, x.shape[1])
    optimizer = ADAM([*encoder.parameters(), *decoder.parameters()])

    def epoch() -> float:
        start = perf_counter()
        for rows in torch.split(torch.randperm(len(x)), data.batch_size):
            batch = x.index_select(0, rows)
            loc, scale = encoder(batch).chunk(2, dim=1)
            scale = softplus(scale) + 1e-4
            logits = decoder(loc + scale * torch.randn_like(scale))
            distortion = binary_cross_entropy_with_logits(logits, batch, reduction="sum")
            rate = 0.5 * (loc.square() + scale.square() - 1 - 2 * scale.log()).sum()
            optimizer.zero_grad()
            ((distortion + rate) / len(batch)).backward()
            optimizer.step()
        return (perf_counter() - start) / data.steps

    return epoch


def lightning(model: VAE, data: Enlarged, **options: Any) -> Epoch:
    """Train with a Trainer, one epoch a call."""
    stopwatch = Stopwatch()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=0,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        enable_model_summary=False,
        **{**options, "callbacks": [*options.get("callbacks", []), stopwatch]},
    )

    def epoch() -> float:
        assert trainer.fit_loop.max_epochs is not None
        trainer.fit_loop.max_epochs += 1
        trainer.fit(model, datamodule=data)
        return stopwatch.seconds[-1] / data.steps

    return epoch


def logged(folder: str) -> dict[str, Any]:
    """What ``vae-zoo fit`` gives its trainer."""
    run = Run(Path(folder))
    callbacks = [Pictures(), KLHistogram(), *own_callbacks(run), Progress()]
    skip_idle_hooks(callbacks)
    return {
        "logger": [MetricsFile(run), WeightsAndBiases(run, {}, "benchmark", [])],
        "callbacks": callbacks,
        "plugins": [WholeCheckpoints()],
        "default_root_dir": folder,
        "profiler": NoProfiler(),
    }


QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


def interleave(contenders: dict[str, Epoch], rounds: int) -> dict[str, list[float]]:
    """Give each contender a turn in every round; return the seconds per step of each turn."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, epoch in contenders.items():
            seconds = epoch()
            if turn:  # the first warms up
                times[name].append(seconds)
    return times


def measure(folder: str, rounds: int) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Measure each setting: its name, and the turns of its contenders, epochs of 50,000 images."""
    network = partial(MLP, hidden=(WIDTH, WIDTH))
    for batch_size, steps in ((128, 390), (512, 97)):
        data = Enlarged((1, 28, 28), batch_size, steps)
        options: dict[str, Any] = {"encoder": network, "decoder": network, "optimizer": ADAM}
        options |= {"shape": data.shape, "latent_dim": LATENT, "regularizer": KL()}
        contenders = {
            "bare": bare(data),
            "fit": lightning(VAE(**options), data, **logged(f"{folder}/{batch_size}")),
            "lightning": lightning(Silent(**options), data, **QUIET),
        }
        yield f"MLP 784-400-400-20, batch {batch_size}", interleave(contenders, rounds)
    data = Enlarged((1, 1, 1), 128, 200)
    affine = partial(MLP, hidden=())
    tiny: dict[str, Any] = {
        "encoder": affine,
        "decoder": affine,
        "posterior": Deterministic,
        "likelihood": Normal,
        "optimizer": ADAM,
        "shape": data.shape,
        "latent_dim": 1,
        "regularizer": Means(),
    }
    contenders = {
        "fit": lightning(VAE(**tiny), data, **logged(f"{folder}/tiny")),
        "lightning": lightning(Silent(**tiny), data, **QUIET),
    }
    yield "4 parameters, batch 128", interleave(contenders, rounds)


def ratio(times: dict[str, list[float]], over: str, under: str) -> str:
    """The median over rounds of one contender's time over another's."""
    if over not in times:
        return ""
    return f"{median(a / b for a, b in zip(times[over], times[under], strict=True)):.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time a training step beside a bare loop.")
    parser.add_argument("--rounds", type=int, default=11, help="turns of each (default: 11)")
    rounds = parser.parse_args().rounds
    quieten()
    prepare_processor()  # as fit does; the bare loop gains by it too
    os.environ["WANDB_MODE"] = "offline"
    table = Table("", "fit, ms per step", "Lightning", "bare", "bare / fit", "fit / Lightning")
    with tempfile.TemporaryDirectory() as folder:
        for name, times in measure(folder, rounds):
            milliseconds = {who: f"{1e3 * median(turns):.3f}" for who, turns in times.items()}
            cells = [milliseconds.get(who, "") for who in ("fit", "lightning", "bare")]
            ratios = [ratio(times, "bare", "fit"), ratio(times, "fit", "lightning")]
            table.add_row(name, *cells, *ratios)
    console = Console()
    console.print(table)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds")


if __name__ == "__main__":
    main()
