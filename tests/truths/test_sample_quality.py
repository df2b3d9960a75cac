"""FID and KID against closed forms, numpy and torchmetrics; samples of models that are known."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from vae_zoo.conditions import OneHot
from vae_zoo.data import Digits
from vae_zoo.evaluation import Features, SampleQuality, frechet_distance, kernel_distance
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.priors import ConditionalNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

N = 200


def of_exact_moments(n, mean, covariance):
    """Examples whose sample mean and covariance are the given ones."""
    x = torch.randn(n, len(mean)).double()
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T
    return x @ torch.linalg.cholesky(covariance).T + mean


def fid_by_hand(x, y):
    x, y = x.double().numpy(), y.double().numpy()
    covariances = [np.cov(each, rowvar=False) for each in (x, y)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    difference = x.mean(0) - y.mean(0)
    return difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root)


def kid_by_hand(x, y):
    n, dimensions = x.shape

    def kernel(a, b):
        return (a @ b.T / dimensions + 1) ** 3

    within = sum(kernel(a, a).sum() - np.trace(kernel(a, a)) for a in (x, y)) / (n * (n - 1))
    return within - 2 * kernel(x, y).mean()


def test_fid_of_two_gaussians_is_their_squared_wasserstein_distance():
    axes = torch.linalg.qr(torch.randn(5, 5).double()).Q
    scales, others = torch.rand(2, 5).double() + 0.5
    mean, other = torch.randn(2, 5).double()
    covariance, other_covariance = (axes @ torch.diag(s**2) @ axes.T for s in (scales, others))
    expected = (mean - other).square().sum() + (scales - others).square().sum()
    found = frechet_distance(
        of_exact_moments(300, mean, covariance), of_exact_moments(300, other, other_covariance)
    )
    assert found.value == pytest.approx(expected.item(), rel=1e-9)
    x = torch.randn(20_000, 5).double() @ (axes * scales).T + mean
    y = torch.randn(20_000, 5).double() @ (axes * others).T + other
    found = frechet_distance(x, y)
    assert found.value == pytest.approx(expected.item(), abs=4 * found.standard_error)
    assert found.standard_error < 0.05 * expected


@pytest.mark.parametrize("n", [12, 101, 1000])
def test_fid_is_that_of_numpy(n):
    x, y = torch.rand(n, 8) ** 2, torch.randn(n, 8) @ torch.randn(8, 8)
    found = frechet_distance(x, y)
    assert found.value == pytest.approx(fid_by_hand(x, y), rel=1e-9)
    without = []
    for group in range(10):  # of every tenth example of both
        kept = np.arange(n) % 10 != group
        without.append(fid_by_hand(x[kept], y[kept]))
    assert found.standard_error == pytest.approx(3 * np.std(without), rel=1e-4)


@pytest.mark.parametrize("n", [4, 47, 300])
def test_kid_is_the_mean_of_the_cubic_mmds_of_ten_parts(n):
    x, y = torch.randn(n, 6) + 0.3, torch.rand(n, 6)
    parts = min(10, n // 2)
    values = [
        kid_by_hand(x[i::parts].double().numpy(), y[i::parts].double().numpy())
        for i in range(parts)
    ]
    found = kernel_distance(x, y)
    assert found.value == pytest.approx(np.mean(values), rel=1e-6)
    assert found.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(parts))


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_kid_is_the_mmd_of_uniform_distributions_without_a_bias(scale):
    powers = np.arange(4)
    p, q = 1 / (powers + 1), scale**powers / (powers + 1)  # E xʲ and E yʲ
    expected = np.array([1, 3, 3, 1]) @ (p - q) ** 2  # of E (xy + 1)³, of independent x and y
    values = [
        kernel_distance(torch.rand(40, 1), scale * torch.rand(40, 1)).value for _ in range(60)
    ]
    error = np.std(values) / math.sqrt(60)
    assert np.mean(values) == pytest.approx(expected, abs=3.5 * error)
    assert error < 0.1  # that of four examples with themselves would be 0.3 and more


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize("paired", [False, True])
def test_standard_errors_are_the_spread_of_draws(distance, paired):
    found = []
    for _ in range(60):
        x = torch.randn(N, 4)
        noise = torch.randn(N, 4)
        y = 0.8 * x + 0.3 * noise + 0.5 if paired else 0.85 * noise + 0.5
        found.append(distance(x, y))
    spread = np.std([each.value for each in found])
    error = math.sqrt(np.mean([each.standard_error**2 for each in found]))
    assert spread / 1.5 < error < 1.5 * spread


def whole(x):
    """Features that are the data themselves."""
    return Features(nn.Flatten(), math.prod(x.shape[1:]), "the data")


def measured(vae, x, y=None, train=None, features=None, **options):
    metric = SampleQuality(features or whole(x), **options)
    metric.update(vae, x, y)
    if train is not None:
        metric.update(vae, train, train=True)
    return metric.compute()


def linear_vae(prior=None, latents=2, **parts):
    """x = Wz + Uc + b + 2ε, with its W and b."""
    affine = partial(MLP, hidden=())
    networks = {"encoder": affine, "decoder": affine}
    likelihood = partial(Normal, variance=4.0)
    parts |= {} if prior is None else {"prior": prior}
    vae = VAE((3,), latents, KL(), likelihood=likelihood, **networks, **parts)
    [layer] = vae.decoder.layers
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
    return vae.double(), layer.weight.detach()[:, :latents], layer.bias.detach()


@pytest.mark.parametrize("decoded", ["means", "draws"])
def test_samples_are_those_of_the_model_means_or_draws(decoded):
    vae, w, b = linear_vae()
    noise = 4 * torch.eye(3) * (decoded == "draws")
    x = of_exact_moments(1000, b + 1, w @ w.T + 4 * torch.eye(3))
    found = measured(vae, x, decoded=decoded)["fid/samples"]
    exact = of_exact_moments(1000, b, w @ w.T + noise + 1e-12 * torch.eye(3).double())
    assert found.value == pytest.approx(fid_by_hand(x, exact), abs=4 * found.standard_error)
    assert found.standard_error < 0.6
    if decoded == "draws":
        assert found.value == pytest.approx(3, abs=4 * found.standard_error)


def test_samples_follow_the_prior_of_the_conditions_of_the_examples():
    vae, w, _ = linear_vae(ConditionalNormal, condition=OneHot, classes=2)
    with torch.no_grad():
        vae.prior.affine.weight[:2] = torch.tensor([[-9.0, 9.0], [5.0, 0.0]])
    y = torch.arange(400) % 4 // 3  # three of four
    with torch.no_grad():
        x = vae.sample(400, y)
        other = vae.sample(400, 1 - y)
    found, wrong = (measured(vae, each, y)["fid/samples"].value for each in (x, other))
    assert w.norm() > 1
    assert found < 0.05 * wrong


def test_a_regression_has_samples_of_its_predictions_and_no_reconstructions():
    vae, _, _ = linear_vae(latents=0, condition=OneHot, classes=3)
    y = (torch.arange(60) % 9).clamp(max=2)
    found = measured(vae, vae.sample(60, y), y)
    assert {name.partition("/")[2] for name in found} == {"samples"}
    # Each beside the example of its own condition, of which the jackknife leaves out both.
    assert found["fid/samples"] == pytest.approx((0, 0), abs=1e-6)
    assert found["precision/samples"].value == found["coverage/samples"].value == 1


def test_what_is_compared_is_what_torchmetrics_compares():
    data = Digits()
    x, xs = (data.batch(*split)[0] for split in (data.splits.test, data.splits.train))
    vae = VAE(data.shape, 2, KL()).eval()
    features = Features(nn.Sequential(nn.Flatten(), nn.Linear(64, 16)), 16)
    found = measured(vae, x, train=xs[:N], features=features)
    for name, other in {"reconstructions": vae.reconstruct(x), "train": xs[:N]}.items():
        metric = FrechetInceptionDistance(features)
        metric.update(x, real=True)
        metric.update(other, real=False)
        assert found[f"fid/{name}"].value == pytest.approx(metric.compute().item(), rel=1e-4)


def test_a_bad_model_is_farther_from_the_test_examples_than_training_examples_are():
    data = Digits()
    x, xs = (data.batch(*split)[0] for split in (data.splits.test, data.splits.train))
    found = measured(VAE(data.shape, 2, KL()), x, train=xs[:N])
    for score in ("fid", "kid"):
        floor, bad = found[f"{score}/train"], found[f"{score}/samples"]
        assert bad.value - floor.value > 5 * math.hypot(bad.standard_error, floor.standard_error)
    for score in ("precision", "recall", "density", "coverage"):
        assert found[f"{score}/train"].value > found[f"{score}/samples"].value + 0.5
    assert abs(found["kid/train"].value) < 4 * found["kid/train"].standard_error


def test_shares_have_the_standard_error_of_a_mean_over_examples():
    vae, _, b = linear_vae()
    found = measured(vae, torch.randn(300, 3).double() + b)
    for name in ("precision", "recall", "coverage"):
        share, error = found[f"{name}/samples"]
        assert 0 < share < 1
        assert error == pytest.approx(math.sqrt(share * (1 - share) / 299))
