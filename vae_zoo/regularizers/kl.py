"""Kullback-Leibler divergence, of the variational autoencoder and the β-VAE, and its reverse."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from vae_zoo.posteriors import Delta
from vae_zoo.priors.normal import Standard
from vae_zoo.regularizers.families import normals, require_density
from vae_zoo.regularizers.per_dimension import PerDimension
from vae_zoo.sampling import draw


def kl_divergence(q: Distribution, p: Distribution, z: Tensor) -> Tensor | None:
    """KL(q ‖ p) in closed form where torch knows one, else its one-sample estimate at ``z ~ q``.

    Returns:
        Nats per example, of shape ``(B,)``; None where q has no density.
    """
    if isinstance(q, Delta):
        return None
    prior, code, kl = getattr(q, "_kl", (None, None, None))  # often both logged and minimised
    if prior is not p or code is not z:
        if _are_normal_and_standard(q, p):
            kl = standard_normal_kl(q.base_dist.loc, q.base_dist.scale).sum(-1)  # type: ignore[attr-defined]
        else:
            try:
                kl = torch.distributions.kl_divergence(q, p)
            except NotImplementedError:  # as for mixtures
                kl = q.log_prob(z) - p.log_prob(z)
        q._kl = (p, z, kl)  # type: ignore[attr-defined]
    return kl


def _are_normal_and_standard(q: Distribution, p: Distribution) -> bool:
    """Whether q is a diagonal normal ``(B, D)``, and p N(0, I) of the same shapes."""
    if not isinstance(p, Standard) or type(q) is not Independent or type(q.base_dist) is not Normal:
        return False
    return (
        q.batch_shape == p.batch_shape
        and q.event_shape == p.event_shape
        and len(q.event_shape) == 1
    )


def reverse_kl_divergence(q: Distribution, p: Distribution) -> Tensor:
    """KL(p ‖ q) in closed form where torch knows one, else its estimate at one sample of p.

    Returns:
        Nats per example, of shape ``(B,)``.

    Raises:
        ValueError: There is no closed form, and p passes no gradients through its samples.
    """
    try:
        return torch.distributions.kl_divergence(p, q)
    except NotImplementedError:
        y = draw(p)
        return p.log_prob(y) - q.log_prob(y)


def normal_kl(m: Tensor, s: Tensor, m0: Tensor, s0: Tensor) -> Tensor:
    """½ [s² / s₀² + (m - m₀)² / s₀² - 1 - ln(s² / s₀²)], KL(N(m, s²) ‖ N(m₀, s₀²)) by element.

    Returns:
        Nats, of the shape of the arguments.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, app. B.
        https://arxiv.org/abs/1312.6114
    """
    ratio = (s / s0).square()
    return 0.5 * (ratio + ((m - m0) / s0).square() - 1 - ratio.log())


def standard_normal_kl(m: Tensor, s: Tensor) -> Tensor:
    """½ [s² + m² - 1 - ln s²], KL(N(m, s²) ‖ N(0, 1)) by element: torch's very numbers in two
    thirds of its time, since most models ask for it at every step.

    Returns:
        Nats, of the shape of the arguments.
    """
    variance = s.square()
    return 0.5 * (variance + m.square() - 1 - variance.log())


class KL(PerDimension):
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

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return normal_kl(*normals(q, p, "KL per dimension"))


class ReverseKL(PerDimension):
    """E_x KL(p(z) ‖ q(z | x)), which makes each posterior cover the prior; infinite at s = 0.

    It is a Monte Carlo estimate where no closed form is known; that takes samples of the prior
    which carry gradients.

    References:
        Minka, Divergence Measures and Message Passing, 2005.
        https://www.microsoft.com/en-us/research/publication/divergence-measures-and-message-passing/
    """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Average the divergence over the batch.

        Raises:
            ValueError: q has no density, or p neither a closed form nor samples with gradients.
        """
        require_density(q, "ReverseKL")
        return reverse_kl_divergence(q, p).mean()

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        m, s, m0, s0 = normals(q, p, "ReverseKL per dimension")
        return normal_kl(m0, s0, m, s)


class Jeffreys(PerDimension):
    """E_x [KL(q(z | x) ‖ p(z)) + KL(p(z) ‖ q(z | x))], symmetric; infinite at s = 0.

    Either half is a Monte Carlo estimate where no closed form is known.

    References:
        Jeffreys, An Invariant Form for the Prior Probability in Estimation Problems, 1946.
        https://doi.org/10.1098/rspa.1946.0056
    """

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Average the divergence over the batch.

        Raises:
            ValueError: q has no density, or p neither a closed form nor samples with gradients.
        """
        require_density(q, "Jeffreys")
        kl = kl_divergence(q, p, z)
        assert kl is not None  # q has a density
        return (kl + reverse_kl_divergence(q, p)).mean()

    def per_dimension(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        m, s, m0, s0 = normals(q, p, "Jeffreys per dimension")
        return normal_kl(m, s, m0, s0) + normal_kl(m0, s0, m, s)
