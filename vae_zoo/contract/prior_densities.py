"""Whether a prior has a density, and samples of it."""

import torch

from vae_zoo.contract.examine import together
from vae_zoo.contract.importance import kernels, total
from vae_zoo.contract.prior_cases import LATENT_DIM, MORE_DIMS, Case, Priors
from vae_zoo.contract.spaces import UNLIKELY, chance, plane
from vae_zoo.contract.verdict import Verdict

SAMPLES = 20_000
FAR = 10.0


def integrates_to_one(priors: Priors) -> Verdict:
    """Sum the density over the plane, given each condition."""
    return together({name: _integral(case) for name, case in priors.each.items()})


@torch.no_grad()
def _integral(case: Case) -> Verdict:
    space = plane(case.one(SAMPLES).sample())
    whole = space.density(case.log_prob).nansum().item()
    return Verdict(abs(whole - 1) <= 5e-3, f"{whole:.5f}", "1 to 5e-3, in two dimensions")


def samples_follow_the_density(priors: Priors) -> Verdict:
    """Count the samples in cells of the plane, given each condition."""
    return together({name: _samples(case) for name, case in priors.each.items()})


@torch.no_grad()
def _samples(case: Case) -> Verdict:
    samples = case.one(SAMPLES).sample()
    space = plane(samples)
    p_value = chance(space, space.density(case.log_prob), samples)
    expected = f"at least {UNLIKELY:g}: chi-squared of {SAMPLES} samples in 64 cells"
    return Verdict(p_value >= UNLIKELY, f"p-value {p_value:.2g}", expected)


def more_dimensions(priors: Priors) -> Verdict:
    """Sum the density in five dimensions, at samples of another one."""
    if not (integrates_to_one(priors).holds and samples_follow_the_density(priors).holds):
        return Verdict(None, "not reached: it is wrong in two dimensions", "")
    return together({name: _more(priors, name) for name in priors.cases})


def _more(priors: Priors, name: str) -> Verdict:
    try:
        case = priors.make(priors.names[name], latent_dim=MORE_DIMS).double()
    except ValueError as error:
        return Verdict(None, f"does not apply: it refuses {MORE_DIMS} dimensions: {error}", "")
    with torch.no_grad():
        fitted, others = case.one(4000).sample().chunk(2)
    return total(case.log_prob, others, kernels(fitted))


@torch.no_grad()
def fresh_samples(priors: Priors) -> Verdict:
    """Draw several samples for each of several examples, twice."""
    return together({name: _fresh(case) for name, case in priors.cases.items()})


def _fresh(case: Case) -> Verdict:
    expected = "other samples for each example and each of n, the same again under the same seed"
    draws = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            draws.append(case.some().sample((4,)))  # (4, 3, D)
    if not torch.equal(*draws):
        return Verdict(False, "others under the same seed of torch", expected)
    apart = len(torch.unique(draws[0].flatten(0, 1), dim=0))
    return Verdict(apart == 12, f"{apart} different of 12", expected)


def codes_apart(priors: Priors) -> Verdict:
    """Follow the gradient of one code's density to the other codes of its batch."""
    return together({name: _apart(case) for name, case in priors.cases.items()})


def _apart(case: Case) -> Verdict:
    expected = "the density of a code, and its gradient, whatever other codes the batch holds"
    z = case.one(4).sample().requires_grad_()
    log_prob = case.log_prob(z)
    off = (log_prob[:1] - case.log_prob(z[:1])).abs().item()
    if not log_prob.requires_grad:
        return Verdict(off <= 1e-4, f"differs by {off:.1g}", expected)
    (gradient,) = torch.autograd.grad(log_prob[0], z, allow_unused=True, materialize_grads=True)
    beside = gradient[1:].abs().max().item()
    figure = f"differs by {off:.1g}, gradient in other codes {beside:.1g}"
    return Verdict(off <= 1e-4 and beside == 0, figure, expected)


def finite_far_out(priors: Priors) -> Verdict:
    """Take the log-density and its gradient far from the origin."""
    return together({name: _far(case) for name, case in priors.cases.items()})


def _far(case: Case) -> Verdict:
    expected = f"finite, with its gradient by z, at ±{FAR:g}; nowhere NaN"
    if found := _not_a_number(case.double()):
        return Verdict(False, found, expected)
    signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    z = (FAR * signs).requires_grad_()
    log_prob = case.log_prob(z)
    lowest = f"{log_prob.min():.4g}"
    if log_prob.isneginf().any():
        return Verdict(None, f"{lowest}: it has bounds, and a KL may be infinite", expected)
    (gradient,) = torch.autograd.grad(log_prob.sum(), z)
    finite = bool(log_prob.isfinite().all() and gradient.isfinite().all())
    return Verdict(finite, f"{lowest}, gradient {gradient.norm(dim=1).max():.3g}", expected)


@torch.no_grad()
def _not_a_number(case: Case) -> str:
    """Say where the log-density is NaN, at ±FAR or around its samples."""
    corners = FAR * torch.cartesian_prod(*[torch.tensor([-1.0, 1])] * LATENT_DIM).to(case.c.dtype)
    points = torch.cat([corners, plane(case.one(1000).sample(), side=40).points])
    outside = points[case.log_prob(points).isnan()]
    if not len(outside):
        return ""
    place = ", ".join(f"{value:.3g}" for value in outside[0])
    return f"log_prob is NaN at ({place}): -inf is due outside of its support"
