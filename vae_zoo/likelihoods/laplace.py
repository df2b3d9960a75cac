"""Laplace distributions: the likelihood of real data with outliers."""

from collections.abc import Sequence
from typing import get_args

from torch import Tensor
from torch.distributions import Distribution, Independent, Laplace

from vae_zoo.arguments import require_positive
from vae_zoo.likelihoods.scale import Learned, LocationScale


class LaplaceLikelihood(LocationScale):
    """p(x | z) = exp(-|x - m| / b) / 2b by pixel, with m from the decoder: an absolute error.

    Its log-density includes the constant ln 2b of every pixel. On levels or binary data it is a
    density beside them, to be compared with other densities alone.

    Args:
        shape: Shape of one example.
        scale: The scale b, or where it starts if it is learned; the variance is 2b².
        learned: ``fixed`` is a constant, ``scalar`` a parameter for all pixels, ``pixel`` one for
            each, and ``decoded`` comes from the decoder for each pixel of each example. The scales
            of single pixels stay above a thousandth of where they start.

    Raises:
        ValueError: The scale is not positive, or there is no such choice.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2014, sec. 2.4 (the Laplace among the
        families of a location and a scale). https://arxiv.org/abs/1312.6114
    """

    supports = frozenset({"binary", "unit interval", "256 levels", "real"})

    def __init__(
        self, shape: Sequence[int], scale: float = 1.0, learned: Learned = "fixed"
    ) -> None:
        require_positive("scale", scale)
        super().__init__(shape, scale, learned, get_args(Learned))

    def forward(self, params: Tensor) -> Distribution:
        laplace = Laplace(*self.split(params), validate_args=False)
        return Independent(laplace, len(self.shape), validate_args=False)
