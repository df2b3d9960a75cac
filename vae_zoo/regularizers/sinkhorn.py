"""Sinkhorn divergence: optimal transport that is blurred, and rid of what the blur costs."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer
from vae_zoo.regularizers.families import require_examples
from vae_zoo.sampling import draw, gather

SCALINGS = 10  # updates at each temperature, by products that cost a tenth of an exponential
LOWEST = -60.0  # exponents below add nothing, and denormal numbers make exp ten times slower


def sinkhorn_divergence(x: Tensor, y: Tensor, blur: float, iterations: int = 3) -> Tensor:
    """S = OT(x, y) - ½ OT(x, x) - ½ OT(y, y) with OT = min_π ⟨π, ‖x - y‖²⟩ + ε KL(π | x ⊗ y).

    The temperature ε = 2 blur² is reached in steps from the largest squared distance on.
    As the blur vanishes, S becomes the squared 2-Wasserstein distance of the samples; as it grows,
    the squared distance of their means. It is twice the divergence of the cost ½ ‖x - y‖².

    Args:
        x: Samples of the first distribution, of shape ``(N, D)``.
        y: Samples of the second distribution, of shape ``(M, D)``.
        blur: Standard deviation of the Gaussian kernel exp(-‖x - y‖² / ε).
        iterations: Number of temperatures.

    Returns:
        A scalar; between samples of the same distribution it falls to zero from above as N grows.

    References:
        Feydy et al., Interpolating between Optimal Transport and MMD using Sinkhorn Divergences,
        2019, eq. 3. https://arxiv.org/abs/1810.08278
    """
    centre = y.detach().mean(0)  # distances are expanded, which rounds less near the origin
    x, y = x - centre, y - centre
    within = _entropic(x, x, blur, iterations) + _entropic(y, y, blur, iterations)
    return _entropic(x, y, blur, iterations) - within / 2


def _entropic(x: Tensor, y: Tensor, blur: float, iterations: int) -> Tensor:
    """OT(x, y), whose gradient is that of the cost of the optimal plan (envelope theorem)."""
    value, plan = _transport(x.detach(), y.detach(), 2 * blur**2, iterations, symmetric=x is y)
    cost = x.square().sum(1).mean() + plan.mean(0) @ y.square().sum(1)
    cost = cost - 2 * (x * (plan @ y)).sum(1).mean()
    return value + cost - cost.detach()


@torch.no_grad()
def _transport(
    x: Tensor, y: Tensor, epsilon: float, iterations: int, symmetric: bool
) -> tuple[Tensor, Tensor]:
    """Return OT(x, y), and the plan with rows of sum 1, of shape ``(N, M)``."""
    squares = x.square().sum(1).unsqueeze(1) + y.square().sum(1)
    cost = (squares - 2 * x @ y.T).clamp(min=0)
    steps = (cost.max() / epsilon).clamp(min=1)
    g = cost.new_zeros(len(y))
    for k in reversed(range(iterations)):
        temperature = epsilon * steps ** (k / iterations)
        f, kernel = _soft_minimum(cost, g, temperature)
        a, b = _scale(kernel, (f - g) / temperature if symmetric else None)
        f, g = f + temperature * a, g + temperature * b
    plan = kernel.mul_(_exp(a).unsqueeze(1)).mul_(_exp(b))
    return f.mean() + g.mean(), plan


def _soft_minimum(cost: Tensor, g: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
    """Return f = -ε log mean_j exp((g_j - cost_ij) / ε), and the terms of the sum, normalised."""
    exponents = (g - cost).div_(temperature)
    largest = exponents.amax(1, keepdim=True)
    kernel = exponents.sub_(largest).clamp_(min=LOWEST).exp_()
    total = kernel.sum(1, keepdim=True)
    f = -temperature * (largest + total.log() - math.log(len(g)))
    return f.squeeze(1), kernel.div_(total)


def _scale(kernel: Tensor, offset: Tensor | None) -> tuple[Tensor, Tensor]:
    """Find a and b, in units of ε, such that rows and columns of the scaled kernel sum to 1, M / N.

    Args:
        kernel: Kernel with rows of sum 1, of shape ``(N, M)``.
        offset: f - g in units of ε where both are one potential: it goes half the way each time,
            which converges however little is blurred. Elsewhere the two take turns.
    """
    ratio = kernel.shape[1] / kernel.shape[0]
    b = kernel.new_zeros(kernel.shape[1])
    for _ in range(SCALINGS):
        a = -(kernel @ _exp(b)).log()
        b = (a + b + offset) / 2 if offset is not None else -(ratio * (_exp(a) @ kernel)).log()
    return -(kernel @ _exp(b)).log(), b


def _exp(x: Tensor) -> Tensor:
    return x.clamp(LOWEST, -LOWEST).exp()


class Sinkhorn(Regularizer):
    """Sinkhorn divergence between the aggregate posterior q(z) and the prior, near W₂² or MMD².

    It compares the codes of a batch, pooled over ranks, with as many samples of the prior.

    Args:
        weight: Factor λ on the divergence.
        blur: Standard deviation of the blur in units of √D. A tenth is close to W₂², and as hard
            to estimate; ten is close to the squared distance of the means.
        iterations: Number of temperatures on the way; less blur needs more.

    Raises:
        ValueError: The weight is negative, the blur not positive, or there is no iteration.

    References:
        Feydy et al., Interpolating between Optimal Transport and MMD using Sinkhorn Divergences,
        2019, eq. 3. https://arxiv.org/abs/1810.08278
        Patrini et al., Sinkhorn AutoEncoders, 2019. https://arxiv.org/abs/1810.01118
        Schmitzer, Stabilized Sparse Scaling Algorithms for Entropy Regularized Transport Problems,
        2019, sec. 3. https://arxiv.org/abs/1610.06519
    """

    biased = True

    def __init__(self, weight: float = 1.0, blur: float = 1.0, iterations: int = 3) -> None:
        super().__init__(weight)
        if not 0 < blur < math.inf:
            raise ValueError(f"blur must be positive, got {blur}")
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}")
        self.blur, self.iterations = blur, iterations

    @property
    def label(self) -> str:
        return f"Sinkhorn blur={self.blur:g} λ={self.weight:g}"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        blur = self.blur * math.sqrt(z.shape[1])
        codes = gather(z)
        require_examples(len(codes), 2, "Sinkhorn")
        return sinkhorn_divergence(codes, gather(draw(p)), blur, self.iterations)
