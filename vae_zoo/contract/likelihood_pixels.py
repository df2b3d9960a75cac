"""What a likelihood of two pixels does not show: whether it is right for more of them."""

import torch
from torch import Tensor

from vae_zoo.contract import likelihood_densities as densities
from vae_zoo.contract.likelihood_cases import MORE_SHAPES, Given, Likelihoods, give
from vae_zoo.contract.verdict import Verdict

PAIRS = 64


def more_pixels(likelihoods: Likelihoods) -> Verdict:
    """Sum the density of an image of several pixels, and find the parameters of each."""
    expected = "a density of data of any shape, each pixel's of its own place of the parameters"
    if likelihoods.support == "tokens":
        return Verdict(None, "does not apply: tokens are looked at together", expected)
    fewer = (densities.normalised, densities.samples_in_the_support)
    if any(look(likelihoods).holds is False for look in fewer):
        return Verdict(None, "not reached: it is wrong with fewer", expected)
    try:
        likelihood = likelihoods.make(seed=0, shapes=MORE_SHAPES)
    except ValueError as error:
        return Verdict(None, f"does not apply: {error}", expected)
    shape, given = likelihood.shape, give(likelihood)[0]
    event = tuple(given.one(2).event_shape)
    if event != shape:
        return Verdict(False, f"event shape {event} of data of shape {shape}", expected)
    whole = densities.total_mass(given, likelihoods.support)
    figure = f"{whole.figure} on data of shape {shape}"
    if whole.holds is False or len(shape) < 3:
        return Verdict(whole.holds, figure, whole.expected)
    lost = _misplaced(given)
    if lost:
        places = ", ".join(map(str, lost))
        figure = f"the parameters at {places} have nothing to do with the pixels there"
        return Verdict(False, figure, expected)
    return Verdict(whole.holds, figure, whole.expected)


def _misplaced(given: Given) -> list[tuple[int, int]]:
    """The places (row, column) whose pixels do not change the gradient by the parameters there.

    Parameters elsewhere may count as well: a scale may be that of the whole image.
    """
    with torch.no_grad():  # of many parameters, since those of one may leave a pixel black
        x = given.likelihood(2 * torch.randn(PAIRS, *given.params.shape).double()).sample()
    before, found = _gradient(given, x), []
    for row in range(x.shape[-2]):
        for column in range(x.shape[-1]):
            other = x.clone()
            other[..., row, column] = x[..., row, column].roll(1, 0)
            change = _gradient(given, other) - before
            if not change[..., row, column].any():
                found.append((row, column))
    return found


def _gradient(given: Given, x: Tensor) -> Tensor:
    """The gradient of the log-density by the parameters, of each example."""
    params = given.params.expand(len(x), *given.params.shape).clone().requires_grad_()
    log_prob = given.likelihood(params).log_prob(x)
    (gradient,) = torch.autograd.grad(log_prob.sum(), params)
    return gradient
