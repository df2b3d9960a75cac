"""What every prior must satisfy."""

from collections.abc import Callable
from copy import deepcopy

import torch

from vae_zoo.contract import modules
from vae_zoo.contract import prior_densities as densities
from vae_zoo.contract.examine import Contract, together
from vae_zoo.contract.pathwise import compare_gradients
from vae_zoo.contract.prior_cases import LATENT_DIM, Case, Priors
from vae_zoo.contract.verdict import Verdict


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
    p = case.some()
    loss = p.log_prob(p.sample((4,))).sum()
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
    "integrates to 1": densities.integrates_to_one,
    "samples follow the density": densities.samples_follow_the_density,
    "five dimensions": densities.more_dimensions,
    "fresh samples": densities.fresh_samples,
    "codes apart": densities.codes_apart,
    "gradient of its samples": gradient_of_samples,
    "gradient in its parameters": gradient_in_parameters,
    "each condition its own density": each_condition_its_own,
    "finite far out": densities.finite_far_out,
    "double precision": double_precision,
    "single precision": single_precision,
    "copies": copies,
}
check_prior = Contract(Priors, PROPERTIES, "its shapes are wrong")
