"""Whether a likelihood has a density, samples of it, and a point that stands for it."""

import torch
from torch import Tensor

from vae_zoo.contract.importance import ERRORS, kernels, marginals, total
from vae_zoo.contract.likelihood_cases import EXAMPLES, SAMPLES, Given, Likelihoods
from vae_zoo.contract.spaces import UNLIKELY, chance, from_logits, to_logits
from vae_zoo.contract.verdict import Verdict
from vae_zoo.data.splits import Support, check_support

LEVELS = {"256 levels": 256, "binary": 2}


def normalised(likelihoods: Likelihoods) -> Verdict:
    """Sum the density over all of its support."""
    if not likelihoods.enumerable:
        return total_mass(likelihoods.given[0], likelihoods.support)
    what = "three tokens" if likelihoods.support == "tokens" else "two pixels"
    expected = f"1 to 1e-3, of {what}, at each of {EXAMPLES} parameters"
    for case in likelihoods.cases:
        outside = case.space.points[case.density.isnan()]
        if len(outside):
            place = ", ".join(f"{value:.3g}" for value in outside[0].flatten())
            figure = f"log_prob is NaN at ({place}): -inf is due outside of its support"
            return Verdict(False, figure, expected)
    totals = [case.density.sum().item() for case in likelihoods.cases]
    holds = all(abs(whole - 1) <= 1e-3 for whole in totals)
    figure = f"{', '.join(f'{whole:.5f}' for whole in totals)} on {likelihoods.support} data"
    return Verdict(holds, figure, expected)


@torch.no_grad()
def total_mass(given: Given, support: Support) -> Verdict:
    """Sum the density of data of many pixels, at samples of another one."""
    shape, samples = given.likelihood.shape, given.one(SAMPLES).sample().flatten(1)
    levels = LEVELS.get(support)

    def log_prob(z: Tensor) -> Tensor:
        if levels:
            return given.log_prob((z / (levels - 1)).to(samples).view(-1, *shape))
        if support == "real":
            return given.log_prob(z.view(-1, *shape))
        slope = (z.sigmoid() * (-z).sigmoid()).log().sum(1)
        return given.log_prob(from_logits(z).view(-1, *shape)) + slope

    if levels:
        fitted, others = (samples * (levels - 1)).round().chunk(2)
        return total(log_prob, others, marginals(fitted, levels))
    places = samples if support == "real" else to_logits(samples)
    fitted, others = places[: SAMPLES // 2], places[-SAMPLES // 5 :]
    return total(log_prob, others, kernels(fitted))


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
    expected = f"each at least {UNLIKELY:g}: chi-squared of {SAMPLES} samples"
    if not likelihoods.enumerable:
        return Verdict(None, "does not apply: it takes no two pixels alone", expected)
    p_values = [chance(case.space, case.density, case.samples) for case in likelihoods.cases]
    shown = ", ".join(f"{p_value:.2g}" for p_value in p_values)
    return Verdict(min(p_values) >= UNLIKELY, f"p-values {shown}", expected)


@torch.no_grad()
def what_stands_for_it(likelihoods: Likelihoods) -> Verdict:
    """Look at what stands for p(x | z) in a picture."""
    likelihood = likelihoods.made
    point = likelihood.point(likelihood(likelihoods.params))
    shape, bounded = (EXAMPLES, *likelihood.shape), likelihoods.support != "real"
    expected = f"finite, of shape {shape}" + " and in [0, 1]" * bounded
    low, high = (bound.item() for bound in point.aminmax())
    figure = f"shape {tuple(point.shape)}, from {low:.3g} to {high:.3g}"
    inside = bool(point.isfinite().all()) and (not bounded or (low >= 0 and high <= 1))
    if not inside or tuple(point.shape) != shape:
        return Verdict(False, figure, expected)
    if likelihoods.support == "tokens":  # whose greedy text is neither of these
        return Verdict(True, figure, expected)
    expected += ": the mean, the median or the mode"
    which = [_middle(given) for given in likelihoods.given]
    return Verdict("none" not in which, f"{figure}: {' / '.join(which)}", expected)


def _middle(given: Given) -> str:
    """Say which of the mean, the median and the mode the point is."""
    x, p = given.one(SAMPLES).sample(), given.one(1)
    point = given.likelihood.point(p)  # (1, *X)
    error = ERRORS * x.std(0) / SAMPLES**0.5 + 1e-3
    if ((point - x.mean(0)).abs() <= error).all():
        return "mean"
    below, above = ((x < point).double().mean(0), (x > point).double().mean(0))
    if (torch.maximum(below, above) <= 0.5 + ERRORS * 0.5 / SAMPLES**0.5).all():
        return "median"
    return "mode" if p.log_prob(point) >= given.one(SAMPLES).log_prob(x).max() else "none"
