"""Quadrants of MNIST that a regression and a conditional VAE complete, beside Pyro's figures."""

import pandas as pd
from report import show

from vae_zoo import compare

PUBLISHED = {1: (100.4, 71.8), 2: (61.9, 51.0), 3: (25.4, 24.2)}  # regression, conditional VAE
REGRESSION, VAE = MODELS = ("regression", "conditional VAE")


def main() -> None:
    """Show -log p(x | c) of the regression, and -ELBO of the conditional VAE."""
    runs = compare("runs/published_completion")
    runs["quadrants"] = runs["data.quadrants"].astype(int)
    runs["model"] = (runs["latent_dim"] > 0).map({False: REGRESSION, True: VAE})
    loss = -runs.set_index(["model", "quadrants"])["elbo"]
    rows = []
    for quadrants, published in PUBLISHED.items():
        found = {model: loss[model, quadrants] for model in MODELS}
        gains = (published[0] - published[1], found[REGRESSION] - found[VAE])
        for model, theirs in zip(MODELS, published, strict=True):
            ours = found[model]
            rows.append([quadrants, model, theirs, ours, f"{ours - theirs:+.1f}", "", ""])
        rows[-1][-2:] = [f"{gain:.1f}" for gain in gains]
    columns = ["quadrants seen", "model", "Pyro", "ours", "difference", "Pyro's gain", "our gain"]
    table = pd.DataFrame(rows, columns=columns).map(
        lambda value: f"{value:.1f}" if isinstance(value, float) else str(value)
    )
    show("published_completion", table)


if __name__ == "__main__":
    main()
