"""Regularizers that break the contract, each in one property; and a critic that keeps it."""

import math

import torch
from torch import distributed, nn
from torch.distributions import Independent, Normal
from torch.func import functional_call
from torch.nn.functional import softplus

from vae_zoo.regularizers import KL, kl_divergence
from vae_zoo.regularizers.families import require_density
from vae_zoo.sampling import draw, gather


class PerExample(KL):
    def divergence(self, q, p, z):
        return z.square().sum(dim=1)


class NotANumber(KL):
    def divergence(self, q, p, z):
        return z.mean().log() * math.nan


class GradientInValidation(KL):
    def divergence(self, q, p, z):
        (score,) = torch.autograd.grad(p.log_prob(z).sum(), z)
        return score.square().sum(1).mean()


class NoTensor(KL):
    def divergence(self, q, p, z):
        return 0.0


class Offset(KL):
    def divergence(self, q, p, z):
        return super().divergence(q, p, z) + 0.1


class BiasThatStays(Offset):
    biased = True


class UndeclaredBias(KL):
    def divergence(self, q, p, z):
        return super().divergence(q, p, z) + gather(z).mean(0).norm()


class BlindToShift(KL):
    def divergence(self, q, p, z):
        require_density(q, "BlindToShift")
        m = q.mean - gather(q.mean).mean(0)
        centred = Independent(Normal(m, q.stddev, validate_args=False), 1)
        return super().divergence(centred, p, z)


class NotInvariantToShift(KL):
    invariances = frozenset({"shift"})


class BlindToScaling(KL):
    def divergence(self, q, p, z):
        require_density(q, "BlindToScaling")
        s = q.stddev.clamp(max=1)
        return super().divergence(Independent(Normal(q.mean, s, validate_args=False), 1), p, z)


class NotInvariantToScaling(KL):
    invariances = frozenset({"scale"})


class Saturated(KL):
    """Falls again far from the prior."""

    def divergence(self, q, p, z):
        require_density(q, "Saturated")
        kl = gather(kl_divergence(q, p, z)).mean()
        return kl * torch.exp(-kl / 2) + 0.01 * kl


class DividedByN(KL):
    def divergence(self, q, p, z):
        return super().divergence(q, p, z) / len(gather(z))


class DividedByNAndBiased(DividedByN):
    biased = True


class SummedOverExamples(KL):
    biased = True

    def divergence(self, q, p, z):
        return super().divergence(q, p, z) * len(gather(z))


class WithoutWeight(KL):
    def forward(self, q, p, z):
        return self.divergence(q, p, z)


class HalfUnderAutocast(KL):
    def forward(self, q, p, z):
        one = (z @ z.T).trace() / z.square().sum()
        return self.weight * self.divergence(q, p, z) * one


class HalfResult(KL):
    def forward(self, q, p, z):
        penalty = super().forward(q, p, z)
        return penalty.bfloat16() if torch.is_autocast_enabled("cpu") else penalty


class Detached(KL):
    def divergence(self, q, p, z):
        require_density(q, "Detached")
        fixed = Normal(q.mean.detach(), q.stddev.detach(), validate_args=False)
        return super().divergence(Independent(fixed, 1), p, z)


class DetachedScale(KL):
    def divergence(self, q, p, z):
        require_density(q, "DetachedScale")
        fixed = Normal(q.mean, q.stddev.detach(), validate_args=False)
        return super().divergence(Independent(fixed, 1), p, z)


class DetachedPrior(KL):
    def divergence(self, q, p, z):
        fixed = Normal(p.mean.detach(), p.stddev.detach(), validate_args=False)
        return super().divergence(q, Independent(fixed, 1), z)


class CrashesOnAPoint(KL):
    def divergence(self, q, p, z):
        q.base_dist.loc  # noqa: B018
        return super().divergence(q, p, z)


class DeadInManyDimensions(KL):
    def divergence(self, q, p, z):
        return super().divergence(q, p, z) * (z.shape[1] < 100)


class InfiniteInManyDimensions(KL):
    def divergence(self, q, p, z):
        return super().divergence(q, p, z) / (z.shape[1] < 100)


class Alternating(KL):
    """Has state that no checkpoint holds."""

    calls = 0

    def divergence(self, q, p, z):
        self.calls += 1
        return super().divergence(q, p, z) * (1 + 1e-6 * (self.calls % 2))


class WithoutGather(KL):
    biased = True

    def divergence(self, q, p, z):
        return super().divergence(q, p, z) + (z.mean(0) - draw(p).mean(0)).square().sum()


class DirectionsOfEachRank(KL):
    biased = True

    def divergence(self, q, p, z):
        along = gather(z) @ torch.randn(z.shape[1], 1).to(z)
        return super().divergence(q, p, z) + 0.01 * along.mean().square()


class DirectionOfRankZero(KL):
    """Draws once for all ranks, and only where it is needed: breaks nothing."""

    def divergence(self, q, p, z):
        ranks = distributed.is_initialized()
        along = z.new_empty(z.shape[1])
        if not ranks or distributed.get_rank() == 0:
            along.normal_()
        if ranks:
            distributed.broadcast(along, src=0)
        return super().divergence(q, p, z) * (1 + 1e-7 * along.mean())


class DrawsByRank(KL):
    """Draws of another shape in a group of processes, which no single one can repeat."""

    def divergence(self, q, p, z):
        size = (3,) if distributed.is_initialized() else (2, 2)
        return super().divergence(q, p, z) * (1 + 1e-7 * torch.randn(*size).mean())


class Adversary(KL):
    """KL and the game of a critic: breaks nothing."""

    null_value = math.log(2)

    def build(self, latent_dim):
        self.critic = nn.Linear(latent_dim, 1)

    def frozen(self, z):
        fixed = {name: value.detach() for name, value in self.critic.named_parameters()}
        return functional_call(self.critic, fixed, z)

    def divergence(self, q, p, z):
        return super().divergence(q, p, z) + softplus(-self.frozen(z)).mean()

    def critic_loss(self, q, p, z):
        return (softplus(-self.critic(p.sample())) + softplus(self.critic(z.detach()))).mean()


class CriticMovesTheEncoder(Adversary):
    def critic_loss(self, q, p, z):
        return (softplus(-self.critic(p.sample())) + softplus(self.critic(z))).mean()


class CriticMovesThePrior(Adversary):
    def critic_loss(self, q, p, z):
        return (softplus(-self.critic(draw(p))) + softplus(self.critic(z.detach()))).mean()


class ModelMovesTheCritic(Adversary):
    def frozen(self, z):
        return self.critic(z)


class CriticThatNeverLearns(Adversary):
    def critic_loss(self, q, p, z):
        return 0 * super().critic_loss(q, p, z)


class CriticWithoutGather(Adversary):
    def critic_loss(self, q, p, z):
        return super().critic_loss(q, p, z) + 0.1 * self.critic(z.detach()).mean().square()


BROKEN = {
    PerExample: "scalar and finite",
    NotANumber: "scalar and finite",
    GradientInValidation: "scalar and finite",
    NoTensor: "scalar and finite",
    Offset: "value where q = p",
    BiasThatStays: "value where q = p",
    UndeclaredBias: "value where q = p",
    BlindToShift: "grows with a shift",
    NotInvariantToShift: "grows with a shift",
    Saturated: "grows with a shift",
    BlindToScaling: "grows with a scaling",
    NotInvariantToScaling: "grows with a scaling",
    DividedByN: "same value at every n",
    DividedByNAndBiased: "same value at every n",
    SummedOverExamples: "same value at every n",
    WithoutWeight: "proportional to its weight",
    HalfUnderAutocast: "single precision",
    HalfResult: "single precision",
    Detached: "gradient in the encoder",
    DetachedScale: "gradient in the encoder",
    DetachedPrior: "gradient in a learned prior",
    CrashesOnAPoint: "deterministic posterior",
    CriticMovesTheEncoder: "players are cut off",
    CriticMovesThePrior: "players are cut off",
    ModelMovesTheCritic: "players are cut off",
    DeadInManyDimensions: "2, 16 and 128 dimensions",
    InfiniteInManyDimensions: "2, 16 and 128 dimensions",
    Alternating: "resumes exactly",
    WithoutGather: "two processes as one",
    DirectionsOfEachRank: "two processes as one",
    DrawsByRank: "two processes as one",
    CriticWithoutGather: "two processes as one",
}
