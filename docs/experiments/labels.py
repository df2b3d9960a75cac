"""What a network that was trained without labels, or was given them, tells of p(y | x)."""

from typing import NamedTuple

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show, summary
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn

import vae_zoo
from vae_zoo import VAE
from vae_zoo.evaluation import (
    class_log_likelihoods,
    class_log_posterior,
    linear_probe,
    nearest_neighbours,
)
from vae_zoo.evaluation.examples import examples
from vae_zoo.networks import MLP
from vae_zoo.networks.base import join
from vae_zoo.pictures.chart import MARKERS, PALETTE, new_figure
from vae_zoo.regularizers import KL

SAMPLES = 100  # of each class, in Bayes' rule
SEEDS = (0, 1, 2)  # of what has no runs
NAMES = {"NoRegularizer": "Autoencoder", "MMD": "WAE, MMD", "SlicedWasserstein": "WAE, sliced"}
PRIORS = {"StandardNormal": "N(0, I)", "ConditionalNormal": "p(z|y)", "LearnedNormal": "N(m, s²)"}
PROBES = ("codes, linear", "codes, neighbours", "hidden layer, linear")
NETWORK = ["hidden layers", "width"]


class Labelled(NamedTuple):
    """A model, and examples with their labels.

    Args:
        model: The model.
        train: Examples ``(N, *X)`` and labels ``(N,)``.
        test: Examples ``(M, *X)`` and labels ``(M,)``.
    """

    model: VAE
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, folder: str) -> "Labelled":
        """Load a run."""
        model, data, _ = vae_zoo.load(folder)
        (x, y), (new, labels) = (examples(model, data, split) for split in ("train", "test"))
        assert y is not None
        assert labels is not None
        return cls(model, (x, y), (new, labels))


def hidden(model: VAE, x: Tensor, c: Tensor) -> Tensor:
    """The encoder's last hidden layer, of which the parameters of q(z | x) are an affine map."""
    assert isinstance(model.encoder, MLP)
    found: Tensor = model.encoder.layers[:-1](join(x.flatten(1), c))
    return found


def percent(right: Tensor) -> float:
    """Share of what is right, in percent."""
    return 100 * right.double().mean().item()


def probes(of: Labelled) -> dict[str, float]:
    """How many of the test labels are told from what the encoder makes of examples."""
    codes, layers, labels = [], [], []
    for x, y in (of.train, of.test):
        c = of.model.condition(y)
        codes.append(of.model.posterior.point(of.model.encode(x, c)))
        layers.append(hidden(of.model, x, c))
        labels.append(y)
    z, h = ((part[0], labels[0], part[1], labels[1]) for part in (codes, layers))
    right = linear_probe(*z), nearest_neighbours(*z), linear_probe(*h)
    return dict(zip(PROBES, map(percent, right), strict=True))


def by_bayes(of: Labelled) -> float | None:
    """Accuracy of argmax p(x | y) p(y) over y; None of a model that is given no label."""
    if not of.model.condition.dim:
        return None
    likelihoods = class_log_likelihoods(of.model, of.test[0], SAMPLES)
    posterior = class_log_posterior(likelihoods, of.train[1].bincount())
    return percent(posterior.argmax(1) == of.test[1])


def classifier(of: Labelled, seed: int) -> float:
    """Accuracy of a network with the encoder's hidden layers that is trained on the labels."""
    (x, y), (new, labels) = of.train, of.test
    network = MLPClassifier((256, 256), random_state=seed, early_stopping=True, n_iter_no_change=20)
    told = network.fit(x.flatten(1).numpy(), y.numpy()).predict(new.flatten(1).numpy())
    return percent(torch.from_numpy(told) == labels)


def from_pixels(of: Labelled) -> dict[str, list[float]]:
    """Accuracies of classifiers of the pixels; one number has no seed."""
    (x, y), (new, labels) = of.train, of.test
    pixels = x.flatten(1), y, new.flatten(1), labels
    return {
        "logistic regression of pixels": [percent(linear_probe(*pixels))],
        "nearest neighbours of pixels": [percent(nearest_neighbours(*pixels))],
        "a classifier, 2 × 256": [classifier(of, seed) for seed in SEEDS],
    }


def untrained(of: Labelled) -> pd.DataFrame:
    """Probes of encoders whose weights are those that a training begins with."""
    rows = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        rows.append(
            probes(of._replace(model=VAE(of.model.shape, of.model.latent_dim, KL()).eval()))
        )
    return pd.DataFrame(rows).assign(model="(untrained)")


def layers(model: VAE) -> tuple[int, int]:
    """Number and width of the hidden layers of an encoder."""
    linear = [layer for layer in model.encoder.modules() if isinstance(layer, nn.Linear)]
    return len(linear) - 1, linear[0].out_features if len(linear) > 1 else 0


def probed(folder: str) -> tuple[pd.DataFrame, list[Labelled]]:
    """The runs of a folder with what probes tell of each."""
    runs = vae_zoo.compare(folder)
    loaded = [Labelled.of(each) for each in runs["folder"]]
    return runs.join(pd.DataFrame([probes(each) for each in loaded])), loaded


@torch.no_grad()
def main() -> None:
    """Print and write what section 15 shows, of four sweeps."""
    runs, loaded = probed("runs/generation")
    weights, _ = probed("runs/beta")
    pixels, plain = from_pixels(loaded[0]), runs[runs["regularizer"] == "KL"]
    both = pd.concat([runs, weights[weights["weight"] != 1.0]])
    named = both["weight"].map(lambda weight: f"VAE, β = {weight:g}")
    both = both.assign(model=both["regularizer"].map(NAMES).fillna(named))
    both = pd.concat([untrained(loaded[0]), both])
    columns = {name: name for name in PROBES}
    show("labels probes", summary(both, "model", {"rate, nats": "kl", **columns}))

    given, models = probed("runs/conditional")
    given["Bayes"] = [by_bayes(each) for each in models]
    known = [bool(each.model.condition.dim) for each in models]
    told = ["p(x|z, y)" if each else "p(x|z)" for each in known]
    given["model"] = [f"{a}, {PRIORS[b]}" for a, b in zip(told, given["prior"], strict=True)]
    bayes = {"ELBO": "elbo", "rate, nats": "kl", "Bayes' rule": "Bayes", PROBES[0]: PROBES[0]}
    show("labels bayes", summary(given, "model", bayes))
    table = {"classifier": [*pixels], "accuracy, %": estimates([*pixels.values()])}
    show("labels pixels", pd.DataFrame(table))

    networks, others = probed("runs/labels")
    networks = pd.concat([networks, plain], ignore_index=True)
    others += [each for each, kind in zip(loaded, runs["regularizer"], strict=True) if kind == "KL"]
    networks[NETWORK] = [layers(each.model) for each in others]
    networks["parameters"] = [sum(p.numel() for p in each.model.parameters()) for each in others]
    terms = {"parameters": "parameters", "ELBO": "elbo", "rate, nats": "kl"}
    show("labels networks", summary(networks, NETWORK, terms | columns))

    figure = new_figure(11.0, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
    pixels["Bayes' rule"] = given["Bayes"].dropna().tolist()
    draw_models(left, both, pixels)
    draw_networks(right, networks)
    save("labels", figure)


def draw_models(axes: Axes, runs: pd.DataFrame, others: dict[str, list[float]]) -> None:
    """Draw what probes tell of the codes and of the hidden layer of each model."""
    groups = runs.groupby("model")
    for name, color, marker in zip(PROBES, PALETTE[::2], MARKERS, strict=False):
        mean, error = groups[name].mean(), groups[name].sem()
        axes.errorbar(mean, mean.index, xerr=error, color=color, fmt=marker, label=name)
    for (name, values), style in zip(others.items(), (":", "--", "-.", "-"), strict=True):
        told = sum(values) / len(values)
        axes.axvline(told, color="black", linewidth=1, linestyle=style, label=name)
    axes.invert_yaxis()
    axes.set_xlabel("test labels told, %")
    axes.legend(frameon=False, fontsize=8)


def draw_networks(axes: Axes, networks: pd.DataFrame) -> None:
    """Draw what probes tell of codes against the ELBO of the networks that made them."""
    for ((depth, width), runs), color, marker in zip(
        networks.groupby(NETWORK), PALETTE, MARKERS, strict=False
    ):
        label = f"{depth} × {width}" if depth else "affine"
        x, y = runs["elbo"], runs[PROBES[0]]
        axes.errorbar(x.mean(), y.mean(), y.sem(), x.sem(), fmt=marker, color=color, label=label)
    axes.set(xlabel="ELBO, nats", ylabel="test labels told by a linear probe of codes, %")
    axes.legend(frameon=False, fontsize=8, title="hidden layers × width")


if __name__ == "__main__":
    run_section(main)
