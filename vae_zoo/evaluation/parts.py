"""The parts of a score card: what measures each, of how many examples, and where it cannot."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor
from torchmetrics import Metric

from vae_zoo.data import DataModule
from vae_zoo.data.loaders import Batch
from vae_zoo.evaluation.active_units import ActiveUnits
from vae_zoo.evaluation.aggregate import AggregatePosterior
from vae_zoo.evaluation.annealing import AnnealedImportanceSampling
from vae_zoo.evaluation.examples import SplitName, chosen, examples, shuffle_conditions
from vae_zoo.evaluation.factors import FactorScores
from vae_zoo.evaluation.features import Features, features
from vae_zoo.evaluation.gap import PosteriorGap
from vae_zoo.evaluation.holes import ClassifierTwoSample, RadiusDistance
from vae_zoo.evaluation.metrics import Elbo, ImportanceSampling, PriorSampling
from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.evaluation.probes import Probes
from vae_zoo.evaluation.samples import SampleQuality
from vae_zoo.evaluation.score import Score
from vae_zoo.evaluation.yardsticks import Yardsticks
from vae_zoo.posteriors import Deterministic
from vae_zoo.runs import Run
from vae_zoo.scorecard import Part
from vae_zoo.vae import VAE

SEED = 0
RECIPE = 1  # raised whenever a part is measured in another way: what older ones left is made anew
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
POINT = "no density: the posterior is deterministic"
NO_CODES = "no codes: the model is a regression"
FEW = {"temperatures": 100, "simulated": 10}  # for a decoder that reads its text word by word
TOKENS = "no features: the data are texts"
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

    def measure(self, name: str) -> Part:
        """Measure a part, or say why it cannot be."""
        try:
            return MEASURES[name](self)
        except (ValueError, NotImplementedError) as error:  # too few examples, a part of one's own
            return self.absent(name, " ".join(str(error).split()) or type(error).__name__)

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


def likelihood(subject: Subject) -> Part:
    """ELBO, distortion and rate."""
    absent = dict.fromkeys(("elbo", "kl", "bits_per_dimension"), POINT) if subject.point else {}
    if not subject.model.latent_dim:
        absent = {"kl": NO_CODES}
    return subject.score("likelihood", Elbo(seed=SEED), **absent)


def importance(subject: Subject) -> Part:
    """The likelihood by weighted samples, of the posterior and of the prior."""
    by_prior = PriorSampling(subject.setting.samples, SEED)
    if subject.point:
        absent = dict.fromkeys(("importance_sampling", "effective_samples"), POINT)
        return subject.score("importance", by_prior, **absent)
    absent = {} if subject.model.latent_dim else {"effective_samples": NO_CODES}
    by_posterior = ImportanceSampling(subject.setting.samples, SEED)
    return subject.score("importance", by_posterior, by_prior, **absent)


def annealing(subject: Subject) -> Part:
    """The likelihood by annealing, and what the ELBO loses."""
    if not subject.model.latent_dim:
        return subject.absent("annealing", NO_CODES)
    absent, tokens = {}, subject.data.support == "tokens"
    if subject.point:
        gaps = ("posterior_gap", "approximation_gap", "amortisation_gap")
        absent = dict.fromkeys(gaps, POINT)
    family = AnnealedImportanceSampling if subject.point else PosteriorGap
    metric = family(seed=SEED, **FEW) if tokens else family(seed=SEED)
    batch = subject.examples(min(subject.setting.most("annealing"), 10 if tokens else 50))
    subject.feed([metric], batch)
    return subject.part("annealing", len(batch[0]), [metric], absent)


def aggregate(subject: Subject) -> Part:
    """The aggregate posterior, and the surgery of the rate."""
    if not subject.model.latent_dim:
        return subject.absent("aggregate", NO_CODES)
    if subject.point:
        names = [name for name in PARTS["aggregate"] if name != "active_units"]
        absent = dict.fromkeys(names, POINT)
        return subject.score("aggregate", ActiveUnits(seed=SEED), **absent)
    return subject.score("aggregate", ActiveUnits(seed=SEED), AggregatePosterior(seed=SEED))


def yardsticks(subject: Subject) -> Part:
    """Divergences of the codes from the run's own prior, the same for all runs."""
    if not subject.model.latent_dim:
        return subject.absent("yardsticks", NO_CODES)
    return subject.score("yardsticks", Yardsticks(seed=SEED))


def holes(subject: Subject) -> Part:
    """Where the prior has mass, and no codes lie."""
    if not subject.model.latent_dim:
        return subject.absent("holes", NO_CODES)
    test = ClassifierTwoSample(seed=SEED)
    if subject.data.support == "tokens":
        return subject.score("holes", test, distance_at_radius=TOKENS)
    return subject.score("holes", test, RadiusDistance(subject.features, seed=SEED))


def samples(subject: Subject) -> Part:
    """The quality of samples and reconstructions, beside that of examples to train on."""
    if subject.data.support == "tokens":
        return subject.absent("samples", TOKENS)
    metric = SampleQuality(subject.features, seed=SEED)
    batch = subject.examples(subject.setting.most("samples"))
    subject.feed([metric], batch, 0.5)
    if subject.setting.split != "train":  # examples are no floor of themselves
        subject.feed([metric], subject.examples(len(batch[0]), "train"), 0.5, train=True)
    return subject.part("samples", len(batch[0]), [metric])


def probes(subject: Subject) -> Part:
    """What the codes tell of the labels."""
    if not subject.model.latent_dim:
        return subject.absent("probes", NO_CODES)
    if not subject.data.classes:
        return subject.absent("probes", "the data have no labels")
    if subject.setting.split == "train" or subject.setting.shuffle_conditions:
        return subject.absent(
            "probes", "it needs test examples beside those to train on, with their own labels"
        )
    metric, most = Probes(seed=SEED), subject.setting.most("probes")
    batch = subject.examples(most)
    subject.feed([metric], batch, 0.5)
    subject.feed([metric], subject.examples(most, "train"), 0.5, train=True)
    return subject.part("probes", len(batch[0]), [metric])


def factors(subject: Subject) -> Part:
    """What the codes tell of the factors that the data were made of."""
    known = getattr(subject.data, "factors", None)
    if known is None:
        return subject.absent("factors", "the factors of the data are not known")
    if not subject.model.latent_dim:
        return subject.absent("factors", NO_CODES)
    data: Any = subject.data
    metric = FactorScores(data.factor_sizes, data.categorical, seed=SEED)
    numbers = known[subject.setting.split]
    batch = subject.examples(subject.setting.most("factors"))
    subject.feed([metric], batch, factors=numbers[chosen(len(numbers), len(batch[0]))])
    return subject.part("factors", len(batch[0]), [metric])


def cost(subject: Subject) -> Part:
    """What the training cost, as it was logged, and the size of the model."""
    logged = subject.run.summary
    parameters = [one.numel() for one in subject.model.parameters() if one.requires_grad]
    scores = {"parameters": Score(float(sum(parameters)))}
    error = logged.get("cost/epoch_seconds_error")
    if (seconds := logged.get("cost/epoch_seconds")) is not None:
        scores["epoch_seconds"] = Score(seconds, error)
    if (rate := logged.get("cost/examples_per_second")) is not None and seconds:
        scores["examples_per_second"] = Score(rate, error and error * rate / seconds)
    if (memory := logged.get("cost/peak_memory")) is not None:
        scores["peak_memory"] = Score(memory)
    absent = {name: "the run did not log it" for name in PARTS["cost"] if name not in scores}
    threads = {"threads": int(logged["cost/threads"])} if "cost/threads" in logged else {}
    return Part(threads, scores, absent, subject.setting.asked("cost"))


MEASURES: dict[str, Callable[[Subject], Part]] = {
    "likelihood": likelihood,
    "importance": importance,
    "annealing": annealing,
    "aggregate": aggregate,
    "yardsticks": yardsticks,
    "holes": holes,
    "samples": samples,
    "probes": probes,
    "factors": factors,
    "cost": cost,
}
