"""How good a likelihood five CPU minutes buy: `vae-zoo fit` beside a bare loop, and beside pythae.

    make bench-peers      (installs pythae in .venv-peers; without it its rows are left out)
    python benchmarks/time_to_quality.py --seeds 3

All train 784-400-40 on static binary MNIST (`VAE_ZOO_DATA` names its folder) with one thread each,
in a process of their own: fit and the bare loop at the same time, both by the recipe of
configs/experiment/static_mnist, so that whatever else the machine does hits both; then pythae, by
the defaults of its trainer. The clock counts the CPU time of a process while it trains: of fit all
that it does in an epoch, metrics and W&B (offline) too, but for the validation. At each look the
weights are kept. In the end ELBO and importance-weighted bound are computed of all alike, by 200
samples of each of the 10,000 test images, and written into docs/results.md, too. 36 minutes for
three seeds on two cores; the last of pythae has the machine for itself.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import fmean, median, stdev
from time import process_time
from typing import Any, NamedTuple

import pandas as pd
import torch
import yaml
from lightning import Callback, LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn.functional import binary_cross_entropy_with_logits, softplus
from torch.optim.lr_scheduler import OneCycleLR

from vae_zoo.data import BinarizedMNIST
from vae_zoo.evaluation.bounds import weigh
from vae_zoo.networks import MLP
from vae_zoo.processor import prepare_processor
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

LOOKS = (75, 150, 300)  # CPU seconds
SAMPLES = 200
PIXELS, HIDDEN, LATENT, BATCH = 784, 400, 40, 100
HERE = Path(__file__).parent
RECIPE = HERE.parent / "configs" / "experiment" / "static_mnist.yaml"
PEERS = HERE.parent / ".venv-peers"
Parameters = tuple[Tensor, ...]  # weights and biases of both networks, layer by layer


class Clock:
    """The CPU time that training took, and the weights at each look.

    Args:
        folder: Where to keep the weights.
        parameters: Returns those of the networks.
    """

    def __init__(self, folder: Path, parameters: Callable[[], Parameters]) -> None:
        self.folder, self.parameters = folder, parameters
        self.folder.mkdir(parents=True)
        self.epochs, self.seconds, self.looks = 0, 0.0, list(LOOKS)

    def start(self) -> None:
        self.begin = process_time()

    def pause(self) -> None:
        self.seconds += process_time() - self.begin

    def end_epoch(self) -> None:
        self.pause()
        self.epochs += 1
        if self.looks and self.seconds >= self.looks[0]:
            self.keep(self.looks.pop(0))

    def keep(self, look: int) -> None:
        parameters = [each.detach().clone() for each in self.parameters()]
        kept = {"seconds": self.seconds, "epochs": self.epochs, "parameters": parameters}
        torch.save(kept, self.folder / f"{look}.pt")

    def end(self) -> None:
        """Keep the weights at the end of training for the looks that it did not reach."""
        for look in self.looks:
            self.keep(look)


class Looks(Callback):
    """Holds the clock over a run of fit.

    Args:
        folder: Where to keep the weights.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, VAE)
        both = (*pl_module.encoder.parameters(), *pl_module.decoder.parameters())
        self.clock = Clock(self.folder, lambda: both)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.start()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.clock.pause()  # an epoch of training has that of validation within

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.clock.start()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.end_epoch()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.end()


def fit(seed: int, folder: Path) -> list[str]:
    """The command that trains with ``vae-zoo fit``."""
    return [
        *(sys.executable, "-m", "vae_zoo", "fit", "-c", "base", "-c", str(RECIPE)),
        *(f"--seed_everything={seed}", "--scorecard=false"),
        *("--trainer.callbacks+=time_to_quality.Looks", f"--trainer.callbacks.folder={folder}"),
    ]


def itself(name: str, seed: int, folder: Path) -> list[str]:
    """The command by which this program trains another contender."""
    return [sys.executable, __file__, "--train", name, "--seed", str(seed), "--keep", str(folder)]


def train_bare(x: Tensor, folder: Path) -> None:
    """Train by a plain loop, as the recipe says."""
    recipe = yaml.safe_load(RECIPE.read_text())
    schedule = recipe["model"]["lr_scheduler"]["init_args"]
    encoder = nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT))
    decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS))
    parameters = (*encoder.parameters(), *decoder.parameters())
    optimizer = torch.optim.Adam(parameters, lr=schedule["max_lr"], fused=True)
    scheduler = OneCycleLR(optimizer, **schedule)
    clock = Clock(folder, lambda: parameters)
    for _ in range(recipe["trainer"]["max_epochs"]):
        clock.start()
        for rows in torch.randperm(len(x)).split(BATCH):  # type: ignore[no-untyped-call]
            batch = x.index_select(0, rows)
            loc, scale = encoder(batch).chunk(2, dim=1)
            scale = softplus(scale) + 1e-4
            logits = decoder(loc + scale * torch.randn_like(scale))
            distortion = binary_cross_entropy_with_logits(logits, batch, reduction="sum")
            rate = 0.5 * (loc.square() + scale.square() - 1 - 2 * scale.log()).sum()
            optimizer.zero_grad()
            ((distortion + rate) / len(batch)).backward()
            optimizer.step()
            scheduler.step()
        clock.end_epoch()
    clock.end()


def train_pythae(x: Tensor, folder: Path) -> None:
    """Train by pythae's trainer at its defaults, but for the batch, until the last look."""
    sys.path.extend(str(path) for path in PEERS.glob("lib/python*/site-packages"))
    models, networks, trainers = map(
        import_module, ("pythae.models", "pythae.models.nn", "pythae.trainers")
    )
    Output = import_module("pythae.models.base.base_utils").ModelOutput  # noqa: N806
    callbacks = import_module("pythae.trainers.training_callbacks")

    class Encoder(networks.BaseEncoder):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU())
            self.loc, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)

        def forward(self, x: Tensor) -> Any:
            h = self.hidden(x)
            return Output(embedding=self.loc(h), log_covariance=self.log_variance(h))

    class Decoder(networks.BaseDecoder):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            layers = nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS), nn.Sigmoid()
            self.layers = nn.Sequential(*layers)

        def forward(self, z: Tensor) -> Any:
            return Output(reconstruction=self.layers(z))

    class Enough(Exception):  # noqa: N818
        """The last look was taken."""

    class Timed(callbacks.TrainingCallback):  # type: ignore[name-defined, misc]
        def on_epoch_begin(self, training_config: Any, **kwargs: Any) -> None:
            clock.start()

        def on_epoch_end(self, training_config: Any, **kwargs: Any) -> None:
            clock.end_epoch()
            if not clock.looks:
                raise Enough

    encoder, decoder = Encoder(), Decoder()
    config = models.VAEConfig(input_dim=(PIXELS,), latent_dim=LATENT, reconstruction_loss="bce")
    model = models.VAE(config, encoder, decoder)
    options = {"num_epochs": 1000, "per_device_train_batch_size": BATCH, "no_cuda": True}
    training = trainers.BaseTrainerConfig(output_dir=str(folder / "pythae"), **options)
    clock = Clock(folder, lambda: (*encoder.parameters(), *decoder.parameters()))
    dataset = import_module("pythae.data.datasets").BaseDataset(x, torch.zeros(len(x)))
    trainer = trainers.BaseTrainer(model, dataset, training_config=training, callbacks=[Timed()])
    try:
        trainer.train()
    except Enough:
        return


class Look(NamedTuple):
    """What a contender had at a look: CPU seconds, epochs, and the two bounds, in nats."""

    seconds: float
    epochs: int
    elbo: float
    iwae: float


@torch.no_grad()
def evaluate(file: Path, x: Tensor, log_variances: bool) -> Look:
    """Compute both bounds of the weights of a look, by the same code for all contenders."""
    kept = torch.load(file, weights_only=True)
    parameters = list(kept["parameters"])
    network = partial(MLP, hidden=(HIDDEN,))
    vae = VAE((PIXELS,), LATENT, KL(), encoder=network, decoder=network).eval()
    for own, given in zip(vae.decoder.parameters(), parameters[-4:], strict=True):
        own.copy_(given)
    bounds = []
    for batch in x.split(500):  # type: ignore[no-untyped-call]
        h = nn.functional.linear(batch, *parameters[:2]).relu()
        if log_variances:
            loc, log_variance = (nn.functional.linear(h, *parameters[i : i + 2]) for i in (2, 4))
            scale = (0.5 * log_variance).exp()
        else:
            loc, scale = nn.functional.linear(h, *parameters[2:4]).chunk(2, dim=1)
            scale = softplus(scale) + 1e-4
        c = batch.new_empty(len(batch), 0)
        q = Independent(Normal(loc, scale), 1)
        bounds.append(weigh(vae, q, vae.prior(c), batch, c, SAMPLES))
    elbo, iwae = (torch.cat(column).mean().item() for column in list(zip(*bounds, strict=True))[:2])
    return Look(kept["seconds"], kept["epochs"], elbo, iwae)


def train(commands: dict[str, list[str]], folder: Path) -> None:
    """Run commands at the same time, one thread each."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "offline",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
    }
    started = []
    for name, command in commands.items():
        log = (folder / f"{name}.log").open("w")
        started.append(
            subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        )
    for name, process in zip(commands, started, strict=True):
        if process.wait():
            raise RuntimeError((folder / f"{name}.log").read_text()[-2000:])


def train_all(seeds: int, folder: Path) -> dict[str, list[Path]]:
    """Train two at a time, fit beside the bare loop; return the folders of each, by seed."""
    names = ["fit", "bare", *(["pythae"] if PEERS.exists() else [])]
    places = {name: [folder / f"{name}-{seed}" for seed in range(seeds)] for name in names}
    turns = [(name, seed) for seed in range(seeds) for name in ("fit", "bare")]
    turns += [("pythae", seed) for seed in range(seeds) if PEERS.exists()]
    for first in range(0, len(turns), 2):
        commands = {}
        for name, seed in turns[first : first + 2]:
            place = places[name][seed]
            commands[place.name] = fit(seed, place) if name == "fit" else itself(name, seed, place)
        print(f"{first + len(commands)} of {len(turns)}: {' and '.join(commands)}", flush=True)
        train(commands, folder)
    return places


def table_of(found: dict[str, list[list[Look]]]) -> pd.DataFrame:
    """A row a look, means ± standard errors over seeds; the ratio is the median of the seeds'."""
    epoch = {
        name: [looks[-1].seconds / looks[-1].epochs for looks in by_seed]
        for name, by_seed in found.items()
    }
    rows = []
    for name, by_seed in found.items():
        ratio = median(a / b for a, b in zip(epoch[name], epoch["bare"], strict=True))
        for looks in zip(*by_seed, strict=True):
            seconds, epochs, elbos, iwaes = (list(column) for column in zip(*looks, strict=True))
            row = {
                "trained by": name,
                "CPU seconds": f"{fmean(seconds):.0f}",
                "epochs": f"{fmean(epochs):.0f}",
                "ELBO, nats": spread(elbos),
                "IWAE-200, nats": spread(iwaes),
                "CPU seconds an epoch": f"{fmean(epoch[name]):.2f}",
                "of the bare loop's": f"{ratio:.3f}",
            }
            rows.append(row)
    return pd.DataFrame(rows)


def spread(values: list[float]) -> str:
    """Mean ± standard error over seeds."""
    error = f" ± {stdev(values) / math.sqrt(len(values)):.2f}" if len(values) > 1 else ""
    return f"{fmean(values):.2f}{error}"


def main() -> None:
    """Train what the command line names, or all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3, help="of each contender (default: 3)")
    parser.add_argument("--train", choices=["bare", "pythae"], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    prepare_processor()
    data = BinarizedMNIST()
    try:
        data.prepare_data()
    except OSError as error:
        parser.error(str(error))
    if arguments.train:
        seed_everything(arguments.seed, verbose=False)
        x = data.load().train.x.flatten(1).float()
        {"bare": train_bare, "pythae": train_pythae}[arguments.train](x, arguments.keep)
        return
    sys.path.append(str(HERE.parent / "docs" / "experiments"))
    from report import show  # before the training, lest it be in vain

    x = data.load().test.x.flatten(1).float()
    with tempfile.TemporaryDirectory() as folder:
        places = train_all(arguments.seeds, Path(folder))
        found = {
            name: [
                [evaluate(each / f"{look}.pt", x, name == "pythae") for look in LOOKS]
                for each in kept
            ]
            for name, kept in places.items()
        }
    show("time_to_quality", table_of(found))


if __name__ == "__main__":
    main()
