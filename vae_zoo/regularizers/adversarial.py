"""Divergences that a critic estimates: the AAE, the WAE-GAN, and the Wasserstein distance."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.linalg import vector_norm
from torch.nn.utils.parametrizations import spectral_norm

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.critic import Critic, classification_loss, critic_options
from vae_zoo.sampling import draw

Lipschitz = Literal["clip", "penalty", "spectral"]


def gradient_penalty(f: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """E (‖∇f‖ - 1)² at random points on the lines between ``x`` and ``y``.

    Args:
        f: Maps points ``(N, D)`` to numbers ``(N,)``, each on its own.
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: As many samples of the second.

    Returns:
        A scalar, through which gradients reach the parameters of ``f``.

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, eq. 3.
        https://arxiv.org/abs/1704.00028
    """
    along = torch.rand_like(x[:, :1])
    between = along * x + (1 - along) * y
    # Unlike autograd.grad, it also works in an evaluation, where gradients are off.
    slopes = torch.func.grad(lambda points: f(points).sum())(between)
    excess: Tensor = vector_norm(slopes, dim=1) - 1
    return excess.square().mean()


class Adversarial(Regularizer):
    """-E log D(z) - E log(1 - D(y)), z ~ q(z), y ~ p: a game against D, which tells y from z.

    D minimises -E log D(y) - E log(1 - D(z)), which is 2 ln 2 - 2 JS(q(z), p) at its best. The
    model minimises the same with the labels swapped, so that the gradients last where D is sure.
    The second term trains a learned prior, and is constant for a fixed one.

    Args:
        weight: Factor λ on the divergence.
        hidden: Widths of the hidden layers of D. The literature's four of 512 cost ten times
            these, and codes of few dimensions do not need them.
        lr: Learning rate of D, best 3 to 10 times the model's.
        betas: Decay of the averages of D's Adam.

    Raises:
        ValueError: The weight is negative, a width or the learning rate not positive, or a beta
            not in [0, 1).

    References:
        Makhzani et al., Adversarial Autoencoders, 2016. https://arxiv.org/abs/1511.05644
        Tolstikhin et al., Wasserstein Auto-Encoders, 2018, alg. 1.
        https://arxiv.org/abs/1711.01558
    """

    null_value = 2 * math.log(2)
    comparable = False

    def __init__(
        self,
        weight: float = 1.0,
        hidden: Sequence[int] = (256, 256),
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.5, 0.9),
    ) -> None:
        super().__init__(weight)
        self.hidden, self.optimizer_options = critic_options(hidden, lr, betas)

    def build(self, latent_dim: int) -> None:
        self.critic = Critic(latent_dim, self.hidden)

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        codes, samples = self.critic.frozen(torch.cat([z, draw(p)])).chunk(2)
        return classification_loss(real=codes, fake=samples)

    def critic_loss(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            samples, codes = self.critic(torch.cat([p.sample(), z.detach()])).chunk(2)
            return classification_loss(real=samples, fake=codes)


class CriticWasserstein(Regularizer):
    """W₁(q(z), p) = sup E f(z) - E f(y) over f of slope at most 1, by a critic f that learns.

    The estimate is too low while the critic lags. A spectral norm of 1 for each layer holds the
    slope near 1, since its power iteration lags a little; the estimate stays about or below W₁. A
    gradient penalty asks for slope 1, but is soft: a perfect critic overrates W₁ by the factor
    1 + W₁ / 2 penalty. Clipping bounds each parameter; the estimate is then a small multiple of
    W₁, which depends on the size of the critic.

    Args:
        weight: Factor λ on the divergence.
        lipschitz: How the slope of the critic is bounded: ``clip``, ``penalty`` or ``spectral``.
        hidden: Widths of the hidden layers of the critic.
        lr: Learning rate of the critic, best 3 to 10 times the model's.
        betas: Decay of the averages of the critic's Adam.
        clip: Bound of the parameters where they are clipped.
        penalty: Factor on the gradient penalty where there is one.

    Raises:
        ValueError: The weight is negative, the bound unknown, a width, the learning rate, the
            clip or the penalty not positive, or a beta not in [0, 1).

    References:
        Arjovsky, Chintala and Bottou, Wasserstein GAN, 2017, alg. 1.
        https://arxiv.org/abs/1701.07875
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, eq. 3.
        https://arxiv.org/abs/1704.00028
        Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018.
        https://arxiv.org/abs/1802.05957
    """

    comparable = False

    def __init__(
        self,
        weight: float = 1.0,
        lipschitz: Lipschitz = "penalty",
        hidden: Sequence[int] = (256, 256),
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.5, 0.9),
        clip: float = 0.01,
        penalty: float = 10.0,
    ) -> None:
        super().__init__(weight)
        if lipschitz not in get_args(Lipschitz):
            known = ", ".join(get_args(Lipschitz))
            raise ValueError(f"lipschitz must be one of {known}, got {lipschitz}")
        if not 0 < clip < math.inf:
            raise ValueError(f"clip must be positive, got {clip}")
        if not 0 < penalty < math.inf:
            raise ValueError(f"penalty must be positive, got {penalty}")
        self.hidden, self.optimizer_options = critic_options(hidden, lr, betas)
        self.lipschitz: Lipschitz = lipschitz
        self.penalty = penalty
        self.bound = clip if lipschitz == "clip" else math.inf

    @property
    def label(self) -> str:
        return f"CriticWasserstein {self.lipschitz} λ={self.weight:g}"

    def build(self, latent_dim: int) -> None:
        self.critic = Critic(latent_dim, self.hidden)
        if self.lipschitz == "spectral":
            for layer in list(self.critic.modules()):
                if isinstance(layer, nn.Linear):
                    spectral_norm(layer)

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        codes, samples = self.critic.frozen(torch.cat([z, draw(p)]), self.bound).chunk(2)
        return codes.mean() - samples.mean()

    def critic_loss(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            if self.lipschitz == "clip":  # after the optimizer's step, and before the next use
                self.critic.clip(self.bound)
            x, y = z.detach(), p.sample()
            codes, samples = self.critic(torch.cat([x, y])).chunk(2)
            loss: Tensor = samples.mean() - codes.mean()
            if self.lipschitz == "penalty":
                loss = loss + self.penalty * gradient_penalty(self.critic, x, y)
            return loss
