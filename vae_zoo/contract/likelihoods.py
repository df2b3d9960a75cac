"""What every likelihood must satisfy."""

from collections.abc import Callable
from copy import deepcopy
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.contract import modules, spaces
from vae_zoo.contract.examine import examine, make_first
from vae_zoo.contract.spaces import UNLIKELY, Space, chance
from vae_zoo.contract.verdict import Property, Verdict
from vae_zoo.data.splits import Support, check_support
from vae_zoo.likelihoods import Likelihood

EXAMPLES, SAMPLES = 3, 10_000
EXTREME = 20.0
TOKENS = (3, 3)  # T and V
SHAPES: tuple[tuple[int, ...], ...] = ((2, 1, 1), (2,))  # two pixels; the second if it must be
WIDEST: tuple[Support, ...] = ("tokens", "real", "unit interval", "256 levels", "binary")
NOT_REACHED = Verdict(None, "not reached: its shapes are wrong", "")


class Case(NamedTuple):
    """Samples of a likelihood at some parameters, what they lie in, and the mass at its points."""

    samples: Tensor
    space: Space
    density: Tensor


class Likelihoods:
    """A likelihood of two pixels, or of three tokens out of three.

    It is held to the widest support that it declares: a normal is a density on R², though it may be
    used for binary data.

    Args:
        factory: Makes the likelihood, from the shape of the data.

    Raises:
        ValueError: It refuses its options.
    """

    def __init__(self, factory: Callable[..., Likelihood]) -> None:
        self.makers = [partial(self._make, factory, shape) for shape in (*SHAPES, TOKENS)]
        self.made = self.make(seed=0)
        self.support = next(name for name in WIDEST if name in self.made.supports)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.params = 1.5 * torch.randn(EXAMPLES, *self.made.params)

    def make(self, seed: int) -> Likelihood:
        """Make the likelihood, and move it away from where it starts."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            likelihood = make_first(self.makers)
            modules.shake(likelihood)
        return likelihood.eval()

    @staticmethod
    def _make(factory: Callable[..., Likelihood], shape: tuple[int, ...]) -> Likelihood:
        likelihood = factory(shape=shape)
        if not likelihood.supports & set(WIDEST):
            raise ValueError(f"supports must be some of {', '.join(WIDEST)}")
        if ("tokens" in likelihood.supports) != (shape == TOKENS):
            raise ValueError(f"{type(likelihood).__name__} takes no data of shape {shape}")
        return likelihood

    def one(self, params: Tensor, n: int) -> Distribution:
        """The likelihood of n examples of the same parameters, in their precision."""
        likelihood = deepcopy(self.made).to(params.dtype)
        p: Distribution = likelihood(params.expand(n, *params.shape))
        return p

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """The log-density of data ``(N, *X)`` by the same parameters."""
        return self.one(params, len(x)).log_prob(x)

    @cached_property
    def cases(self) -> list[Case]:
        """One for each of a few parameters, in double precision."""
        return [self._case(params) for params in self.params.double()]

    @torch.no_grad()
    def _case(self, params: Tensor) -> Case:
        samples = self.one(params, SAMPLES).sample()
        space = self._space(samples)
        return Case(samples, space, space.density(partial(self.log_prob, params)))

    def _space(self, samples: Tensor) -> Space:
        if self.support == "tokens":
            return spaces.sequences(*TOKENS)
        flat = {
            "real": lambda: spaces.plane(samples.flatten(1)),
            "unit interval": spaces.square,
            "256 levels": spaces.levels,
            "binary": spaces.binary,
        }[self.support]()
        points = flat.points.view(-1, *self.made.shape)
        return flat._replace(points=points, find=lambda x: flat.find(x.flatten(1)))


def shapes(likelihoods: Likelihoods) -> Verdict:
    """Look at the shapes of parameters, densities and samples."""
    likelihood, params = likelihoods.made, likelihoods.params
    shape = likelihood.shape
    expected = (
        f"params (k · {shape[0]}, …) for data of shape {shape}, so that convolutions work; "
        f"batch shape (B,), event shape {shape}"
    )
    p = likelihood(params)
    shown = (
        f"params {likelihood.params}, event {tuple(p.event_shape)}, batch {tuple(p.batch_shape)}"
    )
    stacked = likelihoods.support == "tokens" or (
        likelihood.params[0] % shape[0] == 0 and likelihood.params[1:] == shape[1:]
    )
    samples = p.sample()
    found = {"sample": tuple(samples.shape), "log_prob": tuple(p.log_prob(samples).shape)}
    right = {"sample": (EXAMPLES, *shape), "log_prob": (EXAMPLES,)}
    wrong = [
        f", {name} {found[name]} for {right[name]}" for name in found if found[name] != right[name]
    ]
    fits = tuple(p.event_shape) == shape and tuple(p.batch_shape) == (EXAMPLES,)
    return Verdict(stacked and fits and not wrong, shown + "".join(wrong), expected)


def normalised(likelihoods: Likelihoods) -> Verdict:
    """Sum the density over all of its support."""
    totals = [case.density.sum().item() for case in likelihoods.cases]
    holds = all(abs(total - 1) <= 1e-3 for total in totals)
    figure = f"{', '.join(f'{total:.5f}' for total in totals)} on {likelihoods.support} data"
    what = "three tokens" if likelihoods.support == "tokens" else "two pixels"
    return Verdict(holds, figure, f"1 to 1e-3, of {what}, at each of {EXAMPLES} parameters")


@torch.no_grad()
def samples_in_the_support(likelihoods: Likelihoods) -> Verdict:
    """Look whether samples are such data as it is a likelihood of."""
    expected = f"{likelihoods.support} data"
    samples = likelihoods.made(
        likelihoods.params.repeat(100, *[1] * (likelihoods.params.dim() - 1))
    )
    try:
        check_support("sampled", samples.sample(), likelihoods.support)
    except ValueError as error:
        return Verdict(False, str(error).rpartition("its ")[2], expected)
    return Verdict(True, expected, expected)


def samples_follow_the_density(likelihoods: Likelihoods) -> Verdict:
    """Count the samples in cells of the support."""
    p_values = [chance(case.space, case.density, case.samples) for case in likelihoods.cases]
    expected = f"each at least {UNLIKELY:g}: chi-squared of {SAMPLES} samples"
    shown = ", ".join(f"{p_value:.2g}" for p_value in p_values)
    return Verdict(min(p_values) >= UNLIKELY, f"p-values {shown}", expected)


@torch.no_grad()
def point_is_data(likelihoods: Likelihoods) -> Verdict:
    """Look at what stands for p(x | z) in a picture."""
    likelihood = likelihoods.made
    point = likelihood.point(likelihood(likelihoods.params))
    shape, bounded = (EXAMPLES, *likelihood.shape), likelihoods.support != "real"
    expected = f"finite, of shape {shape}" + " and in [0, 1]" * bounded
    low, high = (bound.item() for bound in point.aminmax())
    figure = f"shape {tuple(point.shape)}, from {low:.3g} to {high:.3g}"
    inside = bool(point.isfinite().all()) and (not bounded or (low >= 0 and high <= 1))
    return Verdict(inside and tuple(point.shape) == shape, figure, expected)


@torch.no_grad()
def examples_apart(likelihoods: Likelihoods) -> Verdict:
    """Compare the log-densities of examples in a batch with those of each alone."""
    likelihood, params = likelihoods.made, likelihoods.params
    x = likelihood(params).sample()
    beside = likelihood(params).log_prob(x)
    rows = [slice(i, i + 1) for i in range(EXAMPLES)]
    alone = torch.cat([likelihood(params[row]).log_prob(x[row]) for row in rows])
    off = (alone - beside).abs().max().item()
    figure = f"differs by {off:.1g}"
    return Verdict(off <= 1e-4, figure, "the same log-density in a batch and alone, to 1e-4")


def extreme_parameters(likelihoods: Likelihoods) -> Verdict:
    """Take the log-density and its gradient where a decoder is very sure, and wrong."""
    expected = f"finite, with its gradient by the parameters, at ±{EXTREME:g}"
    one = torch.randn(likelihoods.made.params).sign()
    params = EXTREME * torch.stack([one, -one, torch.zeros_like(one)])
    with torch.no_grad():  # data of a decoder that is sure of the contrary
        x = likelihoods.made(-params).sample()
    params.requires_grad_()
    log_prob = likelihoods.made(params).log_prob(x)
    (gradient,) = torch.autograd.grad(log_prob.sum(), params)
    finite = bool(log_prob.isfinite().all() and gradient.isfinite().all())
    figure = f"lowest {log_prob.min():.4g}, largest gradient {gradient.abs().max():.3g}"
    return Verdict(finite, figure, expected)


def gradient_in_the_decoder(likelihoods: Likelihoods) -> Verdict:
    """Follow the gradient of the log-density to what the decoder returned."""
    expected = "a finite gradient that is not zero in each parameter of the decoder"
    params = likelihoods.params.clone().requires_grad_()
    x = likelihoods.made(params).sample().detach()
    loss = likelihoods.made(params).log_prob(x).sum()
    if not loss.requires_grad:
        return Verdict(False, "no gradient", expected)
    (gradient,) = torch.autograd.grad(loss, params, allow_unused=True, materialize_grads=True)
    dead = int((gradient == 0).all(dim=0).sum())
    figure = f"norm {gradient.norm():.3g}" + f", {dead} without" * bool(dead)
    return Verdict(not dead and bool(gradient.isfinite().all()), figure, expected)


def gradient_in_its_own(likelihoods: Likelihoods) -> Verdict:
    """Follow the gradient of the log-density to parameters of the likelihood's own."""
    likelihood, params = likelihoods.made, likelihoods.params
    x = likelihood(params).sample().detach()
    return modules.reaches_all(likelihood(params).log_prob(x).sum(), likelihood, [])


@torch.no_grad()
def double_precision(likelihoods: Likelihoods) -> Verdict:
    """Compare single with double precision."""
    likelihood, params = likelihoods.made, likelihoods.params
    x, double = likelihood(params).sample(), deepcopy(likelihood).double()
    p = double(params.double())
    single = likelihood(params).log_prob(x)
    return modules.follows_to_double(double, single, p.log_prob(x.double()), p.sample())


@torch.no_grad()
def single_precision(likelihoods: Likelihoods) -> Verdict:
    """Take the density under automatic mixed precision, of parameters in half precision."""
    likelihood, params = likelihoods.made, likelihoods.params.bfloat16()
    x = likelihood(params.float()).sample()
    value = likelihood(params.float()).log_prob(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = likelihood(params).log_prob(x)
    off = (mixed - value).abs().max().item() / max(1.0, value.abs().max().item())
    expected = "float32 under bfloat16 autocast, equal to 5% to the value without it"
    figure = f"{modules.kind(mixed)}, differs by {off:.1g}"
    return Verdict(mixed.dtype == torch.float32 and off <= 0.05, figure, expected)


@torch.no_grad()
def copies(likelihoods: Likelihoods) -> Verdict:
    """Compare the likelihood with copies of it."""
    likelihood, params = likelihoods.made, likelihoods.params
    other = likelihoods.make(seed=1)
    other.load_state_dict(likelihood.state_dict())
    x = likelihood(params).sample()
    by_copy = {"deep copy": deepcopy(likelihood), "state_dict": other}
    values = {name: copy(params).log_prob(x) for name, copy in by_copy.items()}
    return modules.same_density(likelihood(params).log_prob(x), values)


PROPERTIES: dict[str, Callable[[Likelihoods], Verdict]] = {
    "shapes": shapes,
    "normalised": normalised,
    "samples in the support": samples_in_the_support,
    "samples follow the density": samples_follow_the_density,
    "what stands for it": point_is_data,
    "examples apart": examples_apart,
    "extreme parameters": extreme_parameters,
    "gradient in the decoder": gradient_in_the_decoder,
    "gradient in its own parameters": gradient_in_its_own,
    "double precision": double_precision,
    "single precision": single_precision,
    "copies": copies,
}


def check_likelihood(factory: Callable[..., Likelihood]) -> list[Property]:
    """Hold a likelihood to the contract.

    Args:
        factory: The class, or a ``functools.partial`` of it that gives its options.

    Returns:
        The properties; one fails whose ``holds`` is False.

    Raises:
        ValueError: It refuses its options.
    """
    return examine(PROPERTIES, Likelihoods(factory), NOT_REACHED)
