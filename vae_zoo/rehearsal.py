"""A step on blank examples, so that what does not fit fails before any training."""

import traceback
from typing import TYPE_CHECKING

import torch
from lightning.pytorch.utilities.seed import isolate_rng

from vae_zoo.terms import Terms

if TYPE_CHECKING:
    from vae_zoo.vae import VAE


def rehearse(model: "VAE", examples: int = 8) -> None:
    """Compute the terms of blank examples.

    Args:
        model: The model, which is left as it was.
        examples: Number of blank examples.

    Raises:
        ValueError: The parts do not go together, a batch is too small for them, or a learned prior
            would not learn.
    """
    training = model.training
    with isolate_rng():
        try:
            terms = _blank_terms(model.eval(), examples)
        except (ValueError, KeyboardInterrupt):
            raise
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            raise ValueError(
                f"a step on {examples} blank examples fails: {type(error).__name__}: {error} "
                f"({at.filename}, line {at.lineno})"
            ) from error
        finally:
            model.train(training)
    if terms.penalty.shape != ():
        raise ValueError(
            f"{type(model.regularizer).__name__}.divergence must return a scalar, got the shape "
            f"{tuple(terms.penalty.shape)}"
        )
    if not terms.loss.isfinite():
        raise ValueError(
            f"{model.regularizer.label} makes the loss {terms.loss.item()} before any training: "
            "lower its weight, or its alpha if it has one"
        )
    if torch.is_grad_enabled():
        _check_that_the_prior_learns(model, terms)


def _blank_terms(model: "VAE", examples: int) -> Terms:
    dtype = torch.get_default_dtype() if isinstance(model.dtype, str) else model.dtype
    x = torch.zeros(examples, *model.shape, device=model.device, dtype=dtype)
    y = None
    if model.condition_shape:
        y = torch.zeros(examples, *model.condition_shape, device=model.device, dtype=dtype)
    elif model.classes:
        y = torch.zeros(examples, dtype=torch.long, device=model.device)
    return model(x, y)  # type: ignore[no-any-return]


def _check_that_the_prior_learns(model: "VAE", terms: Terms) -> None:
    learned = [weight for weight in model.prior.parameters() if weight.requires_grad]
    if not learned:
        return
    gradients = torch.autograd.grad(terms.loss, learned, allow_unused=True)
    if model.regularizer.weight == 0 or any(gradient is None for gradient in gradients):
        raise ValueError(
            f"{type(model.regularizer).__name__} does not train a {type(model.prior).__name__}, "
            "which would stay as it began: use --model.prior StandardNormal, or another regularizer"
        )
