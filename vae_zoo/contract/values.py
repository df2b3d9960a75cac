"""Properties of the value of a divergence."""

import inspect
import math
from functools import partial

import torch

from vae_zoo.contract.codes import codes, make, parameters_of_codes
from vae_zoo.contract.estimates import (
    TRAINING_EXAMPLES,
    TRAINING_STEPS,
    Estimate,
    Estimates,
    has_critic,
)
from vae_zoo.contract.verdict import Verdict

N = 64
CRITIC_ERROR = 0.1  # nats by which a critic that was trained for so few steps may be off


def scalar_and_finite(estimates: Estimates) -> Verdict:
    """Compute the divergence as in training, and as in validation."""
    expected = "a finite scalar, in training and in validation (where no gradients can be taken)"
    shown = []
    for mode in (False, True):
        regularizer = make(estimates.factory, N).train(not mode)
        with torch.inference_mode(mode):
            loc, scale = parameters_of_codes(N)
            draw = codes(loc, scale)
            losses = [regularizer(*draw), regularizer.critic_loss(*draw)]
        for loss in losses:
            if loss is not None and loss.shape != ():
                return Verdict(False, f"a tensor of shape {tuple(loss.shape)}", expected)
            if loss is not None and not loss.isfinite():
                return Verdict(False, f"{loss.item()}", expected)
        shown.append(f"{losses[0]:.4g}")
    return Verdict(True, f"{shown[0]} and {shown[1]}", expected)


def null_value(estimates: Estimates) -> Verdict:
    """Compare the divergence where q = p with the null value that the class declares."""
    regularizer = make(estimates.factory, N)
    null = regularizer.null_value
    trained = has_critic(regularizer)
    found = [estimates(n) for n in (64, 256, 1024)]
    figure = ", ".join(map(str, found))
    if trained:
        figure += f", after {TRAINING_STEPS} steps of {TRAINING_EXAMPLES} examples of the critic"
    if null is None:
        return Verdict(None, figure, "no null value is declared: a logarithm has none")
    slack = CRITIC_ERROR if trained else 0.0
    off = [max(0.0, abs(estimate.mean - null) - estimate.noise - slack) for estimate in found]
    if regularizer.biased:
        holds = off[-1] <= 0.5 * abs(found[0].mean - null)
        return Verdict(holds, figure, f"towards {null:.4g} as n grows (declared biased)")
    within = "6 standard errors" + (f" and {slack:g}" if slack else "")
    return Verdict(not any(off), figure, f"{null:.4g} within {within} at each n (not biased)")


def grows_with_a_shift(estimates: Estimates) -> Verdict:
    """Compare the divergences of codes that lie 0, 1 and 3 from the prior in each dimension."""
    found = [estimates(256, shift=shift) for shift in (0.0, 1.0, 3.0)]
    return _grows(estimates, "shift", "by 0, 1, 3", found)


def grows_with_a_scaling(estimates: Estimates) -> Verdict:
    """Compare the divergences of codes that are 1, 1.3 and 3 times as wide as the prior."""
    found = [estimates(256, scale=scale) for scale in (1.0, 1.3, 3.0)]
    return _grows(estimates, "scale", "by 1, 1.3, 3", found)


def _grows(estimates: Estimates, change: str, amounts: str, found: list[Estimate]) -> Verdict:
    figure = f"{amounts}: " + ", ".join(f"{estimate.mean:.4g}" for estimate in found)
    grows = found[2].exceeds(found[0])
    if change in make(estimates.factory, N).invariances:
        return Verdict(not grows, figure, f"no growth: the class declares invariances {{{change}}}")
    rises = not found[0].exceeds(found[1]) and not found[1].exceeds(found[2])
    return Verdict(grows and rises, figure, "growth, beyond 6 standard errors from first to last")


def independent_of_the_number_of_examples(estimates: Estimates) -> Verdict:
    """Compare the divergences of few and of many codes that are shifted by 1."""
    few, many = estimates(64, shift=1.0), estimates(256, shift=1.0)
    regularizer = make(estimates.factory, N)
    null, figure = regularizer.null_value, f"shifted by 1: {few}, {many}"
    if not regularizer.biased:
        equal = abs(many.mean - few.mean) <= math.hypot(many.noise, few.noise)
        return Verdict(equal, figure, "equal within 6 standard errors (not biased)")
    if null is None:
        return Verdict(abs(many.mean - few.mean) <= math.log(2), figure, "equal within ln 2")
    low, high = sorted((few.mean - null, many.mean - null))
    expected = f"above {null:.4g} by as much within a factor of 2 (declared biased)"
    return Verdict(0 <= high <= 2 * low + few.noise, figure, expected)


def proportional_to_its_weight(estimates: Estimates) -> Verdict:
    """Compare the penalties of weight 1 and 2."""
    expected = "a penalty of weight 2 that is twice that of weight 1, to 1e-6"
    if "weight" not in inspect.signature(estimates.factory).parameters:
        return Verdict(None, "does not apply: its constructor takes no weight", expected)
    penalties = []
    for weight in (1.0, 2.0):
        regularizer = make(partial(estimates.factory, weight=weight), N)
        torch.manual_seed(1)
        penalties.append(regularizer(*codes(*parameters_of_codes(N))).item())
    one, two = penalties
    holds = math.isclose(two, 2 * one, rel_tol=1e-6, abs_tol=1e-12)
    return Verdict(holds, f"{one:.6g} and {two:.6g}", expected)


def single_precision_under_autocast(estimates: Estimates) -> Verdict:
    """Compare the penalties with and without automatic mixed precision."""
    expected = "a float32 that is the same under bfloat16 autocast, to 1e-5"
    penalties = []
    for mixed in (False, True):
        regularizer = make(estimates.factory, N)
        torch.manual_seed(1)
        draw = codes(*parameters_of_codes(N))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            penalties.append(regularizer(*draw))
    single, half = penalties
    figure = f"{single:.7g} and {half:.7g}, {str(half.dtype).removeprefix('torch.')}"
    same = math.isclose(single.item(), half.item(), rel_tol=1e-5, abs_tol=1e-12)
    return Verdict(same and half.dtype == torch.float32, figure, expected)
