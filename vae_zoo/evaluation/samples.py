"""How like real examples what a model generates is, in features of the data."""

from copy import deepcopy
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from vae_zoo.evaluation.distances import frechet_distance, kernel_distance
from vae_zoo.evaluation.kept import KeptExamples, mean_score
from vae_zoo.evaluation.manifolds import overlap
from vae_zoo.evaluation.noise import evaluating, example_keys, fix_noise
from vae_zoo.evaluation.score import Score
from vae_zoo.vae import VAE

Decoded = Literal["means", "draws"]
ROWS = 1000  # samples that are decoded at once


class SampleQuality(KeptExamples):
    """FID, KID, precision, recall, density and coverage of what a model generates.

    Each is of three sets beside the test examples: ``samples`` of the model's own prior, as many,
    under the same conditions; ``reconstructions`` of the test examples; and ``train``, as many
    examples to train on, which are what no model need be better than. The train examples are those
    that ``update`` is given with ``train=True``; if there are fewer of them than test examples,
    ``train`` is absent. A regression has no reconstructions.

    Args:
        features: Maps examples ``(N, *X)`` to features ``(N, F)``: those that
            :func:`vae_zoo.evaluation.features` makes of the data.
        neighbours: Number k of neighbours, of precision, recall, density and coverage.
        seed: Of the samples.
        decoded: What is compared of p(x | z): ``means``, as pictures show them, or ``draws``. Means
            of binary data are grey, which no example is, and much of their distance is that.

    Raises:
        ValueError: There is no neighbour, the seed is negative, or nothing is decoded so.
    """

    rows = ("real", "reconstructed", "conditions")
    train_keys: list[Tensor]
    train_real: list[Tensor]

    def __init__(
        self, features: nn.Module, neighbours: int = 5, seed: int = 0, decoded: Decoded = "means"
    ) -> None:
        super().__init__(seed)
        if neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {neighbours}")
        if decoded not in (choices := get_args(Decoded)):
            raise ValueError(f"decoded must be {' or '.join(choices)}, got {decoded!r}")
        self.features, self.neighbours = deepcopy(features).eval(), neighbours
        self.decoded = decoded
        self.add_state("train_keys", [], dist_reduce_fx="cat")
        self.add_state("train_real", [], dist_reduce_fx="cat")

    @property
    def setting(self) -> dict[str, Any]:
        named = getattr(self.features, "setting", {"features": type(self.features).__name__})
        return {**named, "neighbours": self.neighbours, "decoded": self.decoded}

    def update(self, model: VAE, x: Tensor, y: Tensor | None = None, train: bool = False) -> None:
        """Count a batch of data ``(B, *X)`` and labels ``(B,)``, or conditions ``(B, *Y)``.

        Args:
            model: The model.
            x: Test examples, or examples to train on.
            y: Their labels or conditions, if any.
            train: Whether they are examples to train on.
        """
        if not train:
            super().update(model, x, y)
            return
        with evaluating(model):
            x = x.to(model.device)
            self.train_keys.append(example_keys(x, y).to(self.device))
            self.train_real.append(self.features(x).to(self.device))

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        real = self.features(x)
        reconstructed = real.new_empty(len(x), 0)
        if model.latent_dim:
            z = model.posterior.point(model.encode(x, c))
            if self.decoded == "means":
                reconstruction = model.likelihood.point(model.decode(z, c))
            else:
                reconstruction = _draw(model, model.decoder(z, c), keys, self.seed)
            reconstructed = self.features(reconstruction)
        return {"real": real, "reconstructed": reconstructed, "conditions": c}

    def scores(  # type: ignore[override]
        self, real: Tensor, reconstructed: Tensor, conditions: Tensor
    ) -> dict[str, Score]:
        if len(real) <= (least := max(self.neighbours, 3)):
            raise ValueError(
                f"SampleQuality with {self.neighbours} neighbours needs more than {least} test "
                f"examples, got {len(real)}"
            )
        generated = {"samples": self._samples(conditions)}
        if self.model.latent_dim:
            generated["reconstructions"] = reconstructed
        train = self._train()
        if train is not None and len(train) >= len(real):
            generated["train"] = train[: len(real)]
        found = {}
        for name, rows in generated.items():
            if not rows.isfinite().all():
                raise ValueError(f"features of {name} are not finite: the model has diverged")
            for score, value in self._compare(real, rows).items():
                found[f"{score}/{name}"] = value
        return found

    def _samples(self, conditions: Tensor) -> Tensor:
        """Features of samples of the model's own prior, one under each condition."""
        model, parts = self.model, []
        for number, c in enumerate(torch.split(conditions.to(model.device), ROWS)):
            fix_noise(self.seed, number)
            z = model.prior(c).expand((len(c),)).sample()
            p = model.decode(z, c)
            x = model.likelihood.example(p) if self.decoded == "means" else p.sample()
            parts.append(self.features(x).to(conditions.device))
        return torch.cat(parts)

    def _train(self) -> Tensor | None:
        """Features of the examples to train on, in an order of their own, if there are any."""
        if not len(self.train_keys):
            return None
        return dim_zero_cat(self.train_real)[dim_zero_cat(self.train_keys).argsort()]

    def _compare(self, real: Tensor, generated: Tensor) -> dict[str, Score]:
        measures = overlap(real, generated, self.neighbours)._asdict()
        return {
            "fid": frechet_distance(real, generated),
            "kid": kernel_distance(real, generated),
            **{name: mean_score(each) for name, each in measures.items()},
        }


def _draw(model: VAE, params: Tensor, keys: Tensor, seed: int) -> Tensor:
    """Draw from p(x | z), of parameters ``(B, *params)``, by noise of each example's own."""
    drawn = []
    for one, key in zip(torch.split(params, 1), keys.tolist(), strict=True):
        fix_noise(seed, key)
        drawn.append(model.likelihood(one).sample())
    return torch.cat(drawn)
