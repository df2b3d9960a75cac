"""What priors and likelihoods have in common: they are modules that make distributions."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from vae_zoo.contract.verdict import Verdict

NO_PARAMETERS = "does not apply: it has no parameters"


def shake(module: nn.Module) -> None:
    """Move all parameters away from where they start, as a training does."""
    with torch.no_grad():
        for parameter in learned(module):
            width = parameter.shape[-1] if parameter.dim() else 1
            parameter.add_(torch.randn_like(parameter), alpha=0.3 / width**0.5)


def learned(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that a training changes."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def reaches_all(loss: Tensor, module: nn.Module, others: Iterable[Tensor]) -> Verdict:
    """Follow the gradient of a loss to the parameters of a module, which must be all there are.

    Args:
        loss: A scalar.
        module: The module.
        others: What else the loss may depend on.
    """
    expected = (
        "a finite gradient, not zero throughout, in each of .parameters(), and in nothing that is "
        "not listed there"
    )
    asked = {name: value for name, value in module.named_parameters() if value.requires_grad}
    known = {id(value) for value in (*asked.values(), *others)}
    hidden = [leaf for leaf in _leaves(loss) if id(leaf) not in known]
    if hidden:
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in hidden)
        return Verdict(False, f"parameters that are not listed, of shape {shapes}", expected)
    if not asked:
        return Verdict(None, NO_PARAMETERS, expected)
    if not loss.requires_grad:
        return Verdict(False, "no gradient at all", expected)
    gradients = torch.autograd.grad(loss, list(asked.values()), allow_unused=True)
    for name, gradient in zip(asked, gradients, strict=True):
        if found := _wrong(gradient):
            return Verdict(False, f"{found} in {name}", expected)
    return Verdict(True, f"all of {', '.join(asked)}", expected)


def _wrong(gradient: Tensor | None) -> str:
    if gradient is None:
        return "no gradient"
    if not gradient.isfinite().all():
        return "a gradient that is not finite"
    return "" if gradient.any() else "a gradient of zero"


def _leaves(loss: Tensor) -> list[Tensor]:
    """The tensors at which the gradient of a loss ends."""
    found, seen, left = [], set(), [loss.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        left += [following for following, _ in node.next_functions]
    return found


def follows_to_double(double: nn.Module, single: Tensor, exact: Tensor, samples: Tensor) -> Verdict:
    """Compare what a module makes in single and in double precision.

    Args:
        double: The module, after ``.double()``.
        single: Log-densities before.
        exact: Log-densities after.
        samples: Samples after.
    """
    expected = "after .double(): float64 throughout, equal to float32 to 1e-3; all tensors follow"
    for name, part in double.named_modules():
        for attribute, value in vars(part).items():
            if isinstance(value, Tensor) and value.dtype == torch.float32:
                place = f"{name}.{attribute}".lstrip(".")
                return Verdict(False, f"{place} is neither a parameter nor a buffer", expected)
    for name, value in {"log-densities": exact, "samples": samples}.items():
        if value.dtype != torch.float64:
            return Verdict(False, f"{name} in {kind(value)}", expected)
    off = (distance(single, exact) / exact.abs().nan_to_num(nan=1.0).clamp(min=1)).max().item()
    return Verdict(off <= 1e-3, f"differs by {off:.1g}", expected)


def same_density(value: Tensor, by_copy: Mapping[str, Tensor]) -> Verdict:
    """Compare log-densities with those of copies."""
    expected = "a deep copy, and one that loads its state_dict, give the same density"
    for name, other in by_copy.items():
        if not torch.allclose(value, other, rtol=0, atol=0, equal_nan=True):
            return Verdict(False, f"another density by its {name}", expected)
    return Verdict(True, "the same", expected)


def distance(x: Tensor, y: Tensor) -> Tensor:
    """How far log-densities are apart, where both may be infinite, or NaN."""
    return torch.where((x == y) | (x.isnan() & y.isnan()), 0.0, (x - y).abs())


def kind(x: Tensor) -> str:
    """The name of a tensor's type."""
    return str(x.dtype).removeprefix("torch.")
