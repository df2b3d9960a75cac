"""Several processes train as one that has all their examples, whatever is regularized by what.

Each model is trained by a real ``Trainer`` on processes that draw noise of their own, and then by
one process that is given the noise of all of them.
"""

import logging
import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch import Tensor, distributed, multiprocessing
from torch.optim import SGD
from torch.testing import assert_close

from vae_zoo import objectives, priors, regularizers
from vae_zoo.compatibility import make
from vae_zoo.conditions import OneHot, Unconditional
from vae_zoo.contract.noise import Noise, align
from vae_zoo.data import DataModule
from vae_zoo.data.splits import Split, Splits
from vae_zoo.networks import MLP
from vae_zoo.objectives import Objective, PenalizedLikelihood
from vae_zoo.regularizers import KL, MMD, Regularizer
from vae_zoo.vae import VAE

pytestmark = pytest.mark.slow

EXAMPLES, BATCH = 48, 12  # of all processes together
STEPS = {3: 1, 2: 3}  # of so many processes
LONG = 20  # where only the regularizer, or only the prior, is another than usual, on two
CLIP = 0.2  # of the norm of the gradient
SMALL = {  # which are many times as large by default
    "Adversarial": partial(regularizers.Adversarial, hidden=[5]),
    "CriticWasserstein": partial(regularizers.CriticWasserstein, hidden=[5]),
    "FactorVAE": partial(regularizers.FactorVAE, hidden=[5]),
    "Flow": partial(priors.Flow, transform="realnvp", hidden=[4], transforms=1),
    "VampPrior": partial(priors.VampPrior, components=5),
}
# It takes the best of many directions, of which some are as good but for rounding.
DOUBLE = ["MaxSlicedWasserstein"]
VARIANTS = {  # what an option makes another computation, under N(0, I)
    "Adversarial annealed": lambda: regularizers.Annealed(SMALL["Adversarial"](), steps=9),
    "Adversarial in a sum": lambda: regularizers.Sum([KL(), SMALL["Adversarial"]()]),
    "Capacity of MMD": lambda: regularizers.Capacity(MMD(), nats=0.1, steps=9),
    "CriticWasserstein clip": lambda: SMALL["CriticWasserstein"](lipschitz="clip"),
    "CriticWasserstein spectral": lambda: SMALL["CriticWasserstein"](lipschitz="spectral"),
    "DIP II": lambda: regularizers.DIP(kind="II"),
    "EmpiricalWasserstein 1": lambda: regularizers.EmpiricalWasserstein(order=1.0),
    "EnergyDistance exact": lambda: regularizers.EnergyDistance(prior="exact"),
    "FreeBits in a group": lambda: regularizers.FreeBits(KL(), nats=0.3, groups=1),
    "InfoVAE without KL": lambda: regularizers.InfoVAE(alpha=1.0),
    "MMD exact": lambda: MMD(prior="exact"),
    "MMD gaussian": lambda: MMD(kernel="gaussian", width="median"),
    "MMD laplace": lambda: MMD(kernel="laplace"),
    "MMD posterior": lambda: MMD(kernel="gaussian", prior="posterior"),
    "SlicedWasserstein exact": lambda: regularizers.SlicedWasserstein(prior="exact"),
    "TotalCorrelation mws": lambda: regularizers.TotalCorrelation(sampling="mws"),
    "GECO of two": lambda: objectives.GECO(target=3.0, rate=0.1, samples=2),
    "ImportanceWeighted doubly": lambda: objectives.ImportanceWeighted(doubly_reparameterized=True),
    "PenalizedLikelihood of three": lambda: PenalizedLikelihood(samples=3),
    "VariationalRenyi -inf": lambda: objectives.VariationalRenyi(alpha=-torch.inf),
    "VariationalRenyi 2": lambda: objectives.VariationalRenyi(alpha=2.0),
}


class Case(NamedTuple):
    """What a model is made of."""

    name: str
    prior: str

    def steps(self, ranks: int) -> int:
        usual = self.name == "KL" or (self.prior == "StandardNormal" and self.name not in VARIANTS)
        return LONG if ranks == 2 and usual else STEPS[ranks]

    def model(self) -> "Replaying":
        if self.name in VARIANTS:
            part = VARIANTS[self.name]()
        elif self.name in SMALL:
            part = SMALL[self.name]()
        else:
            family = "objectives" if hasattr(objectives, self.name) else "regularizers"
            part = make(family, self.name)
        torch.manual_seed(0)
        network = partial(MLP, hidden=[6])
        return Replaying(
            Points.shape,
            3,
            part if isinstance(part, Regularizer) else KL(),
            objective=part if isinstance(part, Objective) else PenalizedLikelihood(),
            prior=SMALL.get(self.prior) or getattr(priors, self.prior),
            condition=OneHot if self.prior == "ConditionalNormal" else Unconditional,
            classes=Points.classes,
            encoder=network,
            decoder=network,
            optimizer=partial(SGD, lr=0.1),  # Adam's first step is blind to a wrong factor
        )


class Found(NamedTuple):
    """What a training came to, on one process."""

    first: dict[str, Tensor]  # what was learned in the first step
    last: dict[str, Tensor]
    norms: list[float]  # of the gradients, before they were clipped
    noise: list[Tensor]


def cases():
    """Every pair of a regularizer, or an objective, and a prior that trains; and the variants."""
    page = (Path(__file__).parents[2] / "docs" / "pairs.md").read_text(encoding="utf-8")
    table = page.split("\n## ")[1].splitlines()[2:]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table if row]
    head, _, *pairs = rows
    found = [
        Case(name, prior)
        for name, *cells in pairs
        for prior, cell in zip(head[1:], cells, strict=True)
        if cell == "✓"
    ]
    return found + [Case(name, "StandardNormal") for name in VARIANTS]


CASES = {2: cases(), 3: cases()[::5]}  # a fifth is one or two priors of nearly each


class Points(DataModule):
    """Binary points that are not alike."""

    shape, support, classes = (5,), "binary", 3

    def load(self):
        generator = torch.Generator().manual_seed(0)
        dark = torch.rand(EXAMPLES, 1, generator=generator)
        x = (torch.rand(EXAMPLES, *self.shape, generator=generator) < dark).float()
        split = Split(x, torch.arange(EXAMPLES) % self.classes)
        return Splits(split, split, split)


class Replaying(VAE):
    """Keeps the noise of its training, or replaces it by what was kept."""

    noise = nullcontext()

    def training_step(self, *batch):
        with self.noise:
            return super().training_step(*batch)


class Watch(Callback):
    """Keeps what a model has learned after its first step, and how steep its loss was."""

    def __init__(self):
        self.first, self.norms = None, []

    def on_before_optimizer_step(self, trainer, vae, optimizer):
        gradients = [weight.grad.flatten() for weight in vae.parameters()]
        self.norms.append(torch.cat(gradients).norm().item())

    def on_train_batch_end(self, trainer, vae, *_):
        if trainer.global_step == 1 and self.first is None:
            self.first = numbers(vae)


def numbers(vae):
    """All that a model has learned, its buffers too."""
    state = vae.state_dict().items()
    return {name: value.clone() for name, value in state if value.is_floating_point()}


def train(case, ranks, steps, kept=None):
    """Train on this process, of so many: two batches a step at first, and then one."""
    vae, watch = case.model(), Watch()
    vae.noise = Noise(kept)
    data = Points(BATCH // ranks)
    data.seed = 0
    trainer = Trainer(
        accelerator="cpu",
        strategy="ddp" if ranks > 1 else "auto",
        devices=ranks,
        max_steps=steps,
        precision="64-true" if case.name in DOUBLE else "32-true",
        gradient_clip_val=CLIP,
        callbacks=[watch, GradientAccumulationScheduler({0: 2, 1: 1})],
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(vae, datamodule=data)
    return Found(watch.first, numbers(vae), watch.norms, vae.noise.drawn)


def run_rank(rank, folder):
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for ranks in STEPS:
        if rank >= ranks:
            continue
        place = {"LOCAL_RANK": rank, "NODE_RANK": 0, "WORLD_SIZE": ranks}
        os.environ |= {name: str(number) for name, number in place.items()}
        distributed.init_process_group(
            "gloo", init_method=f"file://{folder}/{ranks}", rank=rank, world_size=ranks
        )
        found = [[*train(case, ranks, case.steps(ranks))] for case in CASES[ranks]]
        torch.save(found, f"{folder}/{rank}-of-{ranks}.pt")
        distributed.barrier()
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory, pytestconfig):
    """What each process found of each case, by the number of processes."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(pytestconfig.rootpath), *sys.path])  # finds this module
        patch.setitem(os.environ, "OMP_NUM_THREADS", "1")
        multiprocessing.spawn(run_rank, (str(folder),), nprocs=max(STEPS))
    of_all = {}
    for ranks in STEPS:
        files = [torch.load(folder / f"{rank}-of-{ranks}.pt") for rank in range(ranks)]
        of_each = zip(*([Found(*one) for one in file] for file in files), strict=True)
        of_all[ranks] = dict(zip(CASES[ranks], of_each, strict=True))
    return of_all


@pytest.mark.filterwarnings("ignore:.* but the training ends after")  # of schedules
@pytest.mark.parametrize(
    ("ranks", "case"),
    [
        pytest.param(ranks, case, id=f"{ranks}-{case.name}-{case.prior}")
        for ranks in STEPS
        for case in CASES[ranks]
    ],
)
def test_processes_train_as_one_that_has_all_their_examples(of_ranks, ranks, case):
    found = of_ranks[ranks][case]
    one = train(case, 1, case.steps(ranks), align([rank.noise for rank in found]))
    assert max(one.norms) > CLIP
    begun = numbers(case.model())
    assert any(not torch.equal(value, one.last[name]) for name, value in begun.items())
    for rank in found:
        assert_close(rank.first, one.first, rtol=0, atol=1e-6)
        assert_close(rank.last, one.last, rtol=0, atol=1e-4)
    if found[0].noise:
        assert not all(map(torch.equal, found[0].noise, found[1].noise))
