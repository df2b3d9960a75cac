"""What a score card asks of a trained model, and the examples that it is measured on."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor
from torchmetrics import Metric

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.evaluation.examples import SplitName, examples, shuffle_conditions
from vae_zoo.evaluation.features import Features, features
from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.evaluation.score import Score
from vae_zoo.posteriors import Deterministic
from vae_zoo.runs import Run
from vae_zoo.scorecard import Part
from vae_zoo.vae import VAE

SEED = 0
RECIPE = 4  # raised whenever a part is measured in another way: what older ones left is made anew
BATCH = 100
SAMPLES = 500  # of importance sampling
MOST = {  # examples of a part; 1,000 of importance sampling and 50 chains take as long as the rest
    "likelihood": 10_000,
    "importance": 1_000,
    "annealing": 50,  # 10 of texts
    "aggregate": 10_000,
    "yardsticks": 2_000,
    "holes": 2_000,
    "samples": 10_000,
    "probes": 10_000,
    "factors": 5_000,
}
WHY = {  # what a metric leaves out, where the model lacks what it is defined by
    "bits_per_dimension": "the likelihood is a density",
    "aggregate_kl": "the prior depends on the condition: there is no one p(z)",
    "surgery_rate": "the prior depends on the condition: there is no one p(z)",
    "prior_log_ratio": "the prior depends on the condition: there is no one p(z)",
    "total_correlation": "the marginals of such a posterior are not known",
    "dimension_wise_kl": "the prior does not factorise, or depends on the condition",
    "kl_of_dimension": "the prior does not factorise, or the posterior is no diagonal normal",
    "stein_discrepancy": "the prior has no density",
}
DIVERGED = "not finite: the model has diverged, or no sample came near the example"
OTHERWISE = "not defined for this model and these data"


class Setting(NamedTuple):
    """What is evaluated, and how.

    Args:
        split: Of the run's data.
        samples: Number K of samples of importance sampling, and of the prior.
        examples: At most so many of each part, fewer than it takes by itself.
        shuffle_conditions: Whether each example gets the condition of another.
    """

    split: SplitName = "test"
    samples: int = SAMPLES
    examples: int | None = None
    shuffle_conditions: bool = False

    @property
    def stem(self) -> str:
        """Of the file: what is asked for besides must not replace the standard card."""
        words = [
            self.split if self.split != "test" else "",
            str(self.examples or ""),
            "shuffled" * self.shuffle_conditions,
            f"K{self.samples}" if self.samples != SAMPLES else "",
        ]
        return "_".join(["scorecard", *filter(None, words)])

    def most(self, part: str) -> int:
        """Number of examples of a part, if there are as many."""
        return min(MOST[part], self.examples or MOST[part])

    def asked(self, part: str) -> dict[str, Any]:
        """What a part is asked for: where it was asked for the same, it is there already."""
        samples = {"samples": self.samples} if part == "importance" else {}
        most = {} if part == "cost" else {"examples": self.most(part), "seed": SEED}
        return {"recipe": RECIPE, **most, **samples}


class Subject:
    """A trained model, and the examples that it is measured on.

    Args:
        run: Its run.
        model: The model.
        data: Its data.
        setting: What is asked for.
        advance: Told the share of the present part that was done since it was last told.
    """

    def __init__(
        self,
        run: Run,
        model: VAE,
        data: DataModule,
        setting: Setting,
        advance: Callable[[float], object],
    ) -> None:
        self.run, self.model, self.data, self.setting = run, model, data, setting
        self.advance = advance
        self.point = isinstance(model.posterior, Deterministic)

    @cached_property
    def features(self) -> Features:
        return features(self.data).to(self.model.device)

    def examples(self, n: int, split: SplitName | None = None) -> Batch:
        """Take n examples of the split that is asked for, or of another; the same each time."""
        batch = examples(self.model, self.data, split or self.setting.split, n)
        return shuffle_conditions(batch) if self.setting.shuffle_conditions else batch

    def feed(
        self, metrics: Sequence[Metric], batch: Batch, share: float = 1.0, **more: Any
    ) -> None:
        """Show examples to metrics, batch by batch."""
        x, y = batch
        starts = range(0, len(x), BATCH)
        for start in starts:
            part = slice(start, start + BATCH)
            cut = {n: v[part] if isinstance(v, Tensor) else v for n, v in more.items()}
            for metric in metrics:
                metric.update(self.model, x[part], None if y is None else y[part], **cut)
                self.advance(share / len(starts) / len(metrics))

    def score(self, part: str, *metrics: Metric, **absent: str) -> Part:
        """Measure a part by metrics that are shown the same examples."""
        batch = self.examples(self.setting.most(part))
        self.feed(metrics, batch)
        return self.part(part, len(batch[0]), metrics, absent)

    def part(
        self, name: str, n: int, metrics: Sequence[Any], absent: Mapping[str, str] = {}
    ) -> Part:
        """Put together what metrics found."""
        found: dict[str, Score] = {}
        setting: dict[str, Any] = {"n": n, "seed": SEED}
        for metric in metrics:
            found |= metric.compute()
            setting |= metric.setting
        finite = {each: score for each, score in found.items() if score.finite}
        absent = dict.fromkeys(found.keys() - finite.keys(), DIVERGED) | dict(absent)
        found, order = finite, [*PARTS[name]]
        names = sorted(found, key=lambda each: order.index(each.partition("/")[0]))
        scores = {each: found[each] for each in names}
        stems = {each.partition("/")[0] for each in names}
        lacking = {stem: WHY.get(stem, OTHERWISE) for stem in order if stem not in stems}
        return Part(setting, scores, lacking | absent, self.setting.asked(name))

    def absent(self, name: str, reason: str) -> Part:
        """Say why there is nothing of a part."""
        return Part({}, {}, {"": reason}, self.setting.asked(name))
