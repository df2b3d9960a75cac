"""Coins: the likelihood of binary data."""

import torch
from torch import Tensor
from torch.distributions import Bernoulli as BernoulliDistribution
from torch.distributions import Distribution, Independent
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_zoo.likelihoods.base import Likelihood
from vae_zoo.precision import at_least_single


class Bernoulli(Likelihood):
    """p(x | z) over binary data, one independent coin a pixel, from its logits.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, app. C.1.
        https://arxiv.org/abs/1312.6114
    """

    supports = frozenset({"binary"})

    @property
    def params(self) -> tuple[int, ...]:
        return self.shape

    def forward(self, params: Tensor) -> Distribution:
        coins = BernoulliDistribution(logits=at_least_single(params), validate_args=False)
        return IndependentBernoulli(coins, len(self.shape), validate_args=False)


class IndependentBernoulli(Independent):  # type: ignore[type-arg]
    """Independent coins, whose log-probability makes two passes fewer over the pixels."""

    def log_prob(self, value: Tensor) -> Tensor:
        logits = self.base_dist.logits
        if logits.shape != value.shape:
            logits, value = torch.broadcast_tensors(logits, value)  # type: ignore[no-untyped-call]
        losses = binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -losses.flatten(-self.reinterpreted_batch_ndims).sum(-1)
