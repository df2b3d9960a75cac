"""Synthetic data have the density, the moments and the factors that they say they have."""

from functools import partial

import numpy as np
import pytest
import torch
from lightning import Trainer
from scipy.integrate import dblquad
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal, norm, rayleigh
from torch.testing import assert_close

from vae_zoo.data import LinearGaussian, Ring, Sprites
from vae_zoo.data.sprites import CENTRES, SCALES
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

DEVICES = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
QUIET = {"enable_progress_bar": False, "enable_model_summary": False}


def test_the_density_of_the_ring_integrates_to_one():
    ring = Ring()

    def density(radius, angle):
        x = radius * torch.tensor([[np.cos(angle), np.sin(angle)]])
        return radius * ring.log_likelihood(x).exp().item()

    total = dblquad(density, 0, 2 * np.pi, 1, 2.2, epsabs=1e-5)[0]
    assert total == pytest.approx(1, abs=1e-4)
    assert ring.log_likelihood(torch.tensor([[0.6, 0.7]])).item() == -np.inf  # within the circle


def test_points_of_the_ring_are_as_dense_as_it_says():
    ring = Ring()
    x = ring.splits.train.x.double()
    assert kstest(10 * (x.norm(dim=1) - 1), rayleigh.cdf).pvalue > 1e-3
    angle = torch.atan2(x[:, 1], x[:, 0])
    assert kstest(angle / (2 * torch.pi) + 0.5, "uniform").pvalue > 1e-3
    edges = torch.linspace(1, 1.4, 9).double()
    counts = torch.histogram(x.norm(dim=1), edges)[0] / len(x)
    for low, high, share in zip(edges, edges[1:], counts, strict=False):
        middle = torch.stack([(low + high) / 2, torch.zeros(()).double()])
        mass = ring.log_likelihood(middle[None]).exp() * torch.pi * (high**2 - low**2)
        assert share.item() == pytest.approx(mass.item(), abs=0.015)


def test_no_model_beats_the_true_density_of_the_ring_beyond_its_standard_error():
    ring = Ring(train=4000)
    layers = partial(MLP, hidden=(64, 64))
    model = VAE(
        ring.shape, 2, KL(), encoder=layers, decoder=layers,
        likelihood=partial(Normal, variance=0.01, learned="scalar"),
        optimizer=partial(torch.optim.Adam, lr=3e-3),
    )  # fmt: skip
    Trainer(max_epochs=15, **DEVICES, **QUIET).fit(model, ring)
    x = ring.splits.test.x
    with torch.no_grad():
        terms = model(x)
    difference = (-terms.reconstruction - terms.kl).double() - ring.log_likelihood(x)
    error = difference.std() / len(x) ** 0.5
    assert difference.mean() < 3 * error
    assert difference.mean() > -1.5  # it has learned more than the mean: a normal is 1.4 below
    leaking = difference + 0.5  # as if a constant were forgotten
    assert leaking.mean() > difference.mean() + 3 * error


@pytest.mark.parametrize(("dimension", "latents", "sigma"), [(8, 3, 0.5), (4, 4, 0.2), (3, 1, 2.0)])
def test_the_likelihood_of_a_linear_gaussian_is_scipys(dimension, latents, sigma):
    data = LinearGaussian(dimension, latents, sigma)
    x = data.splits.test.x.double()
    covariance = data.w.numpy() @ data.w.numpy().T + sigma**2 * np.eye(dimension)
    truth = multivariate_normal(data.mu.numpy(), covariance)
    assert_close(data.log_likelihood(x), torch.from_numpy(truth.logpdf(x)))
    assert (data.splits.train.x.mean(0) - data.mu).abs().max() < 6 * 2.5 / 16_000**0.5
    assert_close(torch.cov(x.T), data.covariance, atol=0.35, rtol=0)
    assert data.eigenvalues[0].item() == pytest.approx(4 + sigma**2)
    # With as many latent dimensions as are true, the best likelihood is the truth's own.
    if latents < dimension:
        assert data.ppca(latents).item() == pytest.approx(-truth.entropy())


def axis(parameters, eigenvalue, beta, variance):
    """The loss of a linear VAE along one axis: q(z | x) = N(ax, s²), p(x | z) = N(wz, σ²)."""
    a, w, log_s = parameters
    square_error = eigenvalue * (1 - w * a) ** 2 + w**2 * np.exp(2 * log_s)
    kl = 0.5 * (a**2 * eigenvalue + np.exp(2 * log_s) - 1 - 2 * log_s)
    return square_error / (2 * variance) + beta * kl, square_error, kl


@pytest.mark.parametrize(("beta", "variance"), [(1.0, 0.3), (4.0, 0.5), (0.5, 6.0)])
def test_water_filling_is_where_a_search_of_each_axis_ends(beta, variance):
    data = LinearGaussian()
    kl = square_error = active = 0
    for eigenvalue in data.eigenvalues[:4].tolist():
        loss = partial(axis, eigenvalue=eigenvalue, beta=beta, variance=variance)
        found = minimize(lambda p, loss=loss: loss(p)[0], (0.3, 0.8, -0.5), tol=1e-10)
        square_error, kl = square_error + loss(found.x)[1], kl + loss(found.x)[2]
        active += loss(found.x)[2] > 1e-2
    optimum = data.water_filling(4, beta, variance)
    assert optimum.kl.item() == pytest.approx(kl, abs=1e-4)
    rest = data.eigenvalues[4:].sum().item()
    assert optimum.square_error.item() == pytest.approx(square_error + rest, abs=1e-3)
    assert optimum.active_units == active == {1.0: 3, 4.0: 2, 0.5: 1}[beta]


def test_the_parts_of_a_gaussian_aggregate_are_those_of_many_encoders():
    data = LinearGaussian(dimension=4, latents=2)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(3, 4, generator=generator).double(), torch.ones(3).double()
    root = torch.randn(3, 3, generator=generator).double()
    noise = root @ root.T / 3 + torch.eye(3) / 2
    loc = (data.splits.train.x[:4000].double() @ a.T + b).numpy()
    kernel = multivariate_normal(np.zeros(3), noise.numpy())
    z = loc + kernel.rvs(len(loc), random_state=0)
    own = kernel.logpdf(z - loc).mean()
    joint = [logsumexp(kernel.logpdf(one - loc)) - np.log(len(loc)) for one in z[:1000]]
    found = data.aggregate(a, b, noise)
    assert found.mutual_information.item() == pytest.approx(own - np.mean(joint), abs=0.15)
    normals = zip(z[:1000].T, z.mean(0), z.std(0), strict=True)
    marginals = sum(norm(mean, deviation).logpdf(column) for column, mean, deviation in normals)
    correlation = np.mean(joint - marginals)
    assert found.total_correlation.item() == pytest.approx(correlation, abs=0.15)
    dimensions = np.mean(marginals - norm.logpdf(z[:1000]).sum(1))
    assert found.dimension_wise_kl.item() == pytest.approx(dimensions, rel=0.1)
    kl = (np.trace(noise) + np.square(loc).sum(1).mean() - 3 - noise.logdet().item()) / 2
    assert sum(found).item() == pytest.approx(kl, rel=0.05)


def test_images_of_sprites_are_those_of_their_factors():
    sprites = Sprites(train=400)
    for name, split in sprites.splits._asdict().items():
        factors = sprites.factors[name]
        assert torch.equal(sprites.draw(factors), split.x)
        assert torch.equal(factors[:, 0], split.y)
        assert (factors.max(0).values < torch.tensor(list(sprites.factor_sizes.values()))).all()


def test_the_centre_of_mass_of_a_sprite_is_its_place_and_its_area_the_square_of_its_scale():
    sprites = Sprites(side=64, train=2000)
    images, factors = sprites.splits.train.x[:, 0].double(), sprites.factors["train"]
    pixels = (torch.arange(64).double() + 0.5) / 64
    area = images.sum((1, 2))
    x, y = (images.sum(1) @ pixels) / area, (images.sum(2) @ pixels) / area
    assert (x - torch.from_numpy(CENTRES)[factors[:, 3]]).abs().max() < 0.5 / 64
    assert (y - torch.from_numpy(CENTRES)[factors[:, 4]]).abs().max() < 0.5 / 64
    for scale, side in enumerate(SCALES):
        for shape in range(3):
            chosen = area[(factors[:, 1] == scale) & (factors[:, 0] == shape)] / 64**2
            assert chosen.mean().item() == pytest.approx(side**2, rel=0.03)


@pytest.mark.parametrize(("shape", "turn"), [(0, 90), (1, 180), (2, 360)])
def test_a_sprite_turns_by_a_twelfth_of_its_own_period(shape, turn):
    """Compared with an image of the first angle that is turned by scipy."""
    from scipy.ndimage import rotate

    sprites = Sprites(side=151, train=4)
    middle = [7, 7]  # of 16 places; both are turned about the sprite's own centre
    first, third = sprites.draw(torch.tensor([[shape, 5, 0, *middle], [shape, 5, 3, *middle]]))
    centre = round(float(CENTRES[7]) * 151 - 0.5)
    window = slice(centre - 40, centre + 41)
    turned = rotate(first[0, window, window].double().numpy(), -turn / 4, reshape=False, order=1)
    truth = third[0, window, window].numpy() > 0
    assert np.mean((turned > 0.5) == truth) > 0.985
    assert np.mean((np.fliplr(turned) > 0.5) == truth) < 0.985 or shape == 0


def test_square_ellipse_and_heart_can_be_told_apart():
    sprites = Sprites(side=64, train=4)
    square, ellipse, heart = sprites.draw(torch.tensor([[s, 5, 0, 8, 8] for s in range(3)])).bool()[
        :, 0
    ]
    for image, columns, rows in ((square, 19, 19), (ellipse, 26, 18)):
        assert (int(image.any(0).sum()), int(image.any(1).sum())) == (columns, rows)
    assert not torch.equal(heart, heart.flip(0))  # its tip is low
    widths = heart.sum(1)[heart.any(1)]
    assert widths[-1] < 5 < widths[: len(widths) // 2].min()
