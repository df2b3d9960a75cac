"""Total correlation by a discriminator: the FactorVAE."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.critic import Critic, classification_loss, critic_options
from vae_zoo.regularizers.families import require_density
from vae_zoo.regularizers.kl import kl_divergence
from vae_zoo.sampling import gather, permute_dimensions


class FactorVAE(Regularizer):
    """E_x KL(q(z | x) ‖ p) + γ E [log D(z) - log(1 - D(z))], whose mean estimates TC(z).

    D tells codes from codes with each dimension permuted over the examples, which has the
    distribution Π_d q(z_d). It learns the one from half of the batch, pooled over ranks, and the
    other from the other half. The estimate lags behind TC as D does.

    Args:
        weight: Factor on the whole.
        gamma: Factor γ on the total correlation.
        hidden: Widths of the hidden layers of D.
        lr: Learning rate of D, best 3 to 10 times the model's.
        betas: Decay of the averages of D's Adam.

    Raises:
        ValueError: The weight or γ is negative, a width or the learning rate not positive, or a
            beta not in [0, 1).

    References:
        Kim and Mnih, Disentangling by Factorising, 2018, eq. 2 and 3, alg. 1 and 2.
        https://arxiv.org/abs/1802.05983
    """

    comparable = False

    def __init__(
        self,
        weight: float = 1.0,
        gamma: float = 10.0,
        hidden: Sequence[int] = (256, 256),
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.5, 0.9),
    ) -> None:
        super().__init__(weight)
        if not 0 <= gamma < math.inf:
            raise ValueError(f"gamma must be non-negative, got {gamma}")
        self.gamma = gamma
        self.hidden, self.optimizer_options = critic_options(hidden, lr, betas)

    @property
    def label(self) -> str:
        whole = "" if self.weight == 1 else f" λ={self.weight:g}"
        return f"FactorVAE{whole} γ={self.gamma:g}"

    def build(self, latent_dim: int) -> None:
        self.critic = Critic(latent_dim, self.hidden)

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Add the estimate of the total correlation to the KL.

        Raises:
            ValueError: q has no density.
        """
        require_density(q, "FactorVAE")
        kl = kl_divergence(q, p, z)
        assert kl is not None  # q has a density
        return kl.mean() + self.gamma * self.critic.frozen(z).mean()

    def critic_loss(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Tell codes from permuted codes.

        Raises:
            ValueError: There are fewer than two examples.
        """
        codes = gather(z.detach())
        if len(codes) < 2:
            raise ValueError(
                f"FactorVAE needs at least two examples, got {len(codes)}, to permute one half "
                "of them: raise --data.batch_size"
            )
        half = len(codes) // 2
        mixed = permute_dimensions(codes[half:])
        with torch.autocast(z.device.type, enabled=False):
            logits = self.critic(torch.cat([codes[:half], mixed]))
            return classification_loss(real=logits[:half], fake=logits[half:])
