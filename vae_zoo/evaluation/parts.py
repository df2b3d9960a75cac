"""The parts of a score card: what measures each, of how many examples, and where it cannot."""

from collections.abc import Callable
from typing import Any

from vae_zoo.evaluation.active_units import ActiveUnits
from vae_zoo.evaluation.aggregate import AggregatePosterior
from vae_zoo.evaluation.annealing import AnnealedImportanceSampling
from vae_zoo.evaluation.examples import chosen
from vae_zoo.evaluation.factors import FactorScores
from vae_zoo.evaluation.gap import PosteriorGap
from vae_zoo.evaluation.holes import ClassifierTwoSample, RadiusDistance
from vae_zoo.evaluation.metrics import Elbo, ImportanceSampling, PriorSampling
from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.evaluation.probes import Probes
from vae_zoo.evaluation.samples import SampleQuality
from vae_zoo.evaluation.score import Score
from vae_zoo.evaluation.subject import SEED, Subject
from vae_zoo.evaluation.yardsticks import Yardsticks
from vae_zoo.scorecard import Part

POINT = "no density: the posterior is deterministic"
NO_CODES = "no codes: the model is a regression"
FEW = {"temperatures": 100, "simulated": 10}  # for a decoder that reads its text word by word
TOKENS = "no features: the data are texts"


def measure(subject: Subject, name: str) -> Part:
    """Measure a part, or say why it cannot be; what fails is tried again when it is asked for."""
    try:
        return MEASURES[name](subject)
    except (ValueError, NotImplementedError) as error:  # too few examples, a part of one's own
        return subject.absent(name, " ".join(str(error).split()) or type(error).__name__)
    except Exception as error:  # as of too little memory: the other parts may do
        return Part.failure(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


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
    metric, absent = SampleQuality(subject.features, seed=SEED), {}
    if not subject.model.latent_dim:
        absent = {f"{name}/reconstructions": NO_CODES for name in PARTS["samples"]}
    batch = subject.examples(subject.setting.most("samples"))
    subject.feed([metric], batch, 0.5)
    if subject.setting.split == "train":
        absent |= {f"{name}/train": "no floor of themselves" for name in PARTS["samples"]}
    else:
        subject.feed([metric], subject.examples(len(batch[0]), "train"), 0.5, train=True)
    return subject.part("samples", len(batch[0]), [metric], absent)


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
    metric, most = Probes(), subject.setting.most("probes")
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
    """The size of the model, and what its training cost, as ``TrainingCost`` was logged."""
    logged = subject.run.summary
    parameters = [one.numel() for one in subject.model.parameters() if one.requires_grad]
    scores = {"parameters": Score(float(sum(parameters)))}
    for name in PARTS["cost"]:
        if (value := logged.get(f"cost/{name}")) is not None:
            scores[name] = Score(value, logged.get(f"cost/{name}_error"))
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
