"""Every number of a score card: what it means, which way is better, and when it may be compared.

``python -m vae_zoo.evaluation.numbers docs/scorecard.md`` writes the page. Nothing here imports
torch, so that comparisons can read it.
"""

import sys
from pathlib import Path
from typing import Literal, NamedTuple

from vae_zoo.runs import replace

Better = Literal["higher", "lower", ""]


class Number(NamedTuple):
    """What is to be known of a number.

    Args:
        title: For tables.
        unit: Empty where it has none.
        better: Which way; empty where neither is, by itself.
        meaning: In a sentence.
        comparable: Between which runs it may be compared.
        beware: Where it must not be, or misleads.
    """

    title: str
    unit: str
    better: Better
    meaning: str
    comparable: str
    beware: str

    @property
    def between(self) -> str:
        """Between which runs it may be compared, in full; empty if between none."""
        if self.comparable == "any":
            return "all runs"
        return self.comparable and f"runs of {self.comparable}"


LIKELIHOOD = "the same data and likelihood"
OWN_PRIOR = "any prior, posterior and regularizer; the same latent dimension and n"
DATA = "the same data"
FEATURES = "the same data, features and n"
CODES = "any regularizer; the same data and n"

PARTS: dict[str, dict[str, Number]] = {
    "likelihood": {
        "elbo": Number(
            "ELBO",
            "nats",
            "higher",
            "E_q log p(x|z) - KL(q(z|x)‖p(z)), which bounds log p(x) from below, at weight 1.",
            LIKELIHOOD,
            "A run that was not trained on it (MMD, IWAE) may have a poor ELBO and a good "
            "likelihood: see importance sampling and AIS.",
        ),
        "reconstruction": Number(
            "reconstruction",
            "nats",
            "lower",
            "-E_q log p(x|z), the distortion, of a normalised likelihood.",
            LIKELIHOOD,
            "Falls as the rate grows: compare it at equal rate.",
        ),
        "kl": Number(
            "rate",
            "nats",
            "",
            "E_x KL(q(z|x)‖p(z)), what the codes cost, at weight 1 and unweighted.",
            LIKELIHOOD,
            "Neither way is better by itself; near 0 the codes are not used.",
        ),
        "bits_per_dimension": Number(
            "bits per dimension",
            "bits",
            "lower",
            "-ELBO / (pixels · ln 2), the length of a code.",
            LIKELIHOOD,
            "Absent for densities, whose values depend on the unit of the data.",
        ),
    },
    "importance": {
        "importance_sampling": Number(
            "importance sampling",
            "nats",
            "higher",
            "IWAE_K, E log (1/K) Σ p(x, z_k) / q(z_k|x) of K samples of q(z|x): a bound of "
            "log p(x) that rises to it with K.",
            "the same data, likelihood and K",
            "Far too low where few samples are effective; then look at AIS.",
        ),
        "effective_samples": Number(
            "effective samples",
            "",
            "higher",
            "(Σw)² / Σw² of the K weights: K where q(z|x) is the exact posterior, 1 where a single "
            "sample decides.",
            "the same K",
            "Says how far to trust importance sampling, not how good a model is.",
        ),
        "prior_samples": Number(
            "prior samples",
            "nats",
            "higher",
            "log (1/K) Σ p(x|z_k) of K samples of the prior, the naive Monte Carlo estimate.",
            "the same data, likelihood and K",
            "Needs a number of samples that grows like exp of the information in x: beyond a few "
            "dimensions it is far too low, which is what it is shown for.",
        ),
    },
    "annealing": {
        "ais": Number(
            "AIS",
            "nats",
            "higher",
            "log p(x) by annealed importance sampling from the prior, which needs no q(z|x).",
            "the same data, likelihood and examples",
            "A bound from below, by about the BDMC gap; of few examples.",
        ),
        "bdmc_gap": Number(
            "BDMC gap",
            "nats",
            "lower",
            "Upper bound by the reverse chain minus lower bound by AIS, on examples that the model "
            "itself drew: what AIS may be off by.",
            "",
            "Of the model's examples, not of the data.",
        ),
        "posterior_gap": Number(
            "posterior gap",
            "nats",
            "lower",
            "log p(x) - ELBO = KL(q(z|x)‖p(z|x)): what the ELBO loses, on the same examples.",
            LIKELIHOOD,
            "Too small by what AIS misses. It is 0 for a collapsed posterior, too. Of a run that "
            "does not train the ELBO it is large by design.",
        ),
        "approximation_gap": Number(
            "approximation gap",
            "nats",
            "lower",
            "log p(x) - max_q ELBO over the posterior's family, q optimised for each example.",
            LIKELIHOOD,
            "Too small by what AIS misses (see the BDMC gap), too large by what the optimiser "
            "misses.",
        ),
        "amortisation_gap": Number(
            "amortisation gap",
            "nats",
            "lower",
            "max_q ELBO - ELBO: what the encoder loses against the best q of its family.",
            LIKELIHOOD,
            "Too small by what the optimiser misses.",
        ),
    },
    "aggregate": {
        "active_units": Number(
            "active units",
            "",
            "",
            "Number of dimensions with Var_x E[z_d|x] > 0.01.",
            "the same latent dimension and data",
            "Depends on the scale of the codes, which a regularizer may not fix.",
        ),
        "mutual_information": Number(
            "mutual information",
            "nats",
            "",
            "I(x; z) under q, with the N test examples as the data.",
            CODES,
            "Cannot exceed ln N, the ceiling in its setting: near it, it says no more than that.",
        ),
        "aggregate_kl": Number(
            "KL(q(z)‖p)",
            "nats",
            "lower",
            "KL of the aggregate posterior q(z), of all N encoders, from the prior.",
            OWN_PRIOR,
            "Where the mutual information is at its ceiling, the rest of the rate is counted here.",
        ),
        "surgery_rate": Number(
            "I(x; z) + KL(q(z)‖p)",
            "nats",
            "",
            "The sum of the two, which is the rate: a check, from other samples.",
            LIKELIHOOD,
            "Must agree with the rate within the errors: a check of the codes that were drawn.",
        ),
        "total_correlation": Number(
            "total correlation",
            "nats",
            "",
            "KL(q(z)‖Π_d q(z_d)): how much the dimensions of the codes depend on each other.",
            CODES,
            "Carries a part of what the mutual information lacks at its ceiling.",
        ),
        "dimension_wise_kl": Number(
            "dimension-wise KL",
            "nats",
            "lower",
            "Σ_d KL(q(z_d)‖p(z_d)); with the total correlation it is KL(q(z)‖p).",
            OWN_PRIOR,
            "Of priors that factorise alone.",
        ),
        "prior_log_ratio": Number(
            "KL(p‖q(z))",
            "nats",
            "lower",
            "E log p(z) - log q(z) over samples of the prior: large where the prior has mass and "
            "no code lies, the holes.",
            OWN_PRIOR,
            "q(z) is that of N examples: with few and narrow posteriors all is a hole.",
        ),
        "kl_of_dimension": Number(
            "KL of dimension",
            "nats",
            "",
            "E_x KL(q(z_d|x)‖p(z_d)) of one dimension; near 0 it is not used.",
            "the same data, latent dimension and n, sorted",
            "The order of dimensions is arbitrary.",
        ),
    },
    "yardsticks": {
        "mmd": Number(
            "MMD²",
            "",
            "lower",
            "Unbiased MMD² between codes z ~ q(z|x) and the run's own prior, by the inverse "
            "multiquadratic kernel at seven widths; unweighted.",
            OWN_PRIOR,
            "Favours runs that were trained on it; near 0 it may be negative, and ± up to 1.8 "
            "times too large.",
        ),
        "sliced_wasserstein": Number(
            "sliced W₂²",
            "",
            "lower",
            "Squared 2-Wasserstein distance between the same, over fixed projections.",
            OWN_PRIOR,
            "Favours runs that were trained on it; of n samples it stays above 0. Near 0, ± is up "
            "to 1.8 times too large.",
        ),
        "stein_discrepancy": Number(
            "KSD²",
            "",
            "lower",
            "Kernel Stein discrepancy of the codes from the prior's density.",
            OWN_PRIOR,
            "Blind to the weights of far modes; its scale is that of the prior's score.",
        ),
    },
    "holes": {
        "two_sample_accuracy": Number(
            "two-sample accuracy",
            "",
            "lower",
            "Held-out accuracy of a classifier between codes and prior samples: ½ where it cannot "
            "tell them apart.",
            OWN_PRIOR,
            "Of one classifier: another may see more.",
        ),
        "distance_at_radius": Number(
            "distance at radius",
            "",
            "lower",
            "Distance, in the features, from what is decoded at r·√D standard deviations from the "
            "prior's centre to the nearest test example; `test` is that of a test example to the "
            "nearest other.",
            FEATURES,
            "Close to the data is not yet like the data: see precision and coverage.",
        ),
    },
    "samples": {
        "fid": Number(
            "FID",
            "",
            "lower",
            "Fréchet distance to the test examples, in features of the zoo's own: of `samples` "
            "from the run's prior, of `reconstructions`, and of `train` examples, the floor.",
            FEATURES,
            "No published FID, which is in Inception features. Biased by n. The floor may be too "
            "low: the classifier was trained on those examples. Samples and reconstructions of "
            "binary data are means, which are grey.",
        ),
        "kid": Number(
            "KID",
            "",
            "lower",
            "Unbiased MMD² of the same by a cubic kernel.",
            FEATURES,
            "No published KID. May be negative near the floor, and of reconstructions, which are "
            "not independent of the test examples.",
        ),
        "precision": Number(
            "precision",
            "",
            "higher",
            "Share of samples that lie within the k nearest neighbours' reach of a test example.",
            "the same data, features, n and k",
            "Outliers among the test examples raise it. "
            "± is for the other set as it is: of both it is up to two thirds larger.",
        ),
        "recall": Number(
            "recall",
            "",
            "higher",
            "Share of test examples that lie within that of a sample.",
            "the same data, features, n and k",
            "Outliers among the samples raise it. "
            "± is for the other set as it is: of both it is up to two thirds larger.",
        ),
        "density": Number(
            "density",
            "",
            "higher",
            "Precision, counting by how many test examples a sample is reached; may exceed 1.",
            "the same data, features, n and k",
            "Beyond the floor, samples crowd where the data are dense. "
            "± is for the other set as it is: of both it is up to two thirds larger.",
        ),
        "coverage": Number(
            "coverage",
            "",
            "higher",
            "Share of test examples with a sample in their reach.",
            "the same data, features, n and k",
            "The floor is below 1. "
            "± is for the other set as it is: of both it is up to two thirds larger.",
        ),
    },
    "probes": {
        "linear_probe": Number(
            "linear probe",
            "",
            "higher",
            "Test accuracy of a logistic regression of the labels on the codes' means.",
            CODES,
            "An encoder that is told the label (a conditional one) may pass it on, or drop it.",
        ),
        "knn": Number(
            "nearest neighbours",
            "",
            "higher",
            "Test accuracy of the vote of the nearest training codes.",
            CODES,
            "As above; sensitive to the scales of the dimensions.",
        ),
    },
    "factors": {
        "mig": Number(
            "MIG",
            "",
            "higher",
            "Mutual information gap: for each factor, that of the most informative dimension over "
            "the second, as a share of its entropy.",
            DATA,
            "0 where two dimensions share a factor, however well.",
        ),
        "dci_disentanglement": Number(
            "DCI disentanglement",
            "",
            "higher",
            "How nearly each dimension is important for one factor alone.",
            DATA,
            "Of one kind of predictor. ± may be twice too large.",
        ),
        "dci_completeness": Number(
            "DCI completeness",
            "",
            "higher",
            "How nearly each factor is captured by one dimension alone.",
            DATA,
            "Of one kind of predictor. ± may be twice too large.",
        ),
        "dci_informativeness": Number(
            "DCI informativeness",
            "",
            "higher",
            "How well the factors are predicted from the codes, on held-out examples.",
            DATA,
            "Of one kind of predictor. ± may be twice too large.",
        ),
        "sap": Number(
            "SAP",
            "",
            "higher",
            "Separated attribute predictability: the best dimension's score for a factor over the "
            "second best's.",
            DATA,
            "Of linear predictors.",
        ),
        "factor_vae_score": Number(
            "FactorVAE score",
            "",
            "higher",
            "Accuracy in telling, from the least varying dimension, which factor was held fixed.",
            DATA,
            "Chance is one over the number of factors.",
        ),
    },
    "cost": {
        "parameters": Number(
            "parameters", "", "lower", "Trained parameters of the model.", "any", ""
        ),
        "epoch_seconds": Number(
            "seconds per epoch",
            "s",
            "lower",
            "Training alone, without validation, pictures and score card.",
            "the same data, machine, threads and load",
            "Two trials at once on one machine slow each other down.",
        ),
        "examples_per_second": Number(
            "examples per second",
            "1/s",
            "higher",
            "Training examples in an epoch, over its seconds.",
            "the same machine, threads and load",
            "As above.",
        ),
        "peak_memory": Number(
            "peak memory",
            "MiB",
            "lower",
            "Of the process; with CUDA, what torch took on the device.",
            "the same data and machine",
            "Includes the libraries and the data.",
        ),
    },
}


def find(name: str) -> Number | None:
    """Look up a number by its name, as ``elbo`` or ``fid/samples``."""
    stem = name.partition("/")[0]
    return next((part[stem] for part in PARTS.values() if stem in part), None)


def title(name: str) -> str:
    """Return a number's title, with what it is of: ``FID of samples``, ``distance at radius 2``."""
    number, (stem, _, of) = find(name), name.partition("/")
    shown = number.title if number else stem.replace("_", " ")
    if not of:
        return shown
    return f"{shown} {of}" if of[0].isdigit() else f"{shown}, {of}"


INTRODUCTION = """\
# The score card

A run that was trained by MMD and one that was trained by KL have no common loss. These numbers
they have in common: `vae-zoo fit` ends with them (`--scorecard false` leaves them out), and
`vae-zoo evaluate RUN` makes them, or those that are missing. They are of `best.ckpt` on the test
split, lie in the run's `scorecard.json` with the setting that produced each part (n examples, K
samples, seed, kernel), and go to W&B as `score/…`. ± is a standard error: over examples, or by a
jackknife or a bootstrap over them. Where a number is not defined, as the ELBO of a deterministic
encoder, it is absent, with the reason.

The docstrings (`from vae_zoo.evaluation import ActiveUnits`) say how a number
is made, and from which paper. Every one is a `torchmetrics.Metric` that works alone, in a
notebook; `Probes` and `SampleQuality` are shown training examples besides, `FactorScores` the
factors, and `TrainingCost` epochs:

```python
from vae_zoo.evaluation import ActiveUnits

metric = ActiveUnits()
metric.update(model, x, y)  # for each batch; their sizes and devices change nothing
metric.compute()  # {'active_units': Score(value=8.0, standard_error=0.0)}
```

The docstring of `KeptExamples` shows how to write one of your own.
"""


def page() -> str:
    """The page of all numbers, in Markdown."""
    lines = [INTRODUCTION]
    for part, numbers in PARTS.items():
        lines += [f"## {part.capitalize()}", ""]
        lines += ["| number | better | what it is | compare it | beware |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        for name, one in numbers.items():
            unit = f", {one.unit}" if one.unit else ""
            compare = f"between {one.between}" if one.between else "not"
            told = f"{one.title}{unit} (`{name}`)"
            cells = (told, one.better, one.meaning, compare, one.beware)
            escaped = (cell.replace("|", r"\|") for cell in cells)
            lines.append(f"| {' | '.join(escaped)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    replace(Path(sys.argv[1]), page())
