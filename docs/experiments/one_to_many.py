"""One to many: what a regression loses where several x are right, and a conditional VAE draws."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show, summary
from sklearn.svm import SVC
from torch import Tensor

from vae_zoo import VAE, load
from vae_zoo.data import Completion, Digits, Succession
from vae_zoo.evaluation.examples import examples
from vae_zoo.pictures.chart import new_figure
from vae_zoo.runs import Run, find_runs
from vae_zoo.scorecard import ScoreCard

PIXELS = 64  # of an image
MOST = 1000  # examples of a score card
ONE, MANY = "regression", "conditional VAE"
DRAWS = 10  # of each string
SHOWN, TIMES = 5, 6  # images, and completions of each


def next_digits(strings: Tensor) -> Tensor:
    """The two digits that may follow strings ``(N, T)`` that count by one, ``(N, 2)``."""
    step = torch.where((strings[:, 1] - strings[:, 0]) % 10 == 1, 1, -1)
    return (strings[:, -1:] + step[:, None] * torch.tensor([1, 2])) % 10


@torch.no_grad()
def draw(model: VAE, y: Tensor) -> Tensor:
    """Draw an x of each condition: a code of the prior, then pixels, or numbers, of p(x | z, c)."""
    c = model.condition(y)
    z = model.prior(c).expand((len(y),)).sample()
    return model.decode(z, c).sample()


def main() -> None:
    """Read, print and write what section 12 shows."""
    torch.manual_seed(0)
    images = pd.DataFrame([row(run) for run in runs("completion", "succession")])
    show("one_to_many images", likelihoods(images))
    show("one_to_many digits", succession(runs("succession")))
    figure = new_figure(7.0, 4.4)
    shown = images[(images["seen"] == "1 of 4 quadrants") & (images["seed"] == 0)]
    draw_completions(figure.subplots(), shown.sort_values("model", ascending=False)["run"].tolist())
    save("one_to_many", figure)


def runs(*names: str) -> list[Run]:
    """The runs of sweeps, not in the order of their names, so that draws can be drawn again."""
    found = find_runs([Path("runs", name) for name in names])
    return sorted(found, key=lambda run: (str(run.config["model"]), run.config["seed_everything"]))


def row(run: Run) -> dict[str, Any]:
    """What a run is, what it says of log p(x | c), and what the condition of another costs it."""
    data = run.config["data"]
    seen = data["init_args"].get("quadrants")
    right, wrong = scores(run), scores(run, "_shuffled")
    return {
        "seen": f"{seen} of 4 quadrants" if seen else "a string of 2 digits",
        "model": MANY if run.config["model"]["latent_dim"] else ONE,
        "seed": run.config["seed_everything"],
        "hidden": PIXELS * (4 - seen) // 4 if seen else PIXELS,
        "run": run,
        "lost": right["importance_sampling"] - wrong["importance_sampling"],
        **right,
    }


def scores(run: Run, stem: str = "") -> dict[str, float]:
    """The ELBO, and log p(x | c) by importance sampling; of a regression they are the same."""
    card = ScoreCard.read(run.folder / f"scorecard_{MOST}{stem}.json")
    return {name: card.scores[name].value for name in ("elbo", "importance_sampling")}


def likelihoods(table: pd.DataFrame) -> pd.DataFrame:
    """Log p(x | c) of both models, and what the condition of another example costs."""
    wide = table.pivot(index=["seen", "seed"], columns="model")
    likelihood, elbo, lost = (wide[part] for part in ("importance_sampling", "elbo", "lost"))
    gain = likelihood[MANY] - likelihood[ONE]
    columns = {
        "regression, exact": likelihood[ONE],
        "VAE, ELBO": elbo[MANY],
        "VAE, importance sampling": likelihood[MANY],
        "gain": gain,
        "of a hidden pixel": gain / wide["hidden"][MANY].astype(float),
        "regression, shuffled, loses": lost[ONE],
        "VAE, shuffled, loses": lost[MANY],
    }
    flat = pd.DataFrame(columns).reset_index()
    return summary(flat, "seen", {name: name for name in columns})


def succession(found: list[Run]) -> pd.DataFrame:
    """How often a judge sees one of the two right digits in draws, and both in ten of a string."""
    splits = Digits().splits
    judge = SVC(C=5.0).fit(splits.train.x.flatten(1), splits.train.y)
    shares: dict[str, list[list[float]]] = {"real images": [], ONE: [], MANY: []}
    for run in found:
        model, data, _ = load(run.folder)
        assert isinstance(data, Succession)
        x, y = examples(model, data, "test")
        assert y is not None
        digits = next_digits(data.digits("test")[:, : data.length])
        drawn = [judge.predict(draw(model, y).flatten(1)) for _ in range(DRAWS)]
        hits = torch.from_numpy(np.stack(drawn))[..., None] == digits  # (draws, N, 2)
        both = hits.any(0).all(1).double().mean().item()
        name = MANY if model.latent_dim else ONE
        shares[name].append([hits.any(-1).double().mean().item(), both])
        real = torch.from_numpy(judge.predict(x.flatten(1)))[:, None] == digits
        shares["real images"] = [[real.any(1).double().mean().item(), math.nan]]
    percent = {name: 100 * np.array(values).T for name, values in shares.items()}
    columns = [estimates([each[i][~np.isnan(each[i])].tolist() for each in percent.values()])
               for i in range(2)]  # fmt: skip
    headings = ("one of the two digits, %", f"both in {DRAWS} draws, % of strings")
    return pd.DataFrame({"drawn by": [*shares], **dict(zip(headings, columns, strict=True))})


def draw_completions(axes: Axes, found: list[Run]) -> None:
    """Draw the first test images: what is seen, all of it, and what models make of it."""
    regression, vae = (load(run.folder) for run in found)
    data = vae.data
    assert isinstance(data, Completion)
    x, y = (part[:SHOWN] for part in examples(vae.model, data, "test") if part is not None)
    columns = [torch.full_like(x, 0.5), x, regression.model.sample(SHOWN, y)]
    columns += [vae.model.sample(SHOWN, y) for _ in range(TIMES)]
    tiles = []
    for column in columns:
        picture = data.picture(column, y)
        assert picture is not None
        tiles.append(torch.nn.functional.pad(picture, (1, 1, 1, 1), value=1.0))  # (SHOWN, 3, H, W)
    size = tiles[0].shape[-1]
    rows = torch.cat([tile.movedim(1, -1).flatten(0, 1) for tile in tiles], dim=1)
    axes.imshow(rows.numpy(), interpolation="nearest")
    titles = ["seen", "true", "regression", *(str(i + 1) for i in range(TIMES))]
    axes.set_xticks([size * (i + 0.5) - 0.5 for i in range(len(titles))], titles)
    axes.xaxis.tick_top()
    axes.set(yticks=[], xlabel="numbered: draws of the conditional VAE, the mean of each")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    run_section(main)
