"""Time a training step beside a bare PyTorch loop, and beside Lightning without any logging.

    make bench      (or: python benchmarks/step.py)

All take turns in one process, an epoch each, so that whatever else the machine does hits all alike.
``fit`` is the training of ``vae-zoo fit``: it observes every term, and writes them to metrics.csv
and to W&B offline. Medians over epochs; three minutes on two cores.
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
from lightning.pytorch.callbacks import RichProgressBar
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from vae_zoo.data import DataModule, Split, Splits
from vae_zoo.fit import own_callbacks, quieten
from vae_zoo.likelihoods import Normal
from vae_zoo.loggers import MetricsFile, WeightsAndBiases
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import KL, Regularizer
from vae_zoo.runs import Run
from vae_zoo.sampling import draw, gather
from vae_zoo.vae import VAE

LATENT, WIDTH = 20, 400
ADAM = partial(torch.optim.Adam, lr=1e-3, fused=True)
Epoch = Callable[[], float]  # trains for an epoch, and returns its seconds per step


class Noise(DataModule):
    """Binary noise of a shape: what the images show does not matter here."""

    classes = 0
    support = "binary"

    def __init__(self, shape: Sequence[int], batch_size: int, steps: int) -> None:
        super().__init__(batch_size=batch_size)
        self.shape, self.steps = tuple(shape), steps

    def load(self) -> Splits:
        x = torch.rand(self.steps * self.batch_size, *self.shape).round()
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


def bare(data: Noise) -> Epoch:
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
        for rows in torch.randperm(len(x)).split(data.batch_size):
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


def lightning(model: VAE, data: Noise, **options: Any) -> Epoch:
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
    return {
        "logger": [MetricsFile(run), WeightsAndBiases(run, {}, "benchmark", [])],
        "callbacks": [*own_callbacks(run), RichProgressBar(refresh_rate=10)],
        "default_root_dir": folder,
    }


QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


def interleave(contenders: dict[str, Epoch], rounds: int) -> dict[str, float]:
    """Give each contender a turn in every round; return the median seconds per step of each."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, epoch in contenders.items():
            seconds = epoch()
            if turn:  # the first warms up
                times[name].append(seconds)
    return {name: median(values) for name, values in times.items()}


def measure(folder: str, rounds: int) -> Iterator[tuple[str, float, float, float | None]]:
    """Measure each setting: its name, and seconds per step of fit, Lightning and the bare loop."""
    network = partial(MLP, hidden=(WIDTH, WIDTH))
    for batch_size, steps in ((128, 200), (512, 60)):
        data = Noise((1, 28, 28), batch_size, steps)
        options: dict[str, Any] = {"encoder": network, "decoder": network, "optimizer": ADAM}
        sizes: dict[str, Any] = {"shape": data.shape, "latent_dim": LATENT, "regularizer": KL()}
        times = interleave(
            {
                "bare": bare(data),
                "fit": lightning(VAE(**sizes, **options), data, **logged(f"{folder}/{batch_size}")),
                "lightning": lightning(Silent(**sizes, **options), data, **QUIET),
            },
            rounds,
        )
        name = f"MLP 784-400-400-20, batch {batch_size}"
        yield name, times["fit"], times["lightning"], times["bare"]
    data = Noise((1,), 128, 500)
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
    times = interleave(
        {
            "fit": lightning(VAE(**tiny), data, **logged(f"{folder}/tiny")),
            "lightning": lightning(Silent(**tiny), data, **QUIET),
        },
        rounds,
    )
    yield "4 parameters, batch 128", times["fit"], times["lightning"], None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11, help="epochs of each (default: 11)")
    rounds = parser.parse_args().rounds
    quieten()
    os.environ["WANDB_MODE"] = "offline"
    table = Table(
        "ms per step", "fit", "Lightning, no logging", "bare loop", "bare / fit", "fit / Lightning"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, fit, silent, loop in measure(folder, rounds):
            cells = [f"{1e3 * seconds:.3f}" for seconds in (fit, silent)]
            cells += [f"{1e3 * loop:.3f}", f"{loop / fit:.3f}"] if loop else ["", ""]
            table.add_row(name, *cells, f"{fit / silent:.3f}")
    console = Console()
    console.print(table)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds")


if __name__ == "__main__":
    main()
