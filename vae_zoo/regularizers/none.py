"""No regularizer: the plain autoencoder."""

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers.base import Regularizer


class NoRegularizer(Regularizer):
    """0: the codes go wherever the reconstruction wants them.

    References:
        Hinton and Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, 2006.
        https://doi.org/10.1126/science.1127647
    """

    invariances = frozenset({"shift", "scale"})

    def __init__(self) -> None:
        super().__init__()

    @property
    def label(self) -> str:
        return "NoRegularizer"

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return 0 * z.sum()  # with a gradient, as of any other regularizer
