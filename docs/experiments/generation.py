"""Why codes are pulled to a prior: what is decoded where codes lie, and where none do."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report import run_section, save, show, summary
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.distributions import Distribution, MultivariateNormal
from torch.nn.functional import pad

import vae_zoo
from vae_zoo import VAE
from vae_zoo.evaluation import features, frechet_distance, overlap, two_sample_classifier
from vae_zoo.evaluation.examples import examples
from vae_zoo.pictures.chart import PALETTE, new_figure
from vae_zoo.pictures.latents import principal
from vae_zoo.sampling import directions

NAMES = {
    "NoRegularizer": "Autoencoder",
    "KL": "VAE",
    "MMD": "WAE, MMD",
    "SlicedWasserstein": "WAE, sliced",
}
LAWS = ("N(0, I)", "codes", "one fitted normal", "ten fitted normals")
RADII = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
POINTS = 200  # at each radius
ROWS, COLUMNS = 4, 6  # of samples in the picture


class Trained(NamedTuple):
    """A run, and what is asked of it.

    Args:
        model: The model.
        codes: z ~ q(z | x) of the examples to train on, ``(N, D)``.
        laws: As many samples of each of LAWS, ``(N, D)`` each.
        train: Features of examples to train on, as many as test ones, ``(M, F)``.
        test: Features of test examples, ``(M, F)``.
        features: Maps examples ``(B, *X)`` to ``(B, F)``.
    """

    model: VAE
    codes: Tensor
    laws: dict[str, Tensor]
    train: Tensor
    test: Tensor
    features: nn.Module

    @classmethod
    def of(cls, folder: str) -> "Trained":
        """Load a run."""
        model, data, _ = vae_zoo.load(folder)
        torch.manual_seed(0)
        train, test = (examples(model, data, split)[0] for split in ("train", "test"))
        codes = model.encode(train, train.new_empty(len(train), 0)).sample()
        one, ten = normal(codes).sample((len(codes),)), of_mixture(codes)
        laws = torch.randn_like(codes), codes[torch.randperm(len(codes))], one, ten
        made = features(data)
        seen = made(train[: len(test)]), made(test)
        return cls(model, codes, dict(zip(LAWS, laws, strict=True)), *seen, made)

    def decode(self, z: Tensor) -> Distribution:
        """Return p(x | z), of batch shape ``(B,)``."""
        return self.model.decode(z, z.new_empty(len(z), 0))

    def features_at(self, z: Tensor) -> Tensor:
        """Features of the means of p(x | z), ``(B, F)``."""
        found: Tensor = self.features(self.decode(z).mean)
        return found


def normal(codes: Tensor) -> MultivariateNormal:
    """The normal under which codes ``(N, D)`` are likeliest: that of their mean and covariance."""
    return MultivariateNormal(codes.mean(0), torch.cov(codes.T, correction=0))


def of_mixture(codes: Tensor, components: int = 10) -> Tensor:
    """As many samples of a mixture of normals that EM has fitted to codes ``(N, D)``."""
    found = GaussianMixture(components, random_state=0).fit(codes.double().numpy())
    samples, _ = found.sample(len(codes))  # one component after the other
    return torch.from_numpy(samples).to(codes)[torch.randperm(len(codes))]


def shells(law: MultivariateNormal, radii: Sequence[float], points: int) -> Tensor:
    """Points m + r √D L u, with LLᵀ the covariance and u uniform on the unit sphere.

    The law's own samples lie about r = 1, the nearer the larger D is; u is the same at each radius.

    Returns:
        Of shape ``(R, points, D)``.
    """
    d = len(law.loc)
    step = d**0.5 * directions(points, like=law.loc[None]) @ law.scale_tril.T
    found: Tensor = law.loc + torch.tensor(radii).to(step)[:, None, None] * step
    return found


def distance(made: Tensor, real: Tensor) -> float:
    """Mean distance from features ``(N, F)`` to the nearest of real ones, ``(M, F)``."""
    return torch.cdist(made.double(), real.double()).amin(1).mean().item()


def likeness(made: Tensor, real: Tensor) -> dict[str, float]:
    """How like real examples those are that were made, ``(M, F)`` features of each."""
    measures = overlap(real, made)
    return {
        "FID": frechet_distance(real, made).value,
        "precision": measures.precision.double().mean().item(),
        "recall": measures.recall.double().mean().item(),
        "distance": distance(made, real),
    }


def generated(run: Trained, law: str) -> dict[str, float | None]:
    """What is decoded of samples of a law, and how well these are told from codes."""
    torch.manual_seed(0)
    z, told = run.laws[law], None
    few = z[: len(run.test)]
    drawn = run.features(run.decode(few).sample())
    if law != "codes":
        told = two_sample_classifier(run.laws["codes"], z).double().mean().item()
    return {
        **likeness(run.features_at(few), run.test),
        "FID of draws": frechet_distance(run.test, drawn).value,
        "told from codes": told,
    }


def further(run: Trained) -> dict[str, float]:
    """How far what is decoded at each radius is from the nearest test example."""
    torch.manual_seed(0)
    at_radii = zip(RADII, shells(normal(run.codes), RADII, POINTS), strict=True)
    return {f"r = {radius:g}": distance(run.features_at(z), run.test) for radius, z in at_radii}


@torch.no_grad()
def main() -> None:
    """Print and write what section 3 shows, of the runs of sweeps/generation.yaml."""
    runs = vae_zoo.compare("runs/generation")
    runs["model"] = runs["regularizer"].map(NAMES)
    runs = runs.sort_values(["model", "seed"], ignore_index=True)
    trained = [Trained.of(folder) for folder in runs["folder"]]
    runs["length of the mean"] = [run.codes.mean(0).norm().item() for run in trained]
    runs["deviation"] = [run.codes.var(0).mean().sqrt().item() for run in trained]
    columns = {"reconstruction, nats": "reconstruction"}
    columns |= {name: name for name in ("length of the mean", "deviation")}
    show("generation codes", summary(runs, "model", columns))

    both = [(run, law) for run in trained for law in LAWS]
    samples = pd.DataFrame([{"z from": law, **generated(run, law)} for run, law in both])
    samples["model"] = runs["model"].repeat(len(LAWS)).to_numpy()
    scores = [name for name in samples.columns if name not in ("model", "z from")]
    table = summary(samples, ["model", "z from"], {name: name for name in scores})
    floor = [f"{value:.3g}" for value in likeness(trained[0].train, trained[0].test).values()]
    table.loc[len(table)] = ["(examples to train on)", "–", *floor, "–", "–"]
    show("generation samples", table)

    radii = pd.DataFrame([further(run) for run in trained])
    columns = {name: name for name in radii.columns}
    show("generation radius", summary(runs[["model"]].join(radii), "model", columns))
    firsts = runs.groupby("model").head(1).index
    save("generation", picture({runs["model"][i]: trained[i] for i in firsts}))


def picture(runs: dict[str, Trained]) -> Figure:
    """Draw, for each model, where codes lie, samples, and what is decoded further and further."""
    figure = new_figure(11.0, 8.2)
    panels = figure.subplots(len(runs), 4, width_ratios=(1.0, 1.1, 1.1, 1.25))
    titles = ("", "z from N(0, I)", "z from one fitted normal", "z at r from the mean of the codes")
    for (name, run), row in zip(runs.items(), panels, strict=True):
        plane(row[0], run)
        row[0].set_ylabel(name, fontsize=11)
        torch.manual_seed(0)
        z = shells(normal(run.codes), RADII, ROWS).transpose(0, 1).flatten(0, 1)
        drawn = (run.laws[law][: ROWS * COLUMNS] for law in (LAWS[0], LAWS[2]))
        for axes, points in zip(row[1:], (*drawn, z), strict=True):
            images = run.decode(points).mean[:, 0]
            axes.imshow(mosaic(images, len(images) // ROWS), cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
        width = images.shape[-1] + 1
        middles = [(i + 0.5) * width - 1 for i in range(len(RADII))]
        row[3].set_xticks(middles, [f"{radius:g}" for radius in RADII])
        row[3].tick_params(length=0)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    panels[-1][3].set_xlabel("r")
    return figure


def plane(axes: Axes, run: Trained) -> None:
    """Draw codes, and samples of N(0, I), on the first two principal components of codes."""
    components, _ = principal(run.codes)
    for law, color in (("codes", PALETTE[0]), ("N(0, I)", PALETTE[4])):
        x, y = (run.laws[law] @ components.T).T
        axes.scatter(x, y, s=2, color=color, linewidths=0, alpha=0.6, label=law)
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(labelsize=7)
    axes.legend(frameon=False, fontsize=7, markerscale=4, handletextpad=0.1)


def mosaic(images: Tensor, columns: int) -> np.ndarray:
    """Lay images ``(N, H, W)`` out in rows, with a grey line between them."""
    framed = pad(images, (0, 1, 0, 1), value=0.3)
    rows = framed.view(-1, columns, *framed.shape[1:]).transpose(1, 2)
    found: np.ndarray = rows.flatten(2, 3).flatten(0, 1)[:-1, :-1].numpy()
    return found


if __name__ == "__main__":
    run_section(main)
