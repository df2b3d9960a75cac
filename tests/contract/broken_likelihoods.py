"""Likelihoods that break the contract, each in one property."""

import torch
from torch import nn
from torch.distributions import Independent, LogNormal
from torch.distributions import Normal as NormalDistribution

from vae_zoo.likelihoods import Bernoulli, ContinuousBernoulli, DiscretizedLogistic, Normal


class Wrong(Independent):
    """Independent pixels of which one method is replaced by that of a class below."""


class FromWrong:
    """Wraps the pixels of the likelihood beside it."""

    family = Wrong

    def forward(self, params):
        p = super().forward(params)
        return self.family(p.base_dist, p.reinterpreted_batch_ndims, validate_args=False)


class NotIndependent(Normal):
    def forward(self, params):
        return super().forward(params).base_dist


class StackedLast(Normal):
    """Wants its parameters where no convolution puts them."""

    @property
    def params(self):
        return (*self.shape[:-1], 2 * self.shape[-1])

    def forward(self, params):
        loc, log_scale = params.chunk(2, -1)
        normal = NormalDistribution(loc, (log_scale / 3).exp(), validate_args=False)
        return Independent(normal, 3, validate_args=False)


class NoConstant(FromWrong, Normal):
    """A squared error, which lacks ½ ln 2π of each pixel."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return -0.5 * (value - self.mean).square().flatten(1).sum(1)


class CrossEntropyOfGreys(Bernoulli):
    """A Bernoulli likelihood of grey pixels, which is none."""

    supports = frozenset({"unit interval"})


class OutsideTheUnit(FromWrong, ContinuousBernoulli):
    class family(Wrong):  # noqa: N801
        def sample(self, sample_shape=()):
            x = super().sample(sample_shape)
            x[0] += 1  # of many
            return x


class NotQuiteLevels(FromWrong, DiscretizedLogistic):
    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return super().log_prob((value * 255).round() / 255)

        def sample(self, sample_shape=()):
            return super().sample(sample_shape) * (255 / 255.01)


class TooWide(FromWrong, Normal):
    class family(Wrong):  # noqa: N801
        def sample(self, sample_shape=()):
            x = super().sample(sample_shape)
            return self.mean + 1.1 * (x - self.mean)


class NaNOutside(Normal):
    """Log-normal: its logarithm of what is negative is NaN, where -inf is due."""

    def forward(self, params):
        p = LogNormal(*self.split(params), validate_args=False)
        return Independent(p, len(self.shape), validate_args=False)


class RightForTwoPixels(FromWrong, Normal):
    """Has the constant of two pixels, for any number of them."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return super().log_prob(value) + 0.5 * (self.event_shape.numel() - 2)


class MeanOverPixels(FromWrong, Normal):
    """A mean over rows and columns, which is a sum where there is one of each."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return self.base_dist.log_prob(value).mean((-1, -2)).sum(-1)


class Transposed(Normal):
    def forward(self, params):
        return super().forward(params.mT)


class Mirrored(Bernoulli):
    """Takes the parameters of the last column for the first."""

    def forward(self, params):
        return super().forward(params.flip(-1))


class ZeroForAPicture(Normal):
    def point(self, p):
        return torch.zeros_like(p.mean)


class LogitsForAPicture(Bernoulli):
    def point(self, p):
        return p.base_dist.logits


class VarianceOfTheBatch(Normal):
    """Takes its scale from all examples of a batch."""

    def forward(self, params):
        scale = params.flatten(1).std(dim=1, correction=0).mean() + 0.5
        normal = NormalDistribution(params, scale, validate_args=False)
        return Independent(normal, len(self.shape), validate_args=False)


class OverflowsEarly(FromWrong, Bernoulli):
    """Takes the logarithm of a probability."""

    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            p = self.base_dist.logits.sigmoid()
            return (value * p.log() + (1 - value) * (1 - p).log()).flatten(1).sum(1)


class DeadParameters(Normal):
    """Asks for a scale from the decoder, and does not use it."""

    @property
    def params(self):
        return (2 * self.shape[0], *self.shape[1:])

    def forward(self, params):
        return super().forward(params.chunk(2, dim=1)[0])


class Unused(Normal):
    def __init__(self, shape):
        super().__init__(shape)
        self.forgotten = nn.Parameter(torch.zeros(()))


class PlainTensor(Normal):
    def __init__(self, shape):
        super().__init__(shape)
        self.scale = torch.ones(())

    def forward(self, params):
        normal = NormalDistribution(params, self.scale.to(params.dtype), validate_args=False)
        return Independent(normal, len(self.shape), validate_args=False)


class Half(Normal):
    class family(Wrong):  # noqa: N801
        def log_prob(self, value):
            return super().log_prob(value.to(self.base_dist.loc.dtype))

    def forward(self, params):
        scale = torch.ones((), dtype=params.dtype)
        normal = NormalDistribution(params, scale, validate_args=False)
        return self.family(normal, len(self.shape), validate_args=False)


class OutsideTheStateDict(Normal):
    """Draws its scale anew for each object, and saves it nowhere."""

    def __init__(self, shape):
        super().__init__(shape)
        self.register_buffer("scale", torch.rand(()) + 0.5, persistent=False)

    def forward(self, params):
        normal = NormalDistribution(params.float() if params.dtype == torch.bfloat16 else params,
                                    self.scale, validate_args=False)  # fmt: skip
        return Independent(normal, len(self.shape), validate_args=False)


BROKEN = {
    NotIndependent: "shapes",
    StackedLast: "shapes",
    NoConstant: "normalised",
    NaNOutside: "normalised",
    OutsideTheUnit: "samples in the support",
    NotQuiteLevels: "samples in the support",
    TooWide: "samples follow the density",
    RightForTwoPixels: "more pixels",
    MeanOverPixels: "more pixels",
    Transposed: "more pixels",
    Mirrored: "more pixels",
    ZeroForAPicture: "what stands for it",
    LogitsForAPicture: "what stands for it",
    VarianceOfTheBatch: "examples apart",
    OverflowsEarly: "extreme parameters",
    DeadParameters: "gradient in the decoder",
    Unused: "gradient in its own parameters",
    PlainTensor: "double precision",
    Half: "single precision",
    OutsideTheStateDict: "copies",
}
