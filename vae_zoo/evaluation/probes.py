"""How well labels are told from the codes."""

from typing import Any

import torch
from torch import Tensor

from vae_zoo.evaluation.codes import KeptCodes
from vae_zoo.evaluation.kept import mean_score
from vae_zoo.evaluation.score import Score
from vae_zoo.vae import VAE


def linear_probe(codes: Tensor, labels: Tensor, new_codes: Tensor, new_labels: Tensor) -> Tensor:
    """Tell labels by a multinomial logistic regression of standardised codes.

    Args:
        codes: To fit, ``(N, D)``.
        labels: Of these, ``(N,)``; the only one is told of all, if there is one.
        new_codes: To be told, ``(M, D)``.
        new_labels: Of these, ``(M,)``.

    Returns:
        Which of the new ones are told right, ``(M,)``.
    """
    # Its import takes longer than all of ours.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if labels.min() == labels.max():
        return new_labels == labels[0]
    # Its penalty makes it converge long before so many steps.
    regression = LogisticRegression(max_iter=10_000)
    return _told(make_pipeline(StandardScaler(), regression), codes, labels, new_codes, new_labels)


def nearest_neighbours(
    codes: Tensor, labels: Tensor, new_codes: Tensor, new_labels: Tensor, neighbours: int = 5
) -> Tensor:
    """Tell labels by most of the nearest neighbours, at Euclidean distances of codes as they are.

    Args:
        codes: Among which neighbours are searched, ``(N, D)``.
        labels: Of these, ``(N,)``.
        new_codes: To be told, ``(M, D)``.
        new_labels: Of these, ``(M,)``.
        neighbours: Number of neighbours, at most N.

    Returns:
        Which of the new ones are told right, ``(M,)``.
    """
    from sklearn.neighbors import KNeighborsClassifier

    return _told(KNeighborsClassifier(neighbours), codes, labels, new_codes, new_labels)


class Probes(KeptCodes):
    """Accuracies, on test codes, of classifiers of the labels that are trained on training codes.

    ``linear_probe`` is that of a multinomial logistic regression of standardised codes, ``knn``
    that of the nearest neighbours. Codes are the means of q(z | x). The encoder of a model that
    takes the label as its condition was told what the probes look for: theirs say little.

    Args:
        neighbours: Number of neighbours.
        examples: How many of the training examples, and of the test ones, count at most: the first
            in the order of their keys.

    Raises:
        ValueError: A number is not positive.
    """

    rows = ("codes", "labels", "train")

    def __init__(self, neighbours: int = 5, examples: int = 10_000) -> None:
        super().__init__()
        for name, number in {"neighbours": neighbours, "examples": examples}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        self.neighbours, self.examples = neighbours, examples
        self._trained = examples

    def update(self, model: VAE, x: Tensor, y: Tensor | None = None, train: bool = False) -> None:
        """Count a batch of data ``(B, *X)`` and labels ``(B,)``, of test or of training examples.

        Raises:
            ValueError: There are no labels.
        """
        if y is None or y.dim() != 1 or y.dtype.is_floating_point:
            has = "y is None" if y is None else f"y has the shape {tuple(y.shape)} and is {y.dtype}"
            raise ValueError(f"Probes needs labels, a whole number for each example: {has}")
        self.keep(model, x, y, labels=y, train=torch.full((len(x),), train))

    def scores(self, codes: Tensor, labels: Tensor, train: Tensor) -> dict[str, Score]:  # type: ignore[override]
        learned = self._choose("training", codes[train], labels[train], least=self.neighbours)
        told = self._choose("test", codes[~train], labels[~train], least=1)
        self._trained = len(learned[0])
        if learned[1].min() == learned[1].max():
            raise ValueError("Probes needs two labels to tell apart, got one")
        return {
            "linear_probe": mean_score(linear_probe(*learned, *told)),
            "knn": mean_score(nearest_neighbours(*learned, *told, self.neighbours)),
        }

    def _choose(
        self, name: str, codes: Tensor, labels: Tensor, least: int
    ) -> tuple[Tensor, Tensor]:
        """Take as many codes of a split as count, with their labels."""
        if len(codes) < least:
            raise ValueError(f"Probes needs at least {least} {name} examples, got {len(codes)}")
        return codes[: self.examples], labels[: self.examples]

    @property
    def setting(self) -> dict[str, Any]:
        """Number of training examples, as there were when the scores were computed."""
        return {"neighbours": self.neighbours, "training_examples": self._trained}


def _told(
    classifier: Any, codes: Tensor, labels: Tensor, new_codes: Tensor, new_labels: Tensor
) -> Tensor:
    z, new = (part.double().cpu().numpy() for part in (codes, new_codes))
    told = classifier.fit(z, labels.cpu().numpy()).predict(new)
    return torch.from_numpy(told == new_labels.cpu().numpy())
