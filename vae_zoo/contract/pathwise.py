"""Gradients through samples, against those of an integral."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.contract.modules import NO_PARAMETERS
from vae_zoo.contract.spaces import Space, plane
from vae_zoo.contract.verdict import Verdict

REPEATS, SAMPLES = 32, 500
SIDE = 120  # of the grid: what is integrated is smooth
ERRORS = 6
EXPECTED = f"that of the integral, within {ERRORS} standard errors, by each parameter"


def compare_gradients(
    one: Callable[[int], Distribution],
    log_prob: Callable[[Tensor], Tensor],
    parameters: Mapping[str, Tensor],
) -> Verdict:
    """Compare the gradients of E f(z), f bounded: through samples z, and of the integral of f p(z).

    Args:
        one: Makes p(z) of n examples.
        log_prob: Computes log p(z), of ``(N, 2)``.
        parameters: What to differentiate by.
    """
    samples = one(REPEATS * SAMPLES).sample()
    space = plane(samples, SIDE)
    scale = samples.quantile(0.75, dim=0) - samples.quantile(0.25, dim=0)
    centre = samples.median(dim=0).values

    def f(z: Tensor) -> Tensor:
        u, v = ((z - centre) / scale).unbind(dim=-1)
        return u.sin() + (2 * v + 1).cos() + (u + v - 0.5).sin()

    used, exact = _of_integral(f, log_prob, space, parameters)
    if not used:
        return Verdict(None, NO_PARAMETERS, EXPECTED)
    drawn = [_gradients(f(one(SAMPLES).rsample()).mean(), used) for _ in range(REPEATS)]
    size = torch.stack([gradient.square().sum() for gradient in exact.values()]).sum().sqrt()
    worst, figure = 0.0, ""
    for name, gradient in exact.items():
        direction = gradient / gradient.norm().clamp(min=1e-12)
        found = torch.stack([(one[name] * direction).sum() for one in drawn])
        error = found.std() / REPEATS**0.5 + 1e-3 * size
        off = ((found.mean() - gradient.norm()).abs() / error).nan_to_num(nan=torch.inf).item()
        if off >= worst:
            worst = off
            figure = f"{found.mean():.4g} for {gradient.norm():.4g} by {name}, {off:.1f} errors off"
    return Verdict(worst <= ERRORS, figure, EXPECTED)


def _gradients(loss: Tensor, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    gradients = torch.autograd.grad(
        loss, list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(parameters, gradients, strict=True))


def _of_integral(
    f: Callable[[Tensor], Tensor],
    log_prob: Callable[[Tensor], Tensor],
    space: Space,
    parameters: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters that the density depends on, and the gradient of the integral by each."""
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for whole, volumes in space.chunks():
        with torch.no_grad():  # else the gradient were NaN wherever there is no density
            inside = log_prob(whole).isfinite()
        if not inside.any():
            continue
        points, weights = whole[inside], volumes[inside]
        loss = (f(points) * log_prob(points).exp() * weights).sum()
        if not loss.requires_grad:
            return {}, {}
        for name, gradient in _gradients(loss, parameters).items():
            total[name] += gradient
    used = {name: parameters[name] for name, gradient in total.items() if gradient.any()}
    return used, {name: total[name] for name in used}
