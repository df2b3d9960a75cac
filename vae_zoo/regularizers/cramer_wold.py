"""Cramér-Wold distance: the CWAE."""

import math
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.confluent import confluent
from vae_zoo.regularizers.families import require_examples, require_standard
from vae_zoo.regularizers.kernels import Values
from vae_zoo.regularizers.pairs import mean_between, mean_within
from vae_zoo.sampling import gather


def cramer_wold(x: Tensor) -> Tensor:
    """Average over directions the squared L² distance of smoothed projections from N(0, 1).

    Both densities are smoothed by a normal of variance γ = (4 / 3N)^(2/5), Silverman's rule. The
    mean over pairs includes those of a sample with itself, so that it falls to zero from above.

    Args:
        x: Samples of shape ``(N, D)``.

    Returns:
        A positive scalar that can be differentiated once.

    References:
        Knop et al., Cramer-Wold Auto-Encoder, 2020.
        https://jmlr.org/papers/v21/19-560.html
    """
    n, d = x.shape
    gamma = (4 / (3 * n)) ** 0.4
    pairs = mean_within(x, partial(_similarity, divisor=4 * gamma, dim=d)) if n > 1 else 0.0
    within = (1 + (n - 1) * pairs) / n  # a sample with itself has similarity 1
    origin = x.new_zeros(1, d)
    between = mean_between(x, origin, partial(_similarity, divisor=2 + 4 * gamma, dim=d))
    total = within / math.sqrt(gamma) + 1 / math.sqrt(1 + gamma)
    return (total - 2 * between / math.sqrt(gamma + 0.5)) / (2 * math.sqrt(math.pi))


def _similarity(squares: Tensor, divisor: float, dim: int) -> Values:
    values, slopes = confluent(squares.div_(divisor), dim)
    return Values(values, slopes.div_(divisor))


class CramerWold(Regularizer):
    """The logarithm of the Cramér-Wold distance between the aggregate posterior and N(0, I).

    The logarithm keeps the gradient from fading near the prior, whatever the weight.

    Args:
        weight: Factor λ on the divergence.

    Raises:
        ValueError: The weight is negative.

    References:
        Knop et al., Cramer-Wold Auto-Encoder, 2020. https://jmlr.org/papers/v21/19-560.html
    """

    null_value = None
    biased = True

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        """Compare the codes of all ranks with N(0, I).

        Raises:
            ValueError: The prior is not N(0, I), or there are fewer than two examples.
        """
        require_standard(p, "CramerWold")
        codes = gather(z)
        require_examples(len(codes), 2, "CramerWold")
        distance = cramer_wold(codes)
        return distance.clamp(min=torch.finfo(z.dtype).eps).log()  # rounding may leave it at zero
