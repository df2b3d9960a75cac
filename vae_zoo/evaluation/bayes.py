"""Classification by Bayes' rule, with a model that was trained to generate."""

import torch
from torch import Tensor

from vae_zoo.arguments import require_samples
from vae_zoo.evaluation.bounds import importance_sampling, prior_sampling
from vae_zoo.evaluation.noise import evaluating, example_keys, fix_noise
from vae_zoo.posteriors import Deterministic
from vae_zoo.vae import VAE


def class_log_posterior(log_likelihoods: Tensor, frequencies: Tensor) -> Tensor:
    """Bayes' rule, log p(y | x) = log p(x | y) + log p(y) - log p(x).

    Args:
        log_likelihoods: log p(x | y) of each class, of shape ``(N, classes)``.
        frequencies: Number of examples of each class, or their proportions, of ``(classes,)``.

    Returns:
        Of shape ``(N, classes)``; -inf for a class without examples.
    """
    return (log_likelihoods + frequencies.to(log_likelihoods).log()).log_softmax(dim=1)


def class_log_likelihoods(model: VAE, x: Tensor, samples: int = 100, seed: int = 0) -> Tensor:
    """Estimate log p(x | y) of every class y, at the cost of classes times samples decodings each.

    By importance sampling with q(z | x, y); by samples of the prior where q has no density.

    Args:
        model: A model with a label as its condition.
        x: Examples ``(N, *X)``.
        samples: Number K of samples of each class.
        seed: Of their noise.

    Returns:
        Nats, of shape ``(N, classes)``.

    Raises:
        ValueError: The model has no label as its condition, or there is no sample.
    """
    require_samples(samples)
    check(model)
    rows = []
    with evaluating(model):
        labels = torch.arange(model.classes, device=model.device)
        c = model.condition(labels).to(model.dtype)
        x = x.to(model.device)
        for key, example in zip(example_keys(x).tolist(), x, strict=True):
            fix_noise(seed, key)
            same = example.expand(model.classes, *example.shape)
            if isinstance(model.posterior, Deterministic):
                rows.append(prior_sampling(model, same, c, samples))
            else:
                rows.append(importance_sampling(model, same, c, samples).importance_sampling)
    return torch.stack(rows)


def check(model: VAE) -> None:
    """Refuse a model that no label is a condition of.

    Raises:
        ValueError: It has another condition, or none.
    """
    if not model.classes or not model.condition.dim:
        name = type(model.condition).__name__
        raise ValueError(
            "Bayes' rule needs p(x | y) of labels y, and the condition of this model is "
            f"{name}: train one with --model.condition OneHot on data with labels"
        )
