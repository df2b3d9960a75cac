"""Pictures of a model show what they say."""

import math
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import WandbLogger
from matplotlib.colors import to_hex
from PIL import Image
from torch import nn
from torch.distributions import Normal, StudentT
from torch.testing import assert_close

from vae_zoo import VAE, pictures
from vae_zoo.callbacks import Pictures
from vae_zoo.conditions import OneHot
from vae_zoo.data import Digits, Ring
from vae_zoo.evaluation.aggregate_density import log_aggregate
from vae_zoo.generation import Dimensions, Made, interpolate, sheet, traverse
from vae_zoo.generation.decoded import chosen_examples, first
from vae_zoo.likelihoods import Normal as NormalLikelihood
from vae_zoo.pictures.chart import GREY, label_styles
from vae_zoo.pictures.density import MASSES, Density, _prior_in, level_of
from vae_zoo.pictures.latents import Latents, draw, principal
from vae_zoo.pictures.plane import decode_plane, quantiles
from vae_zoo.posteriors import Deterministic, FlowPosterior, FullNormal
from vae_zoo.priors import (
    ConditionalNormal,
    Flow,
    MixtureOfNormals,
    StandardNormal,
    VampPrior,
)
from vae_zoo.priors import Laplace as LaplacePrior
from vae_zoo.priors import StudentT as StudentTPrior
from vae_zoo.regularizers import KL, MMD, NoRegularizer
from vae_zoo.runs import Run

DATA = Digits()


def make(latent_dim=2, **parts):
    """A model of digits that was never trained, whose codes and pictures differ nonetheless."""
    regularizer = parts.pop("regularizer", KL())
    model = VAE((1, 8, 8), latent_dim, regularizer, classes=10, **parts).eval()
    with torch.no_grad():
        for layer in model.decoder.modules():
            if isinstance(layer, nn.Linear):
                layer.weight *= 3
    return model


def code(model, x, y=None):
    c = model.condition(y)
    return model.posterior.point(model.encode(x, c)), c


@torch.no_grad()
def decode(model, z, c):
    return model.likelihood.point(model.decode(z, c))


CONDITIONED = {"condition": OneHot, "prior": ConditionalNormal}
PARTS = [{}, {"posterior": Deterministic, "regularizer": MMD()}, CONDITIONED]


@pytest.mark.parametrize("parts", PARTS, ids=str)
@torch.no_grad()
def test_a_traversal_changes_one_dimension_and_has_the_decoded_mean_in_its_middle(parts):
    model = make(3, **parts)
    x, y = first(model, DATA, 1)
    z, c = code(model, x, y)
    spread = torch.tensor([0.5, 1.0, 2.0])
    dimensions = Dimensions(torch.tensor([0.1, 0.0, 0.3]), "nats", spread)
    made = traverse(model, x, y, dimensions, steps=5, most=2)
    assert made.rows == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert made.row_titles == ["z2: 0.30 nats", "z0: 0.10 nats"]
    assert made.column_titles == ["-2.0", "-1.0", "0", "+1.0", "+2.0"]
    for row, d in zip(made.rows, (2, 0), strict=True):
        assert_close(made.x[row[2]], model.reconstruct(x, y)[0])
        for i, offset in zip(row, (-2, -1, 0, 1, 2), strict=True):
            moved = z.clone()
            moved[:, d] += offset * spread[d]
            assert_close(made.x[i], decode(model, moved, c)[0])


@torch.no_grad()
def test_dimensions_are_measured_by_their_kl_or_else_by_the_variance_of_the_means():
    x, y = chosen_examples(model := make(4), DATA, 100)
    mean, scale = (q := model.encode(x, model.condition(y)).base_dist).loc, q.scale
    found = Dimensions.of(model, x, y)
    kl = (mean**2 + scale**2 - 1) / 2 - scale.log()
    assert_close(found.amount.float(), kl.mean(0))
    assert (found.unit, found.order) == ("nats", kl.mean(0).argsort(descending=True).tolist())
    total = (scale.square().mean(0) + mean.var(0, correction=0)).sqrt()
    assert_close(found.spread, total, rtol=0.2, atol=0)  # of a hundred draws
    for parts in ({"posterior": Deterministic, "regularizer": MMD()}, {"prior": Flow}):
        found = Dimensions.of(model := make(4, **parts), x, y)
        means = code(model, x, y)[0]
        assert found.unit == "variance"
        assert_close(found.amount, means.var(0, correction=0))


@torch.no_grad()
def test_the_kl_of_a_prior_without_a_closed_form_is_that_of_the_codes():
    model = make(3, prior=partial(StudentTPrior, df=5.0))
    x, y = chosen_examples(model, DATA, 200)
    found = Dimensions.of(model, x, y)
    assert found.unit == "nats"
    q, p = (d.base_dist for d in (model.encode(x, model.condition(y)), model.prior(None)))
    z = q.sample((2000,))
    assert_close(
        found.amount.float(), (q.log_prob(z) - p.log_prob(z)).mean((0, 1)), atol=0.1, rtol=0
    )


@torch.no_grad()
def test_interpolations_have_a_row_for_each_pair_from_code_to_code():
    model = make(3, **CONDITIONED)
    x, y = first(model, DATA, 4)
    made = interpolate(model, x, y, 3, [4, 5, 6, 7])
    assert made.rows == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert made.titles[5:] == ["test example 6", "at 0.00", "at 0.50", "at 1.00", "test example 7"]
    z, c = code(model, x, y)
    for row, (i, j) in zip(made.rows, ((0, 1), (2, 3)), strict=True):
        codes = torch.stack([z[i], (z[i] + z[j]) / 2, z[j]])
        expected = torch.cat([x[i : i + 1], decode(model, codes, c[i].expand(3, -1)), x[j : j + 1]])
        assert_close(made.x[row], expected)
        assert made.y[row].tolist() == [*[int(y[i])] * 4, int(y[j])]


@torch.no_grad()
def test_the_corners_of_the_grid_decode_the_outermost_quantiles_of_the_prior():
    model = make(2)
    made = decode_plane(model, *first(model, DATA, 1), n=4)
    outer = Normal(0, 1).icdf(torch.tensor(1 / 8))
    corners = torch.stack([outer, -outer, -outer, -outer, outer, outer, -outer, outer]).view(4, 2)
    shown = [made.rows[0][0], made.rows[0][-1], made.rows[-1][0], made.rows[-1][-1]]
    assert_close(made.x[shown], decode(model, corners, torch.zeros(1, 0)))
    assert made.column_titles == ["z0: -1.2", "-0.3", "0.3", "1.2"]
    assert made.row_titles == ["z1: 1.2", "0.3", "-0.3", "-1.2"]


def test_quantiles_are_those_of_the_prior_with_a_closed_form_or_without():
    levels = torch.tensor([0.1, 0.5, 0.8])
    for prior in (StandardNormal(2)(None), ConditionalNormal(2, 3)(torch.zeros(1, 3))):
        assert_close(quantiles(prior, levels), Normal(0, 1).icdf(levels).repeat(2, 1).T)
    one = quantiles(LaplacePrior(2, scale=2.0)(None), levels)
    assert_close(one[:, 0], torch.tensor([2 * math.log(0.2), 0.0, -2 * math.log(0.4)]))
    torch.manual_seed(0)
    one = quantiles(StudentTPrior(2, df=5.0)(None), levels)
    samples = StudentT(5.0).sample((10**6,)).quantile(levels)
    assert_close(one[:, 1], samples, rtol=0, atol=0.08)


MIXTURES = [
    {},
    {"posterior": FullNormal},
    {"prior": VampPrior},
    {"prior": Flow},
    CONDITIONED,
    {"condition": OneHot, "prior": partial(MixtureOfNormals, conditional=True)},
]


@pytest.mark.parametrize("parts", MIXTURES, ids=str)
@torch.no_grad()
def test_the_densities_are_those_of_the_mixtures_and_integrate_to_one(parts):
    model = make(2, **parts)
    for parameter in model.encoder.parameters():
        parameter *= 2
    if "condition" in parts:  # of each label another prior
        for parameter in model.prior.parameters():
            parameter += torch.randn_like(parameter) / 2
    found = Density.of(model, DATA, 60)
    for part in (found.q, found.p):
        assert part.sum().item() * found.area == pytest.approx(1, abs=0.015)
    x, y = chosen_examples(model, DATA, 60)
    c = model.condition(y)
    for part, own in (
        (found.q, lambda z: log_aggregate(model.encode(x, c), z).exp()),
        (found.p, lambda z: model.prior(c).expand((60,)).log_prob(z).exp().mean()),
    ):
        i, j = divmod(int(part.argmax()), len(part))
        z = [found.edges[0, j : j + 2].mean(), found.edges[1, i : i + 2].mean()]
        assert part[i, j].item() == pytest.approx(own(torch.tensor([z]).float()).item(), rel=0.01)


@torch.no_grad()
def test_the_priors_of_labels_count_as_often_as_the_labels():
    model = make(2, condition=OneHot, prior=partial(MixtureOfNormals, conditional=True))
    for parameter in model.prior.parameters():
        parameter += torch.randn_like(parameter)
    c, edges = model.condition(torch.tensor([3] * 9 + [7])), torch.tensor([[0.0, 1.0, 2.0]] * 2)
    z = torch.tensor([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]])
    one, other = (model.prior(c[i : i + 1]).log_prob(z).exp() for i in (0, 9))
    assert_close(_prior_in(model, c, edges).float(), 0.9 * one + 0.1 * other)


def test_a_density_narrower_than_a_cell_keeps_its_mass():
    model = make(2)
    with torch.no_grad():
        [*model.encoder.parameters()][-1][2:] -= 20.0  # the scales
    x, y = chosen_examples(model, DATA, 50)
    assert model.encode(x, model.condition(y)).base_dist.scale.max() < 1e-3
    found = Density.of(model, DATA, 50)
    assert found.q.sum().item() * found.area == pytest.approx(1, abs=1e-6)


def test_a_contour_holds_its_part_of_the_mass():
    shares = torch.tensor([[0.4, 0.3], [0.2, 0.1]])
    assert [level_of(shares, mass) for mass in (0.3, 0.6, 0.95)] == pytest.approx([0.4, 0.3, 0.1])
    axis = torch.linspace(-5, 5, 401, dtype=torch.double)
    normal = (-(axis[:, None] ** 2 + axis**2) / 2).exp() / (2 * math.pi)
    for mass in MASSES:  # the radius r of a disk with mass 1 - exp(-r² / 2)
        level = level_of(normal / normal.sum(), mass) * normal.sum().item()
        assert level == pytest.approx((1 - mass) / (2 * math.pi), rel=0.01)


def test_every_label_has_a_colour_and_a_marker_of_its_own_before_a_grey_prior():
    points = Latents(
        torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
        torch.tensor([[9.0, 9.0]]),
        torch.tensor([2, 0, 2]),
        ("left", "right"),
    )
    [axes] = draw(points, ["a", "b", "c"]).axes
    grey, *groups = axes.collections
    assert to_hex(grey.get_facecolor()[0]).upper() == GREY
    assert grey.get_offsets().tolist() == [[9, 9]]
    assert [group.get_label() for group in groups] == ["a", "c"]
    assert [group.get_offsets().tolist() for group in groups] == [[[2, 3]], [[0, 1], [4, 5]]]
    styles = label_styles(3)
    colors = [to_hex(group.get_facecolor()[0]).upper() for group in groups]
    assert colors == [styles[0][0].upper(), styles[2][0].upper()]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("left", "right")
    assert len({*label_styles(70)}) == 70
    assert len({color for color, _ in label_styles(10)}) == 10


def test_codes_without_labels_have_one_colour():
    [axes] = draw(Latents(torch.zeros(3, 2), torch.ones(3, 2), None, ("z0", "z1"))).axes
    assert [group.get_label() for group in axes.collections] == ["prior", "codes"]


@torch.no_grad()
def test_latents_of_two_dimensions_are_the_codes_and_of_more_their_principal_components():
    model = make(2, posterior=Deterministic, regularizer=MMD())
    x, y = chosen_examples(model, DATA, 50)
    found = Latents.of(model, DATA, 50)
    assert_close(found.codes.float(), code(model, x, y)[0])
    assert found.axes == ("z0", "z1")
    assert found.labels.tolist() == y.tolist()
    model = make(5, posterior=Deterministic, regularizer=MMD())
    found = Latents.of(model, DATA, 50)
    z = code(model, x, y)[0].double()
    values, vectors = torch.linalg.eigh(z.T.cov())
    assert_close(found.codes.var(0), values.flip(0)[:2])
    assert_close(found.codes.abs(), ((z - z.mean(0)) @ vectors.flip(1)[:, :2]).abs())
    share = values[-1] / values.sum()
    assert found.axes[0] == f"1st principal component of the means, {share:.0%} of their variance"


def test_principal_components_point_where_their_largest_entry_is_positive():
    codes = torch.tensor([[-1.0, -3.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, -0.5]])
    directions, shares = principal(codes)
    assert_close(directions[0], torch.tensor([1.0, 3.0, 0.0]) / math.sqrt(10))
    assert_close(directions[1], torch.tensor([0.0, 0.0, 1.0]))
    assert shares == pytest.approx([40 / 41, 1 / 41])


def test_a_conditional_prior_is_sampled_under_the_condition_of_each_example():
    model = make(2, **CONDITIONED)
    with torch.no_grad():
        model.prior.affine.weight[0] = torch.arange(10) * 100.0  # the mean of z0
    found = Latents.of(model, DATA, 30)
    assert_close(found.prior[:, 0].float(), found.labels * 100.0, rtol=0, atol=5)


def test_images_lie_in_rows_with_white_where_a_row_is_short():
    images = torch.tensor([0.0, 0.2, 0.4]).view(3, 1, 1, 1).expand(3, 1, 7, 7)
    made = Made(images, None, ["a", "b", "c"], [[0, 1], [2]])
    picture = np.asarray(sheet(made, images))
    assert picture.shape == (2 * 36, 2 * 36)  # nine pixels with the frame, four times larger
    middles = picture[18::36, 18::36]
    assert middles.tolist() == [[0, 51], [102, 255]]
    titled = np.asarray(sheet(made._replace(row_titles=["one", "other"]), images))
    assert titled.shape[1] > 2 * 54 == titled.shape[0]
    assert (titled[:, -108:][27::54, 27::54] == middles).all()
    assert titled[:, :-108].min() < 128  # there are words
    colored = sheet(made, images.expand(-1, 3, -1, -1))
    assert (colored.mode, colored.size) == ("RGB", (72, 72))


@pytest.mark.parametrize(
    ("name", "parts", "reason"),
    [
        ("grid", {"latent_dim": 3}, "of 2 latent dimensions, and the model has 3"),
        ("density", {"latent_dim": 3}, "of 2 latent dimensions, and the model has 3"),
        ("latents", {"latent_dim": 1}, "of 2 or more latent dimensions, and the model has 1"),
        ("density", {"posterior": Deterministic, "regularizer": MMD()}, "of normal posteriors"),
        ("density", {"posterior": FlowPosterior}, "of normal posteriors alone"),
        *(
            (name, {"latent_dim": 0, "condition": OneHot, "regularizer": NoRegularizer()}, "has 0")
            for name in ("traversals", "interpolations", "latents", "grid", "density")
        ),
    ],
)
def test_what_a_model_has_no_picture_of_is_said(name, parts, reason):
    with pytest.raises(pictures.NoPictureError, match=reason):
        getattr(pictures, name)(make(**parts), DATA)


def test_data_that_are_no_pictures_show_their_codes_alone():
    data = Ring()
    model = VAE((2,), 2, KL(), likelihood=NormalLikelihood).eval()
    for name in ("reconstructions", "samples", "interpolations", "traversals", "grid"):
        with pytest.raises(pictures.NoPictureError, match="Ring has examples that are no pict"):
            getattr(pictures, name)(model, data)
    for name in ("latents", "density"):
        assert isinstance(getattr(pictures, name)(model, data), Image.Image)


def test_a_model_that_was_told_of_no_labels_shows_those_of_the_data():
    model = VAE((1, 8, 8), 2, KL()).eval()
    assert Latents.of(model, DATA, 20).labels.unique().numel() > 3
    assert pictures.reconstructions(model, DATA).size == (400, 80)
    with pytest.raises(ValueError, match="classes is 10, and that of its model is 9"):
        pictures.latents(VAE((1, 8, 8), 2, KL(), classes=9).eval(), DATA)


def test_pictures_are_the_same_each_time_and_leave_noise_and_mode_alone():
    model = make(2, **CONDITIONED).train()
    before = torch.get_rng_state()
    names = ("reconstructions", "samples", "interpolations", "traversals", "latents")
    for name in (*names, "grid", "density"):
        one, other = (getattr(pictures, name)(model, DATA) for _ in range(2))
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


def test_a_conditional_model_has_a_column_for_each_label():
    model = make(2, **CONDITIONED)
    assert pictures.samples(model, DATA, rows=2).size == (10 * 40, 2 * 40)
    shown = []
    model.sample = lambda n, y: shown.append(y) or torch.zeros(n, 1, 8, 8)
    pictures.samples(model, DATA, rows=3)
    assert shown[0].tolist() == [*range(10)] * 3


@pytest.mark.parametrize(("latent_dim", "more"), [(2, {"grid", "density"}), (3, set())])
def test_a_fit_ends_with_all_pictures(latent_dim, more, make_trainer, tmp_path):
    model = make(latent_dim)
    trainer = make_trainer(max_epochs=1, limit_train_batches=2, callbacks=[Pictures(1)])
    trainer.fit(model.train(), datamodule=DATA)
    files = Run(tmp_path).images
    assert {file.stem for file in files.iterdir()} == {"reconstructions", "samples"}
    trainer.test(model, datamodule=DATA, verbose=False)
    names = {"reconstructions", "samples", "traversals", "interpolations", "latents"}
    assert {file.name for file in files.iterdir()} == {f"{name}.png" for name in names | more}
    for name in names | more:
        with Image.open(files / f"{name}.png") as kept:
            drawn = getattr(pictures, name)(model, DATA)
            np.testing.assert_array_equal(np.asarray(kept), np.asarray(drawn))


def test_a_picture_that_fails_is_left_out_and_the_run_ends_well(
    make_trainer, tmp_path, monkeypatch
):
    def fail(model, data):
        raise RuntimeError("no density today")

    monkeypatch.setattr(pictures, "density", fail)
    trainer = make_trainer(callbacks=[Pictures()])
    with pytest.warns(UserWarning, match=r"images/density\.png is left out: no density today"):
        trainer.test(make(2), datamodule=DATA, verbose=False)
    names = {file.stem for file in Run(tmp_path).images.iterdir()}
    assert "density" not in names
    assert "grid" in names


def test_wandb_has_each_picture_under_the_name_of_its_file(tmp_path):
    class Recorder(WandbLogger):
        def __init__(self):
            self.sent = []

        def log_image(self, key, images, step=None, **more):
            self.sent.append((key, images, step))

    logger, picture = Recorder(), Image.new("L", (2, 3))
    trainer = SimpleNamespace(default_root_dir=tmp_path, loggers=[logger], global_step=8)
    Pictures()._keep(trainer, "latents", picture)
    assert logger.sent == [("images/latents", [picture], 7)]
    with Image.open(Run(tmp_path).images / "latents.png") as kept:
        assert kept.size == (2, 3)


def test_torch_is_not_imported_before_it_is_needed():
    words = "import sys, vae_zoo; vae_zoo.pictures; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", words], check=True)
