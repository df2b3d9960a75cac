"""Properties of the gradient of a divergence."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import SGD

from vae_zoo.contract.codes import LATENT_DIM, codes, make, parameters_of_codes
from vae_zoo.contract.estimates import Estimates, has_critic
from vae_zoo.contract.verdict import Verdict
from vae_zoo.posteriors import Delta
from vae_zoo.priors import LearnedNormal, Prior, StandardNormal
from vae_zoo.regularizers import Regularizer

N = 64
CONSTANT = "does not apply: the class declares that neither shift nor scale changes it"


def gradient_reaches_the_encoder(estimates: Estimates) -> Verdict:
    """Follow the gradient to the means and standard deviations of q(z | x)."""
    regularizer = make(estimates.factory, N)
    loc, scale = parameters_of_codes(N)
    asked = {"m": loc} if regularizer.matches == "means" else {"m": loc, "s": scale}
    expected = f"a finite gradient by {' and '.join(asked)} of q(z | x) = N(m, s²)"
    if is_constant(regularizer):
        return Verdict(None, CONSTANT, expected)
    backward(regularizer.divergence(*codes(loc, scale)))
    return Verdict(all(map(is_reached, asked.values())), _norms(asked), expected)


def gradient_reaches_a_learned_prior(estimates: Estimates) -> Verdict:
    """Follow the gradient to the parameters of a LearnedNormal."""
    regularizer = make(estimates.factory, N)
    prior = LearnedNormal(LATENT_DIM)
    asked = {"m": prior.loc, "ln s": prior.log_scale}
    expected = (
        "a finite gradient by m and ln s of a LearnedNormal, or a ValueError that says why not"
    )
    if is_constant(regularizer):
        return Verdict(None, CONSTANT, expected)
    try:
        loss = regularizer.divergence(*codes(*parameters_of_codes(N), prior))
    except ValueError as refusal:
        return Verdict(None, f"refused: {refusal}", expected)
    backward(loss)
    return Verdict(all(map(is_reached, asked.values())), _norms(asked), expected)


def takes_a_deterministic_posterior(estimates: Estimates) -> Verdict:
    """Follow the gradient to codes without noise."""
    regularizer = make(estimates.factory, N)
    loc, scale = parameters_of_codes(N)
    _, p, _ = codes(loc, scale)
    expected = "a finite gradient by the codes, or a ValueError that says why not"
    if is_constant(regularizer):
        return Verdict(None, CONSTANT, expected)
    try:
        loss = regularizer.divergence(Delta(loc), p, loc)
    except ValueError as refusal:
        return Verdict(None, f"refused: {refusal}", expected)
    backward(loss)
    return Verdict(is_reached(loc), _norms({"z": loc}), expected)


def players_are_cut_off(estimates: Estimates) -> Verdict:
    """Follow the gradient of either player's loss to the parameters of the other."""
    expected = "no gradient of the critic's loss in q and p, none of the divergence in the critic"
    regularizer = make(estimates.factory, N)
    if not has_critic(regularizer):
        return Verdict(None, "does not apply: it has no critic", expected)
    loc, scale = parameters_of_codes(N)
    prior: Prior = LearnedNormal(LATENT_DIM)
    try:
        divergence = regularizer.divergence(*codes(loc, scale, prior))
    except ValueError:  # as it refuses a learned prior
        prior = StandardNormal(LATENT_DIM)
        divergence = regularizer.divergence(*codes(loc, scale, prior))
    critic, model = list(regularizer.parameters()), [loc, scale, *prior.parameters()]
    backward(divergence)
    into_critic = any(map(is_touched, critic))
    SGD([*critic, *model]).zero_grad()
    loss = regularizer.critic_loss(*codes(loc, scale, prior))
    assert loss is not None  # it has a critic
    backward(loss)
    into_model = any(map(is_touched, model))
    if not any(map(is_touched, critic)):
        return Verdict(False, "the critic's loss has no gradient in the critic", expected)
    leaks = ["of the critic's loss in q or p"] * into_model
    leaks += ["of the divergence in the critic"] * into_critic
    return Verdict(not leaks, "a gradient " + " and ".join(leaks) if leaks else "none", expected)


def works_in_2_16_and_128_dimensions(estimates: Estimates) -> Verdict:
    """Compare the gradients by codes near the prior in few and in many dimensions."""
    expected = "finite, and a gradient by m that never falls below 1e-6 of that in 2 dimensions"
    norms, shown = [], []
    for latent_dim in (2, 16, 128):
        regularizer = make(estimates.factory, N, latent_dim)
        loc, scale = parameters_of_codes(N, latent_dim, distance=0.3)
        loss = regularizer.divergence(*codes(loc, scale))
        if loss.requires_grad:  # a constant has none, which other properties judge
            backward(loss)
        norms.append(_norm(loc))
        shown.append(f"D={latent_dim}: {loss:.4g}, gradient {norms[-1]:.2g}")
        if not (loss.isfinite() and torch.tensor(norms[-1]).isfinite()):
            return Verdict(False, "; ".join(shown), expected)
    return Verdict(min(norms) >= 1e-6 * norms[0], "; ".join(shown), expected)


def is_constant(regularizer: Regularizer) -> bool:
    """Whether the class declares that its value never changes, as without a regularizer."""
    return regularizer.invariances >= {"shift", "scale"}


def backward(loss: Tensor) -> None:
    """Compute the gradients, unless the loss is cut off from all parameters."""
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]


def is_touched(parameter: Tensor) -> bool:
    """Whether a gradient arrived that is not zero."""
    return parameter.grad is not None and bool((parameter.grad != 0).any())


def is_reached(parameter: Tensor) -> bool:
    """Whether a finite gradient arrived that is not zero."""
    return is_touched(parameter) and bool(parameter.grad.isfinite().all())  # type: ignore[union-attr]


def _norm(parameter: Tensor) -> float:
    return 0.0 if parameter.grad is None else parameter.grad.norm().item()


def _norms(parameters: Mapping[str, Tensor]) -> str:
    shown = (
        f"by {name} {'none' if value.grad is None else format(_norm(value), '.3g')}"
        for name, value in parameters.items()
    )
    return "norm of the gradient: " + ", ".join(shown)
