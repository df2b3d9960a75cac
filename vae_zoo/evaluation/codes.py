"""What metrics of codes keep of each example."""

from abc import ABC
from typing import ClassVar

from torch import Tensor

from vae_zoo.evaluation.kept import KeptExamples
from vae_zoo.evaluation.noise import sample_posteriors
from vae_zoo.vae import VAE


class KeptCodes(KeptExamples, ABC):
    """Keeps the code that stands for q(z | x) of each example, of shape ``(D,)``.

    It is the mean; of a posterior of flows, which has none in closed form, the image of its centre.
    """

    rows: ClassVar[tuple[str, ...]] = ("codes",)

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        require_codes(model, type(self).__name__)
        return {"codes": model.posterior.point(model.encode(x, c))}


class KeptPosteriors(KeptExamples, ABC):
    """Keeps the parameters of q(z | x) of each example, from which codes can be drawn.

    Args:
        codes: At most so many are drawn; if there are more examples, of a part of them that is
            always the same: the first ones in the order of their keys.
        seed: Of all noise.

    Raises:
        ValueError: Fewer codes than ``least`` are drawn, or the seed is negative.
    """

    rows = ("params", "conditions")

    def __init__(self, codes: int = 2000, seed: int = 0) -> None:
        super().__init__(seed)
        if codes < self.least:
            raise ValueError(f"codes must be at least {self.least}, got {codes}")
        self.codes = codes

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        require_codes(model, type(self).__name__)
        return {"params": model.encoder(x, c), "conditions": c}

    def draw(self, params: Tensor, samples: int = 1) -> Tensor:
        """Draw codes of the first M examples, ``(K, M, D)``, by noise that follows their keys."""
        keys = self.ordered[: len(params)].tolist()
        return sample_posteriors(self.model, params, keys, self.seed, samples)


def require_codes(model: VAE, user: str) -> None:
    """Refuse a model that has no codes.

    Raises:
        ValueError: It has no latent dimension.
    """
    if not model.latent_dim:
        raise ValueError(
            f"{user} measures codes, and a model of latent_dim 0 has none: train one with more"
        )
