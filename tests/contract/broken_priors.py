"""Priors that break the contract, each in one property."""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical, Independent, LogNormal, MixtureSameFamily, Normal

from vae_zoo.priors import ConditionalNormal, LearnedNormal, MixtureOfNormals


class Wrong(Independent):
    """A normal of which one method is replaced by that of a class below."""

    def expand(self, batch_shape, _instance=None):
        return type(self)(
            self.base_dist.expand((*batch_shape, *self.event_shape)), 1, validate_args=False
        )


class FromWrong(LearnedNormal):
    family = Independent

    def forward(self, c):
        return self.family(super().forward(c).base_dist, 1, validate_args=False)


class NotIndependent(LearnedNormal):
    """A batch of D normals of one dimension."""

    def forward(self, c):
        return super().forward(c).base_dist


class OneSampleForAll(FromWrong):
    class family(Wrong):  # noqa: N801
        def sample(self, sample_shape=()):
            return super().sample(sample_shape)[..., :1, :]


class Unnormalised(FromWrong):
    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return super().log_prob(value) + 0.01


class ForgetsTheJacobian(FromWrong):
    """Changes its samples and not its density."""

    class family(Wrong):  # noqa: N801
        has_rsample = False  # its gradients would show it again

        def sample(self, sample_shape=()):
            return 1.1 * super().sample(sample_shape)


class SharedNoise(FromWrong):
    """Draws both dimensions alike: their marginals are right."""

    class family(Wrong):  # noqa: N801
        has_rsample = False

        def sample(self, sample_shape=()):
            noise = torch.randn(*sample_shape, *self.batch_shape, 1, dtype=self.mean.dtype)
            return (self.mean + self.stddev * noise).detach()


class DetachedSamples(FromWrong):
    class family(Wrong):  # noqa: N801
        def rsample(self, sample_shape=()):
            return super().rsample(sample_shape).detach()


class StraightThrough(MixtureOfNormals):
    """A mixture whose samples pass gradients to the component that was drawn, and not to logits."""

    class Mixture(MixtureSameFamily):
        has_rsample = True

        def rsample(self, sample_shape=()):
            which = self.mixture_distribution.sample(sample_shape)
            drawn = self.component_distribution.rsample(sample_shape)
            return drawn.gather(
                -2, which[..., None, None].expand(*which.shape, 1, *self.event_shape)
            ).squeeze(-2)

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(StraightThrough.Mixture, _instance)
            return super().expand(batch_shape, _instance=new)

    def forward(self, c):
        normals = Independent(Normal(self.loc, self.log_scale.exp(), validate_args=False), 1)
        return self.Mixture(Categorical(logits=self.logits), normals, validate_args=False)


class Unused(LearnedNormal):
    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.forgotten = nn.Parameter(torch.zeros(3))


class Hidden(LearnedNormal):
    """Keeps parameters in a list, where no optimizer finds them."""

    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.shift = [torch.full((latent_dim,), 0.5, dtype=torch.double, requires_grad=True)]

    def forward(self, c):
        loc = self.loc + self.shift[0].to(self.loc.dtype)
        return Independent(Normal(loc, self.log_scale.exp(), validate_args=False), 1)


class NormalisedOverTheBatch(ConditionalNormal):
    def forward(self, c):
        p = super().forward(c).base_dist
        loc = p.loc - p.loc.mean(0)
        return Independent(Normal(loc, p.scale, validate_args=False), 1, validate_args=False)


class SecondUnnormalised(ConditionalNormal):
    """Is a density given the first condition and the third, alone."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return super().log_prob(value) + 0.1 * self.second

        def expand(self, batch_shape, _instance=None):
            new = super().expand(batch_shape)
            new.second = self.second.expand(batch_shape)
            return new

    def forward(self, c):
        p = self.family(super().forward(c).base_dist, 1, validate_args=False)
        p.second = c[:, 1]
        return p


class RightInTwoDimensions(FromWrong):
    """Has the constant of two dimensions, in any number of them."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return super().log_prob(value) + 0.5 * (self.event_shape[0] - 2)


class SameForAll(FromWrong):
    """Draws once where several samples are asked for."""

    class family(Wrong):  # noqa: N801
        def sample(self, sample_shape=()):
            return super().sample().expand(*sample_shape, *self.batch_shape, -1)


class NoiseOfNumpy(FromWrong):
    class family(Wrong):  # noqa: N801
        def sample(self, sample_shape=()):
            shape = (*sample_shape, *self.batch_shape, *self.event_shape)
            noise = torch.from_numpy(np.random.default_rng().standard_normal(shape))
            return (self.mean + self.stddev * noise.to(self.mean)).detach()


class GradientOfTheBatch(FromWrong):
    """Has a right density, whose gradient is that of the mean of a batch besides."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            log_prob = super().log_prob(value)
            return log_prob + log_prob.mean() - log_prob.mean().detach()

        has_rsample = False


class TimesZero(LearnedNormal):
    """Has a parameter that changes nothing, though a gradient reaches it."""

    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.extra = nn.Parameter(torch.ones(latent_dim))

    def forward(self, c):
        loc = self.loc + 0 * self.extra
        return Independent(Normal(loc, self.log_scale.exp(), validate_args=False), 1)


class NaNOutside(LearnedNormal):
    """Log-normal: its logarithm of what is negative is NaN, where -inf is due."""

    def forward(self, c):
        p = LogNormal(self.loc, self.log_scale.exp(), validate_args=False)
        return Independent(p, 1, validate_args=False)


class IgnoresTheCondition(ConditionalNormal):
    def forward(self, c):
        return super().forward(torch.ones_like(c))


class NaNFarOut(FromWrong):
    """Has a right density, whose gradient is not finite."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            within = (200 - value.square().sum(-1)).clamp(min=0)
            return super().log_prob(value) + 0 * within.sqrt()


class PlainTensor(LearnedNormal):
    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.centre = torch.ones(latent_dim)

    def forward(self, c):
        loc = self.loc + self.centre.to(self.loc)
        return Independent(Normal(loc, self.log_scale.exp(), validate_args=False), 1)


class SingleSamples(FromWrong):
    class family(Wrong):  # noqa: N801
        def sample(self, sample_shape=()):
            return super().sample(sample_shape).float()


class HalfUnderAutocast(ConditionalNormal):
    def forward(self, c):
        loc, log_scale = self.affine(c).chunk(2, dim=-1)
        return Independent(Normal(loc, log_scale.exp(), validate_args=False), 1)


class OutsideTheStateDict(LearnedNormal):
    """Draws its centre anew for each object, and saves it nowhere."""

    def __init__(self, latent_dim, condition_dim=0):
        super().__init__(latent_dim, condition_dim)
        self.register_buffer("centre", torch.randn(latent_dim), persistent=False)

    def forward(self, c):
        loc = self.loc + self.centre
        return Independent(Normal(loc, self.log_scale.exp(), validate_args=False), 1)


BROKEN = {
    NotIndependent: "shapes",
    OneSampleForAll: "shapes",
    Unnormalised: "integrates to 1",
    SecondUnnormalised: "integrates to 1",
    ForgetsTheJacobian: "samples follow the density",
    SharedNoise: "samples follow the density",
    RightInTwoDimensions: "five dimensions",
    SameForAll: "fresh samples",
    NoiseOfNumpy: "fresh samples",
    GradientOfTheBatch: "codes apart",
    DetachedSamples: "gradient of its samples",
    StraightThrough: "gradient of its samples",
    Unused: "gradient in its parameters",
    TimesZero: "gradient in its parameters",
    Hidden: "gradient in its parameters",
    NormalisedOverTheBatch: "each condition its own density",
    IgnoresTheCondition: "each condition its own density",
    NaNFarOut: "finite far out",
    NaNOutside: "finite far out",
    PlainTensor: "double precision",
    SingleSamples: "double precision",
    HalfUnderAutocast: "single precision",
    OutsideTheStateDict: "copies",
}
