"""Two ranks train as one: the gradient of 2 x B examples is that of 1 x 2B."""

import os
import sys

import pytest
import torch
from torch import distributed, multiprocessing
from torch.distributions import Independent
from torch.distributions import Normal as NormalDistribution
from torch.testing import assert_close

from vae_zoo.likelihoods import Normal
from vae_zoo.objectives import GECO
from vae_zoo.posteriors import Delta
from vae_zoo.priors.normal import Standard
from vae_zoo.regularizers import (
    DIP,
    MMD,
    Capacity,
    CramerWold,
    EmpiricalWasserstein,
    EnergyDistance,
    FactorVAE,
    FreeBits,
    GaussianWasserstein,
    MaxSlicedWasserstein,
    Moments,
    Sinkhorn,
    SlicedWasserstein,
    SteinDiscrepancy,
    Sum,
    TotalCorrelation,
)
from vae_zoo.sampling import directions, gather

RANKS, B = 2, 6
REGULARIZERS = {
    "capacity": Capacity(GaussianWasserstein(), nats=5.0, steps=1).eval(),  # ranks straddle it
    "free bits": FreeBits(GaussianWasserstein(weight=2.0), nats=2.0),  # ranks straddle it
    "imq": MMD(weight=3.0),
    "gaussian": MMD(kernel="gaussian"),
    "laplace": MMD(kernel="laplace", width="median"),
    "exact": Sum([MMD(prior="exact"), GaussianWasserstein()]),
    "posterior": Sum([MMD(kernel="gaussian", prior="posterior"), GaussianWasserstein()]),
    "energy": EnergyDistance(),
    "energy exact": Sum([EnergyDistance(prior="exact"), GaussianWasserstein()]),
    "cramer-wold": Sum([CramerWold(), GaussianWasserstein()]),
    "stein": SteinDiscrepancy(),
    "sliced": SlicedWasserstein(projections=5),
    "sliced exact": Sum([SlicedWasserstein(prior="exact", order=3), GaussianWasserstein()]),
    "max sliced": MaxSlicedWasserstein(starts=2),
    "sinkhorn": Sinkhorn(blur=0.5),
    "empirical": EmpiricalWasserstein(),
    "moments": Moments(),
    "dip I": Sum([DIP(), GaussianWasserstein()]),
    "dip II": Sum([DIP(kind="II"), GaussianWasserstein()]),
    "total correlation": TotalCorrelation(),
}
REGULARIZERS["total correlation"].dataset_size = 100


def normal(loc):
    """A normal for those that need one; it passes for N(0, I) with those that ask for its type."""
    return Standard(NormalDistribution(loc, torch.ones_like(loc)), 1)


def widening(loc):
    """A normal whose scale differs between examples too."""
    return Independent(NormalDistribution(loc, 0.5 + loc.sigmoid()), 1)


NORMALS = dict.fromkeys(["dip I", "dip II", "total correlation", "posterior"], normal)
KNOWN = ["sliced exact", "moments", "exact", "energy exact", "cramer-wold", "stein"]
PRIORS = {**dict.fromkeys(KNOWN, normal), **NORMALS}  # of the others a point for each example


def gradients(x, y):
    """Gradients by an encoder and by a prior's mean of each divergence, on this rank's examples."""
    found = {}
    for name, regularizer in REGULARIZERS.items():
        encoder = torch.linspace(-1, 1, 12).view(4, 3).double().requires_grad_()
        mean = torch.full((3,), 0.5).double().requires_grad_()
        z = x @ encoder
        q, p = (widening if name in NORMALS else Delta)(z), PRIORS.get(name, Delta)(y + mean)
        regularizer(q, p, z).backward()
        found[f"{name} encoder"], found[f"{name} prior"] = encoder.grad, mean.grad
    return found


def gradient_of_a_critic(x, rank):
    """The gradient of the critic of a FactorVAE, whose permutations all ranks must share."""
    regularizer = FactorVAE(hidden=[5])
    torch.manual_seed(7)
    regularizer.build(4)
    torch.manual_seed(rank)
    regularizer.double().critic_loss(Delta(x), Delta(x), x).backward()
    return torch.cat([parameter.grad.flatten() for parameter in regularizer.parameters()])


def multiplier_of_geco(x):
    """The multiplier after two steps; the ranks straddle the target."""
    geco = GECO(target=4.0, rate=0.1).double()
    for _ in range(2):
        geco(None, None, None, x.square().sum(1), x.sum())
    return geco.log_multiplier


def optimal_variance(x):
    """The variance that two batches leave behind, and the log-density of the second."""
    likelihood = Normal((x.shape[1],), learned="optimal").double()
    for scale in (1.0, 2.0):
        log_prob = likelihood(torch.zeros_like(x)).log_prob(scale * x)
    return torch.stack([likelihood.log_scale, log_prob.mean()])


def run_rank(rank, folder, x, y):
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=RANKS
    )
    torch.manual_seed(rank)  # ranks draw different noise, but the same directions
    found = gradients(x.chunk(RANKS)[rank], y.chunk(RANKS)[rank])
    found["critic"] = gradient_of_a_critic(x.chunk(RANKS)[rank], rank)
    for gradient in found.values():
        distributed.all_reduce(gradient)
        gradient /= RANKS  # the mean, as DDP takes it
    found["multiplier"] = multiplier_of_geco(x.chunk(RANKS)[rank])
    found["variance"] = optimal_variance(x.chunk(RANKS)[rank])
    found["directions"] = directions(4, like=x)
    found["gathered"] = gather(x.chunk(RANKS)[rank])
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def x():
    return torch.randn(RANKS * B, 4, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture(scope="module")
def y():
    return torch.randn(RANKS * B, 3, generator=torch.Generator().manual_seed(2)).double()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, pytestconfig, x, y):
    """What each rank found."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(pytestconfig.rootpath), *sys.path])  # finds this module
        patch.setitem(os.environ, "OMP_NUM_THREADS", "1")
        multiprocessing.spawn(run_rank, (str(folder), x, y), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("of", ["encoder", "prior"])
def test_two_ranks_have_the_gradient_of_one_with_all_examples(ranks, x, y, name, of):
    torch.manual_seed(0)  # the directions of rank 0
    expected = gradients(x, y)[f"{name} {of}"]
    assert expected.abs().max() > 1e-3
    for found in ranks:
        assert_close(found[f"{name} {of}"], expected)


def test_two_ranks_train_a_critic_of_compared_codes_as_one(ranks, x):
    expected = gradient_of_a_critic(x, rank=0)
    for found in ranks:
        assert_close(found["critic"], expected)


def test_all_ranks_move_the_multiplier_of_geco_as_one(ranks, x):
    expected = multiplier_of_geco(x)
    assert expected != 0
    for found in ranks:
        assert_close(found["multiplier"], expected)


def test_all_ranks_have_the_optimal_variance_of_all_examples(ranks, x):
    log_scale, log_density = optimal_variance(x)
    assert log_scale.exp() != 1
    for found in ranks:
        assert_close(found["variance"][0], log_scale)
    assert_close(torch.stack([found["variance"][1] for found in ranks]).mean(), log_density)


def test_all_ranks_draw_the_same_directions(ranks):
    assert torch.equal(ranks[0]["directions"], ranks[1]["directions"])


def test_gathered_examples_are_those_of_all_ranks_in_order(ranks, x):
    for found in ranks:
        assert torch.equal(found["gathered"], x)
