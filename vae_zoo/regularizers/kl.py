"""Kullback-Leibler divergence: the variational autoencoder and the β-VAE."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import require_density


def kl_divergence(q: Distribution, p: Distribution, z: Tensor) -> Tensor | None:
    """KL(q ‖ p) in closed form where torch knows one, else its one-sample estimate at ``z ~ q``.

    Returns:
        Nats per example, of shape ``(B,)``; None where q has no density.
    """
    if isinstance(q, Delta):
        return None
    prior, code, kl = getattr(q, "_kl", (None, None, None))  # often both logged and minimised
    if prior is not p or code is not z:
        try:
            kl = torch.distributions.kl_divergence(q, p)
        except NotImplementedError:  # as for mixtures
            kl = q.log_prob(z) - p.log_prob(z)
        q._kl = (p, z, kl)  # type: ignore[attr-defined]
    return kl


class KL(Regularizer):
    """E_x KL(q(z | x) ‖ p(z)), whose weight is β: 1 makes the loss minus the ELBO.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, app. B.
        https://arxiv.org/abs/1312.6114
        Higgins et al., β-VAE, 2017, eq. 4. https://openreview.net/forum?id=Sy2fzU9gl
    """

    @property
    def label(self) -> str:
        return f"KL β={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Average the divergence over the batch.

        Raises:
            ValueError: q has no density.
        """
        require_density(q, "KL")
        kl = kl_divergence(q, p, z)
        assert kl is not None  # q has a density
        return kl.mean()
