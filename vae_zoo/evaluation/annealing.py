"""Annealed importance sampling: log p(x) by the decoder and the prior alone."""

from typing import Any

import torch
from torch import Tensor

from vae_zoo.evaluation.chains import AnnealedChains
from vae_zoo.evaluation.kept import KeptExamples, mean_score
from vae_zoo.evaluation.noise import sample_prior
from vae_zoo.evaluation.score import Score
from vae_zoo.vae import VAE

EXAMPLES = 50  # whose chains run at once


class AnnealedImportanceSampling(KeptExamples):
    """``ais``, log p(x) by chains from the prior to the posterior, and what it may be off by.

    It needs no q(z | x), so that it serves a Deterministic posterior, too. ``ais`` is a lower bound
    in the mean. For ``bdmc_gap`` the model draws examples itself, of which it then knows an exact
    sample of the posterior: chains from there back to the prior bound log p(x) from above in the
    mean. The gap is the upper bound minus the lower one, of the model's examples: on data that the
    model has not drawn, ``ais`` may be off by more. A conditional model draws under the examples'
    own conditions. A model without codes has no path between two densities, and no scores.

    All chains run when the numbers are asked for, since only in batches of one composition does
    rounding, which may turn an acceptance, depend on no order.

    Args:
        chains: Number M of chains of each example, whose weights are averaged.
        temperatures: Number T of steps from the prior to the posterior, at least 2.
        leapfrogs: Number L of leapfrog steps at each temperature. At the same cost one of them and
            more temperatures do better than more of them: long paths may lead back to where they
            began.
        simulated: Number of examples that the model draws; 0 leaves the gap out.
        seed: Of all noise.

    Raises:
        ValueError: A number is too small, or the seed is negative.

    References:
        Wu, Burda, Salakhutdinov and Grosse, On the Quantitative Analysis of Decoder-Based
        Generative Models, 2017. https://arxiv.org/abs/1611.04273
        Grosse, Ancha and Roy, Measuring the Reliability of MCMC Inference with Bidirectional Monte
        Carlo, 2016. https://arxiv.org/abs/1606.02275
    """

    rows = ("x", "c", "number")

    def __init__(
        self,
        chains: int = 4,
        temperatures: int = 800,
        leapfrogs: int = 1,
        simulated: int = 20,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        least = {"chains": 1, "temperatures": 2, "leapfrogs": 1, "simulated": 0}
        self.path = {"chains": chains, "temperatures": temperatures, "leapfrogs": leapfrogs}
        for name, value in (self.path | {"simulated": simulated}).items():
            if value < least[name]:
                raise ValueError(f"{name} must be at least {least[name]}, got {value}")
        self.simulated = simulated

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        return {"x": x, "c": c, "number": keys}

    def scores(  # type: ignore[override]
        self, x: Tensor, c: Tensor, number: Tensor
    ) -> dict[str, Score]:
        if not self.model.latent_dim:
            return {}
        x, c = x.to(self.model.device), c.to(self.model.device)
        batches = zip(*(torch.split(part, EXAMPLES) for part in (x, c, number)), strict=True)
        columns = [self.columns(*batch) for batch in batches]
        found = {n: mean_score(torch.cat([each[n] for each in columns])) for n in columns[0]}
        if self.simulated:
            found["bdmc_gap"] = mean_score(self._gaps(c))
        return found

    def columns(self, x: Tensor, c: Tensor, number: Tensor) -> dict[str, Tensor]:
        """Return what is averaged over examples: numbers of shape ``(B,)`` by name."""
        return {"ais": self._chains(x, c, number.tolist()).forward().lower}

    def _gaps(self, c: Tensor) -> Tensor:
        """Draw examples of the model, and return upper minus lower bounds of their log p(x)."""
        c = c[torch.arange(self.simulated, device=c.device) % len(c)]
        z = sample_prior(self.model, c, self.seed)
        x = self.model.decode(z, c).sample()
        numbers = torch.arange(self.simulated)
        gaps = []
        for part in torch.split(numbers, EXAMPLES):
            chains = self._chains(x[part], c[part], part.tolist())
            gaps.append(chains.reverse(z[part]).upper - chains.forward().lower)
        return torch.cat(gaps)

    def _chains(self, x: Tensor, c: Tensor, keys: list[int]) -> AnnealedChains:
        return AnnealedChains(self.model, x, c, keys, seed=self.seed, **self.path)

    @property
    def setting(self) -> dict[str, Any]:
        return {**self.path, "simulated": self.simulated}
