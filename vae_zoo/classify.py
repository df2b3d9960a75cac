"""``vae-zoo classify``: how well a label-conditional model tells labels, and what that costs."""

from collections.abc import Sequence
from pathlib import Path

import torch

from vae_zoo.arguments import require_samples
from vae_zoo.evaluation.bayes import check, class_log_likelihoods, class_log_posterior
from vae_zoo.evaluation.examples import SplitName, examples
from vae_zoo.evaluation.score import Score
from vae_zoo.posteriors import Deterministic
from vae_zoo.restore import restore


def run_classification(
    folder: Path,
    split: SplitName = "test",
    samples: int = 100,
    n: int | None = None,
    trust: Sequence[str] = (),
) -> int:
    """Classify the examples of a split by Bayes' rule, and print accuracy and cost.

    Raises:
        FileNotFoundError: There is no such run, or it has no checkpoint.
        ValueError: Its model has no label as its condition.
    """
    require_samples(samples)
    model, data = restore(folder, trust)
    check(model)
    x, y = examples(model, data, split, n)
    trained = data.splits.train.y
    assert y is not None  # since there are classes
    assert trained is not None
    if torch.cuda.is_available():
        model.cuda()
    frequencies = trained.bincount(minlength=model.classes)
    found = class_log_likelihoods(model, x, samples)
    right = class_log_posterior(found.cpu(), frequencies).argmax(1) == y
    count = int(right.sum())
    accuracy = Score.of_sums(len(x), count, count)  # the square of a 0 or 1 is itself
    error = "" if accuracy.standard_error is None else f" ± {100 * accuracy.standard_error:.1f} %"
    by = "prior samples" if isinstance(model.posterior, Deterministic) else "importance sampling"
    cost = model.classes * samples
    verdict = f"accuracy {100 * accuracy.value:.1f} %{error}"
    print(f"{folder}: {split} split, {len(x):,} examples, {verdict}")
    print(
        f"argmax over y of log p(x | y) + log p(y), log p(x | y) by {by} (K={samples}): "
        f"{model.classes} classes x {samples} samples = {cost:,} decoder passes an example, "
        f"{cost * len(x):,} in all"
    )
    return 0
