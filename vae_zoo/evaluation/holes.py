"""Holes: where the prior has mass and the codes have none, and what is decoded there."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vae_zoo.evaluation.codes import KeptPosteriors, require_codes
from vae_zoo.evaluation.kept import KeptExamples, mean_score
from vae_zoo.evaluation.noise import fix_noise, sample_prior
from vae_zoo.evaluation.score import Score
from vae_zoo.sampling import directions
from vae_zoo.vae import VAE

SAMPLES = 4000  # of a prior, from which its moments are taken
RADII = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


def two_sample_classifier(x: Tensor, y: Tensor) -> Tensor:
    """Tell samples of two distributions apart by a support vector machine with a Gaussian kernel.

    It is trained on the first half of each, standardised together.

    Args:
        x: ``(N, D)``, in random order.
        y: ``(N, D)``, in random order.

    Returns:
        Which samples of the second halves are told right, ``(M,)``.

    References:
        Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, 2017, sec. 3.
        https://arxiv.org/abs/1610.06545
    """
    # Its import takes longer than all of ours.
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    half = len(x) // 2
    fitted, told = torch.cat([x[:half], y[:half]]), torch.cat([x[half:], y[half:]])
    classifier = make_pipeline(StandardScaler(), SVC(kernel="rbf"))
    classifier.fit(fitted.double().cpu().numpy(), torch.arange(2).repeat_interleave(half).numpy())
    of_y = torch.from_numpy(classifier.predict(told.double().cpu().numpy()))
    return of_y == torch.arange(2).repeat_interleave(len(x) - half)


class ClassifierTwoSample(KeptPosteriors):
    """``two_sample_accuracy`` of telling codes z ~ q(z | x) of the data from samples of the prior.

    1/2 says that the classifier cannot tell them apart, 1 that they have nothing in common. The
    prior is the run's own, p(z | c) under the examples' conditions where it is conditional; the
    classifier does not see the conditions.

    Args:
        codes: Number of codes, and of samples of the prior; with fewer examples, one of each. Half
            of them are held out.
        seed: Of the codes and samples.

    Raises:
        ValueError: There are fewer than four codes, or the seed is negative; later, there are fewer
            than four examples, or the model has no codes.
    """

    least = 4  # two to train the classifier on, and two to tell

    def __init__(self, codes: int = 2000, seed: int = 0) -> None:
        super().__init__(codes, seed)
        self._drawn = codes

    def scores(  # type: ignore[override]
        self, params: Tensor, conditions: Tensor
    ) -> dict[str, Score]:
        m = self._drawn = min(self.codes, len(params))
        [z] = self.draw(params[:m].to(self.model.device))
        p = sample_prior(self.model, conditions[:m].to(self.model.device), self.seed)
        return {"two_sample_accuracy": mean_score(two_sample_classifier(z, p.to(z)))}

    @property
    def setting(self) -> dict[str, Any]:
        """Number of codes, as there were when the score was computed."""
        return {"codes": self._drawn, "classifier": "SVC", "kernel": "rbf"}


class RadiusDistance(KeptExamples):
    """``distance_at_radius/r``: from what is decoded at r typical radii to the nearest example.

    It decodes z = m + r s √D u, with u uniform on the unit sphere, and m and s the mean and the
    standard deviations per dimension of the prior: under N(0, I) all samples but a few have a norm
    near √D, which is r = 1. Under a prior p(z | c), and by a decoder of (z, c), that is done for
    the conditions of examples. A distance that stays low far out, or grows before r is 1, tells of
    a decoder that ignores z, or of holes. The floor beside it, ``distance_at_radius/test``, is that
    of an example to the nearest other one; it is alone where the prior's variance is infinite.

    Args:
        features: Maps ``(B, *X)`` to ``(B, F)``, in which distances are Euclidean; in evaluation
            mode. ``Flatten()`` takes them as they are.
        radii: The radii r.
        directions: Number of directions u, the same at each radius; as many examples make the
            floor. A radius of 0 has one point for each condition, and one in all without.
        seed: Of directions and samples.

    Raises:
        ValueError: There are no radii, one is negative, there are no directions, or the seed is
            negative; later, the model has no codes.
    """

    rows = ("features_of_examples", "conditions")

    def __init__(
        self,
        features: nn.Module,
        radii: Sequence[float] = RADII,
        directions: int = 200,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if not radii or min(radii) < 0:
            raise ValueError(f"radii must be non-negative numbers, got {[*radii]}")
        if directions < 1:
            raise ValueError(f"directions must be at least 1, got {directions}")
        self.features, self.radii, self.directions = features, tuple(radii), directions

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        require_codes(model, type(self).__name__)
        return {"features_of_examples": self.features(x), "conditions": c}

    def scores(  # type: ignore[override]
        self, features_of_examples: Tensor, conditions: Tensor
    ) -> dict[str, Score]:
        real, n = features_of_examples.double(), len(features_of_examples)
        c = conditions[torch.arange(self.directions) % n].to(self.model.device)
        distances = {}
        for radius, x in zip(self.radii, self._decode(c), strict=False):
            decoded = self.features(x).to(real)
            distances[f"{radius:g}"] = torch.cdist(decoded, real).amin(1)
        if n > 1:
            between = torch.cdist(real[: self.directions], real)
            distances["test"] = between.fill_diagonal_(torch.inf).amin(1)
        return {f"distance_at_radius/{name}": mean_score(d) for name, d in distances.items()}

    def _decode(self, c: Tensor) -> Iterator[Tensor]:
        """Decode one point for each condition, or direction, at each radius in turn."""
        fix_noise(self.seed)
        centre, scale = moments(self.model.prior(c))  # (*, D), of all conditions or of each
        d = centre.shape[-1]
        step = scale * d**0.5 * directions(len(c), like=centre.new_empty(1, d))
        if not step.isfinite().all():
            return
        for radius in self.radii:
            n = len(c) if radius or c.shape[1] else 1
            p_of_x = self.model.decode((centre + radius * step)[:n], c[:n])
            yield self.model.likelihood.example(p_of_x)

    @property
    def setting(self) -> dict[str, Any]:
        named = getattr(self.features, "setting", {"features": type(self.features).__name__})
        return {**named, "directions": self.directions}


def moments(p: Distribution, samples: int = SAMPLES) -> tuple[Tensor, Tensor]:
    """Return the means and standard deviations of a prior, of its samples if it knows none."""
    try:
        return p.mean, p.stddev
    except NotImplementedError:
        z = p.sample((-(-samples // p.batch_shape.numel()),))
        return z.mean(0), z.std(0)
