"""How much KL(q(z|x) ‖ p(z|x)) leaves, by the likelihood's variance: of digits, and exactly."""

import pandas as pd
import torch
from matplotlib.axes import Axes
from report import estimates, run_section, save, show, summary
from torch import Tensor

import vae_zoo
from vae_zoo import VAE
from vae_zoo.pictures.chart import PALETTE, new_figure

VARIANCE = "model.likelihood.variance"
COLUMNS = {
    "ELBO": "score/elbo",
    "log p(x), AIS": "score/ais",
    "gap": "score/posterior_gap",
    "approximation": "score/approximation_gap",
    "amortisation": "score/amortisation_gap",
    "approximation, linearised": "linearised",
    "BDMC gap": "score/bdmc_gap",
}
LATENTS, ROTATIONS = 8, 100
LINEAR = (0.003, 0.1, 0.2, 0.3, 0.5)  # variances of linear decoders


def family_gap(precision: Tensor) -> Tensor:
    """KL of the best diagonal normal from a normal: ½ [Σ ln Λ_dd - ln det Λ].

    Args:
        precision: Λ of the normal, of shape ``(*B, D, D)``.

    Returns:
        Nats, of shape ``(*B)``: 0 where the dimensions are independent.

    References:
        Bishop, Pattern Recognition and Machine Learning, 2006, sec. 10.1.2.
    """
    return 0.5 * (precision.diagonal(dim1=-2, dim2=-1).log().sum(-1) - precision.logdet())


def linearised_precision(model: VAE, x: Tensor, variance: float) -> Tensor:
    """I + JᵀJ/σ², the precision of p(z | x) if the decoder were its tangent at the mean of q.

    Args:
        model: With the prior N(0, I), and normals of one fixed variance for pixels.
        x: Examples ``(B, *X)``.
        variance: Their variance σ².

    Returns:
        In double precision, of shape ``(B, D, D)``.
    """
    none = torch.zeros(1, 0)

    def mean(z: Tensor) -> Tensor:
        return model.decode(z[None], none).mean.flatten()

    with torch.no_grad():
        z = model.encode(x, none.expand(len(x), 0)).mean
    slopes = torch.stack([torch.func.jacrev(mean)(one) for one in z]).detach().double()
    return torch.eye(z.shape[1]).double() + slopes.mT @ slopes / variance


def ppca(x: Tensor, latents: int, variance: float) -> Tensor:
    """W of the best linear decoder with a given variance: x = Wz + μ + σε, of shape ``(X, D)``.

    Its columns are principal axes, orthogonal; W R of any rotation R gives x the same density.

    References:
        Tipping and Bishop, Probabilistic Principal Component Analysis, 1999, eq. 7.
    """
    values, axes = torch.linalg.eigh(torch.cov(x.flatten(1).double().T, correction=0))
    kept, axes = values.flip(0)[:latents], axes.flip(1)[:, :latents]
    w: Tensor = axes * (kept - variance).clamp(min=0).sqrt()
    return w


def rotated_gaps(w: Tensor, variance: float, rotations: int) -> Tensor:
    """Exact gap of the best diagonal normal in random bases of z: the same model each time."""
    generator = torch.Generator().manual_seed(0)
    shape = rotations, w.shape[1], w.shape[1]
    bases, _ = torch.linalg.qr(torch.randn(shape, generator=generator).double())
    return family_gap(torch.eye(w.shape[1]).double() + bases.mT @ w.T @ w @ bases / variance)


def main() -> None:
    """Print and write what section 5 shows, of the runs of sweeps/gap.yaml."""
    runs = vae_zoo.compare("runs/gap")
    runs["variance"] = runs[VARIANCE].astype(float)
    places = runs["folder"], runs["variance"]
    runs["linearised"] = [linearised(*row) for row in zip(*places, strict=True)]
    show("gap", summary(runs, ["posterior", "variance"], COLUMNS))
    x = vae_zoo.load(runs["folder"][0]).data.splits.train.x
    gaps = [rotated_gaps(ppca(x, LATENTS, each), each, ROTATIONS) for each in LINEAR]
    table = {
        "variance": [f"{each:g}" for each in LINEAR],
        "principal axes": ["0"] * len(LINEAR),
        "a random basis": estimates([each.tolist() for each in gaps]),
    }
    show("gap linear", pd.DataFrame(table))
    figure = new_figure(10.0, 3.8)
    left, right = figure.subplots(1, 2)
    draw_digits(left, runs)
    draw_linear(right, x)
    save("gap", figure)


def linearised(folder: str, variance: float) -> float:
    """What a run's approximation gap would be, were its decoder linear about each code."""
    model, data, run = vae_zoo.load(folder)
    if "DiagonalNormal" not in str(run.config["model"]["posterior"]):
        return float("nan")
    return family_gap(linearised_precision(model, data.splits.test.x, variance)).mean().item()


def draw_digits(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw the parts of the gap against the variance."""
    for family, group in runs.groupby("posterior"):
        style = "o-" if family == "DiagonalNormal" else "s--"
        for name, color in zip(("approximation", "amortisation"), PALETTE[::2], strict=False):
            by = group.groupby("variance")[COLUMNS[name]]
            label = f"{name}, {family}"
            axes.errorbar(by.mean().index, by.mean(), by.sem(), fmt=style, color=color, label=label)
    axes.set(xscale="log", xlabel="variance of the likelihood", ylabel="nats", title="digits")
    axes.legend(frameon=False, fontsize=8)


def draw_linear(axes: Axes, x: Tensor) -> None:
    """Draw the exact gap of linear decoders."""
    variances = torch.logspace(-3, 0.3, 40).tolist()
    gaps = [rotated_gaps(ppca(x, LATENTS, each), each, ROTATIONS) for each in variances]
    low, middle, high = torch.stack(gaps).quantile(torch.tensor([0.05, 0.5, 0.95]).double(), dim=1)
    axes.fill_between(variances, low, high, color=PALETTE[1], alpha=0.5, label="90 % of bases")
    axes.plot(variances, middle, color=PALETTE[0], label="a random basis, median")
    axes.axhline(0, color=PALETTE[2], linestyle="--", label="principal axes")
    axes.set(
        xscale="log", xlabel="variance of the likelihood", ylabel="nats", title="linear, exact"
    )
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    run_section(main)
