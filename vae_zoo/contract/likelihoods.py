"""What every likelihood must satisfy."""

from collections.abc import Callable
from copy import deepcopy

import torch

from vae_zoo.contract import likelihood_densities as densities
from vae_zoo.contract import modules
from vae_zoo.contract.examine import Contract
from vae_zoo.contract.likelihood_cases import EXAMPLES, Likelihoods
from vae_zoo.contract.likelihood_pixels import more_pixels
from vae_zoo.contract.verdict import Verdict

EXTREME = 20.0


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
    "normalised": densities.normalised,
    "samples in the support": densities.samples_in_the_support,
    "samples follow the density": densities.samples_follow_the_density,
    "more pixels": more_pixels,
    "what stands for it": densities.what_stands_for_it,
    "examples apart": examples_apart,
    "extreme parameters": extreme_parameters,
    "gradient in the decoder": gradient_in_the_decoder,
    "gradient in its own parameters": gradient_in_its_own,
    "double precision": double_precision,
    "single precision": single_precision,
    "copies": copies,
}
check_likelihood = Contract(Likelihoods, PROPERTIES, "its shapes are wrong")
