"""The cross entropy of a text: what a VAE gains over counts, and what its codes hold."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show
from torch import Tensor

from vae_zoo import compare, load
from vae_zoo.evaluation import importance_sampling
from vae_zoo.evaluation.examples import examples
from vae_zoo.likelihoods import Tokens
from vae_zoo.pictures.chart import PALETTE, new_figure

ORDERS = {"one character": 0, "bigrams": 1, "trigrams": 2, "four characters": 3}
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # of which val chooses
RANGES = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16))  # of positions in a window
OWN, OTHER = "own code", "another text's code"
FEW, SAMPLES = 500, 50  # windows, and samples of each for importance sampling


def count_model(text: np.ndarray, order: int, size: int, strength: float) -> list[np.ndarray]:
    """P(next | last n) = (count + α P(next | last n-1)) / (Σ count + α), of n = 0 … order.

    Args:
        text: Numbers of characters ``(N,)``.
        order: How many characters before are looked at.
        size: Of the vocabulary.
        strength: α, how many counts the shorter context weighs.
    """
    models, shorter = [], np.full(size, 1 / size)
    for n in range(order + 1):
        places = np.zeros(len(text) - n, dtype=np.int64)
        for shift in range(n + 1):
            places = places * size + text[shift : len(text) - n + shift]
        counts = np.bincount(places, minlength=size ** (n + 1)).reshape((size,) * (n + 1))
        shorter = (counts + strength * shorter) / (counts.sum(-1, keepdims=True) + strength)
        models.append(shorter)
    return models


def code_length(models: list[np.ndarray], windows: np.ndarray) -> float:
    """Bits per character of windows ``(N, T)``, whose first characters have nothing before them."""
    nats = 0.0
    for t in range(windows.shape[1]):
        n = min(t, len(models) - 1)
        nats -= np.log(models[n][tuple(windows[:, t - n : t + 1].T)]).mean()
    return float(nats / windows.shape[1] / math.log(2))


def token_losses(likelihood: Tokens, features: Tensor, tokens: Tensor) -> Tensor:
    """-log p(xₜ | x₁ … xₜ₋₁, z) of each token, ``(N, T)``: what `Tokens` sums."""
    start = tokens.new_full((len(tokens), 1), likelihood.start_token)
    before = likelihood.embedding(torch.cat([start, tokens[:, :-1]], dim=1))
    states, _ = likelihood.gru(before + features[:, None])
    log_probs = likelihood.logits(states).log_softmax(-1)
    losses: Tensor = -log_probs.gather(2, tokens[..., None]).squeeze(2)
    return losses


def main() -> None:
    """Read, print and write what section 14 shows of a text."""
    torch.manual_seed(0)
    texts = compare("runs/text").sort_values(["regularizer", "seed"])
    show("sequences text", code_lengths(texts))
    torch.manual_seed(0)  # whatever was drawn before
    losses = positions(texts)
    show("sequences positions", by_range(losses))
    figure = new_figure(7.0, 4.2)
    draw_positions(figure.subplots(), losses)
    save("sequences", figure)


def code_lengths(texts: pd.DataFrame) -> pd.DataFrame:
    """Bits per character of count models and of VAEs, and what the codes of these cost."""
    _, data, _ = load(texts["folder"].iloc[0])
    train, val, test = (split.x.numpy() for split in data.splits)
    size = data.shape[1]
    rows: dict[str, list[list[float]]] = {}
    for name, order in ORDERS.items():
        models = [count_model(train.ravel(), order, size, strength) for strength in STRENGTHS]
        best = min(models, key=lambda each: code_length(each, val))
        rows[f"counts of {name}"] = [[code_length(best, test)], [], []]
    for name, runs in texts.groupby("regularizer"):
        gaps = []
        for folder in runs["folder"]:
            model, data, _ = load(folder)
            x, _ = examples(model, data, "test", FEW)
            with torch.no_grad():
                bounds = importance_sampling(model, x, x.new_zeros(len(x), 0), SAMPLES)
            gaps.append((bounds.importance_sampling - bounds.elbo).mean().item())
        rows[f"VAE, {name}"] = [
            runs["bits_per_dimension"].tolist(),
            runs["kl"].round(2).tolist(),
            gaps,
        ]
    headings = ("bits per character", "rate, nats", "log p(x) - ELBO, nats")
    columns = [estimates([row[i] for row in rows.values()]) for i in range(len(headings))]
    return pd.DataFrame({"model": [*rows], **dict(zip(headings, columns, strict=True))})


@torch.no_grad()
def positions(texts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Nats of each position, ``(runs, T)``, with a text's own code, and with that of another."""
    found: dict[str, list[np.ndarray]] = {}
    for _, run in texts.iterrows():
        model, data, _ = load(run["folder"])
        x, _ = examples(model, data, "test")
        q = model.encode(x, x.new_zeros(len(x), 0))
        likelihood: Any = model.likelihood
        features = model.decoder(q.sample(), x.new_zeros(len(x), 0))
        for name, of_code in ((OWN, features), (OTHER, features.roll(len(x) // 2, dims=0))):
            losses = token_losses(likelihood, of_code, x.argmax(-1)).mean(0)
            found.setdefault(f"{run['regularizer']}, {name}", []).append(losses.numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def by_range(losses: dict[str, np.ndarray]) -> pd.DataFrame:
    """Mean nats per character of ranges of positions, and nats of all together."""
    spans = [f"{low} to {high}" if high > low else str(low) for low, high in RANGES]
    columns = {
        name: estimates(
            [rows[:, low - 1 : high].mean(1).tolist() for low, high in RANGES]
            + [rows.sum(1).tolist()]
        )
        for name, rows in losses.items()
    }
    return pd.DataFrame({"characters": [*spans, "all, their sum"], **columns})


def draw_positions(axes: Axes, losses: dict[str, np.ndarray]) -> None:
    """Draw what each character costs at its position in the window."""
    for (name, rows), color in zip(losses.items(), PALETTE, strict=False):
        style = "-" if OWN in name else "--"
        steps = np.arange(1, rows.shape[1] + 1)
        axes.plot(steps, rows.mean(0), style, color=color, label=name, linewidth=1.2)
    axes.set(xlabel="position in the window", ylabel="-log p of a character, nats")
    axes.legend(frameon=False)


if __name__ == "__main__":
    run_section(main)
