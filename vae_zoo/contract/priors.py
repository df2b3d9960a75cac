"""What every prior must satisfy."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.contract import modules
from vae_zoo.contract.examine import examine, make_first, together
from vae_zoo.contract.pathwise import compare_gradients
from vae_zoo.contract.spaces import UNLIKELY, chance, plane
from vae_zoo.contract.verdict import Property, Verdict
from vae_zoo.networks import MLP
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.priors import Prior

LATENT_DIM, CONDITION_DIM, FEATURES = 2, 3, 5
SAMPLES = 20_000
FAR = 10.0
NOT_REACHED = Verdict(None, "not reached: its shapes are wrong", "")


class Encoder:
    """The encoder of a model of vectors, which a VampPrior asks."""

    def __init__(self, condition_dim: int) -> None:
        self.network = MLP((FEATURES,), (2 * LATENT_DIM,), condition_dim, hidden=(8,))
        self.posterior = DiagonalNormal(LATENT_DIM)

    def encode(self, x: Tensor, c: Tensor, index: Tensor | None = None) -> Distribution:
        """Return q(z | x), as the VAE does for what is no batch."""
        params = self.network(x, c)
        return self.posterior(params if index is None else params[index])  # type: ignore[no-any-return]


class Case(NamedTuple):
    """A prior, with what it may depend on.

    Args:
        prior: The prior, whose parameters are no longer those that it starts from.
        encoder: What it may encode with.
        c: A condition for each of three examples ``(3, C)``, or none for all ``(1, 0)``.
    """

    prior: Prior
    encoder: Encoder
    c: Tensor

    def double(self) -> "Case":
        """The same in double precision."""
        prior, encoder = deepcopy((self.prior, self.encoder))
        encoder.network.double()
        return Case(prior.double(), encoder, self.c.double())

    def one(self, n: int) -> Distribution:
        """The prior of n examples of the first condition."""
        return self.prior(self.c[:1]).expand((n,))  # type: ignore[no-any-return]

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density of codes ``(N, D)``, given the first condition."""
        return self.one(len(z)).log_prob(z)


class Priors:
    """A prior p(z), and as p(z | c), where it takes a condition.

    Args:
        factory: Makes the prior, from its sizes.

    Raises:
        ValueError: It refuses its options.
    """

    def __init__(self, factory: Callable[..., Prior]) -> None:
        self.factory = factory
        self.made = {}
        makers = {name: partial(self.make, dim) for name, dim in self.names.items()}
        for name, make in makers.items():
            try:
                self.made[name] = make_first([make])
            except ValueError:
                if name == "p(z | c)" and not self.made:
                    raise

    names: Mapping[str, int] = {"p(z)": 0, "p(z | c)": CONDITION_DIM}

    def make(self, condition_dim: int, seed: int = 0) -> Case:
        """Make a prior as the VAE does, and move it away from where it starts."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            prior = self.factory(latent_dim=LATENT_DIM, condition_dim=condition_dim)
            encoder = Encoder(condition_dim)
            prior.build((FEATURES,), encoder.encode)
            if prior.examples:
                prior.begin(torch.rand(prior.examples, FEATURES), None)
            modules.shake(prior)
        c = torch.eye(condition_dim) if condition_dim else torch.zeros(1, 0)
        return Case(prior.eval(), encoder, c)

    @property
    def cases(self) -> Mapping[str, Case]:
        """Those of which the densities differ: one that ignores c has the same in both."""
        kept = {name: case for name, case in self.made.items() if case.prior(case.c).batch_shape}
        return kept | {name: case for name, case in self.made.items() if name == "p(z)"}


def shapes(priors: Priors) -> Verdict:
    """Look at the shapes of densities and samples."""
    return together({name: _shapes(case) for name, case in priors.made.items()})


def _shapes(case: Case) -> Verdict:
    expected = "event shape (D,), batch shape () or, of p(z | c), (B,), which expands to (B,)"
    p = case.prior(case.c)
    shown = f"event {tuple(p.event_shape)}, batch {tuple(p.batch_shape)}"
    n = len(case.c)
    if tuple(p.event_shape) != (LATENT_DIM,) or tuple(p.batch_shape) not in ((), (n,)):
        return Verdict(False, shown, expected)
    n = max(n, 3)
    p = p.expand((n,))
    found = {
        "log_prob": (p.log_prob(torch.zeros(n, LATENT_DIM)), (n,)),
        "log_prob of 4 samples each": (p.log_prob(torch.zeros(4, n, LATENT_DIM)), (4, n)),
        "sample": (p.sample(), (n, LATENT_DIM)),
        "4 samples each": (p.sample((4,)), (4, n, LATENT_DIM)),
    }
    for name, (value, shape) in found.items():
        if tuple(value.shape) != shape:
            return Verdict(False, f"{shown}, {name} {tuple(value.shape)} for {shape}", expected)
    return Verdict(True, shown, expected)


def integrates_to_one(priors: Priors) -> Verdict:
    """Sum the density over the plane."""
    return together({name: _integral(case.double()) for name, case in priors.cases.items()})


@torch.no_grad()
def _integral(case: Case) -> Verdict:
    space = plane(case.one(SAMPLES).sample())
    total = space.density(case.log_prob).sum().item()
    return Verdict(abs(total - 1) <= 5e-3, f"{total:.5f}", "1 to 5e-3, in two dimensions")


def samples_follow_the_density(priors: Priors) -> Verdict:
    """Count the samples in cells of the plane."""
    return together({name: _samples(case.double()) for name, case in priors.cases.items()})


@torch.no_grad()
def _samples(case: Case) -> Verdict:
    samples = case.one(SAMPLES).sample()
    space = plane(samples)
    p_value = chance(space, space.density(case.log_prob), samples)
    expected = f"at least {UNLIKELY:g}: chi-squared of {SAMPLES} samples in 64 cells"
    return Verdict(p_value >= UNLIKELY, f"p-value {p_value:.2g}", expected)


def gradient_of_samples(priors: Priors) -> Verdict:
    """Compare the gradient through samples with that of the sum over the plane."""
    return together({name: _pathwise(case.double()) for name, case in priors.cases.items()})


def _pathwise(case: Case) -> Verdict:
    expected = "equal within 6 standard errors, by each parameter"
    if not case.one(1).has_rsample:
        reason = "does not apply: its samples pass no gradients"
        return Verdict(None, reason, expected)
    parameters = dict(case.prior.named_parameters()) | dict(case.encoder.network.named_parameters())
    used = {name: value for name, value in parameters.items() if value.requires_grad}
    return compare_gradients(case.one, case.log_prob, used)


def gradient_in_parameters(priors: Priors) -> Verdict:
    """Follow the gradient of the density to the parameters."""
    return together({name: _reached(case) for name, case in priors.cases.items()})


def _reached(case: Case) -> Verdict:
    n = max(len(case.c), 3)
    loss = case.prior(case.c).expand((n,)).log_prob(torch.ones(n, LATENT_DIM)).sum()
    return modules.reaches_all(loss, case.prior, case.encoder.network.parameters())


def each_condition_its_own(priors: Priors) -> Verdict:
    """Compare the densities given a condition, in a batch of several and alone."""
    expected = "the same density given the same condition, whatever else the batch holds"
    case = priors.cases.get("p(z | c)")
    if case is None:
        return Verdict(None, "does not apply: it is no p(z | c)", expected)
    z = torch.ones(1, LATENT_DIM)
    alone = torch.cat([case.prior(row[None]).log_prob(z) for row in case.c])
    order = [2, 0, 1, 0]
    beside = case.prior(case.c[order]).log_prob(z.expand(len(order), -1))
    off = (beside - alone[order]).abs().max().item()
    if torch.equal(alone, alone[:1].expand_as(alone)):
        return Verdict(False, "the same density given any condition", expected)
    return Verdict(off <= 1e-4, f"differs by {off:.1g}", expected)


def finite_far_out(priors: Priors) -> Verdict:
    """Take the log-density and its gradient far from the origin."""
    return together({name: _far(case) for name, case in priors.cases.items()})


def _far(case: Case) -> Verdict:
    expected = f"finite, with its gradient by z, at ±{FAR:g}"
    signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    z = (FAR * signs).requires_grad_()
    log_prob = case.log_prob(z)
    lowest = f"{log_prob.min():.4g}"
    if log_prob.isneginf().any():
        return Verdict(None, f"{lowest}: it has bounds, and a KL may be infinite", expected)
    (gradient,) = torch.autograd.grad(log_prob.sum(), z)
    finite = bool(log_prob.isfinite().all() and gradient.isfinite().all())
    return Verdict(finite, f"{lowest}, gradient {gradient.norm(dim=1).max():.3g}", expected)


def double_precision(priors: Priors) -> Verdict:
    """Compare single with double precision."""
    return together({name: _double(case) for name, case in priors.cases.items()})


def _double(case: Case) -> Verdict:
    z, double = torch.randn(10, LATENT_DIM), case.double()
    exact, samples = double.log_prob(z.double()), double.one(1).sample()
    return modules.follows_to_double(double.prior, case.log_prob(z), exact, samples)


def single_precision(priors: Priors) -> Verdict:
    """Take the density under automatic mixed precision."""
    return together({name: _single(case) for name, case in priors.cases.items()})


def _single(case: Case) -> Verdict:
    expected = "float32 under bfloat16 autocast, near the value without it"
    z = torch.randn(100, LATENT_DIM)
    value = case.log_prob(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = case.log_prob(z)
        samples = case.one(1).sample()
    off = modules.distance(mixed, value).mean().item()
    kinds = {modules.kind(mixed), modules.kind(samples)}
    figure = f"{' and '.join(sorted(kinds))}, {off:.1g} away in the mean"
    return Verdict(kinds == {"float32"} and off <= 0.1, figure, expected)


def copies(priors: Priors) -> Verdict:
    """Compare the prior with copies of it."""
    return together(
        {name: _copies(priors, priors.names[name], case) for name, case in priors.cases.items()}
    )


def _copies(priors: Priors, condition_dim: int, case: Case) -> Verdict:
    z = torch.randn(10, LATENT_DIM)
    prior, encoder = deepcopy((case.prior, case.encoder))
    other = priors.make(condition_dim, seed=1)
    other.prior.load_state_dict(case.prior.state_dict())
    other.encoder.network = case.encoder.network
    by_copy = {"deep copy": Case(prior, encoder, case.c), "state_dict": other}
    values = {name: copy.log_prob(z) for name, copy in by_copy.items()}
    return modules.same_density(case.log_prob(z), values)


PROPERTIES: dict[str, Callable[[Priors], Verdict]] = {
    "shapes": shapes,
    "integrates to 1": integrates_to_one,
    "samples follow the density": samples_follow_the_density,
    "gradient of its samples": gradient_of_samples,
    "gradient in its parameters": gradient_in_parameters,
    "each condition its own density": each_condition_its_own,
    "finite far out": finite_far_out,
    "double precision": double_precision,
    "single precision": single_precision,
    "copies": copies,
}


def check_prior(factory: Callable[..., Prior]) -> list[Property]:
    """Hold a prior to the contract.

    Args:
        factory: The class, or a ``functools.partial`` of it that gives its options.

    Returns:
        The properties; one fails whose ``holds`` is False.

    Raises:
        ValueError: It refuses its options.
    """
    return examine(PROPERTIES, Priors(factory), NOT_REACHED)
