"""What a regularizer cannot do is refused by name, with the way out."""

from functools import partial

import pytest
import torch

from vae_zoo.posteriors import Delta, Deterministic, FullNormal
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, VampPrior
from vae_zoo.regularizers import KL, MMD, SlicedWasserstein
from vae_zoo.vae import VAE


@pytest.mark.parametrize("family", [KL, MMD, SlicedWasserstein])
@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_negative_or_not_finite_is_refused(family, weight):
    with pytest.raises(ValueError, match=f"weight must be .*got {weight}"):
        family(weight=weight)


@pytest.mark.parametrize("family", [KL, MMD, SlicedWasserstein])
def test_the_weight_multiplies_the_divergence(family):
    vae = VAE((6,), 2, family(weight=0.0))
    assert vae(torch.zeros(4, 6)).penalty == 0


def test_an_unknown_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel must be one of gaussian, imq, laplace, got gauss"):
        MMD(kernel="gauss")


@pytest.mark.parametrize("scales", [[], [1.0, 0.0], [-1.0], [float("nan")], [1.0, float("inf")]])
def test_scales_that_are_absent_or_not_positive_are_refused(scales):
    with pytest.raises(ValueError, match="scales must be one positive number or more"):
        MMD(scales=scales)


def test_no_projection_is_refused():
    with pytest.raises(ValueError, match="projections must be at least 1, got 0"):
        SlicedWasserstein(projections=0)


def test_the_kl_refuses_a_deterministic_posterior_and_says_why():
    with pytest.raises(
        ValueError, match=r"KL needs the density .* Deterministic .* DiagonalNormal"
    ):
        VAE((6,), 2, KL(), posterior=Deterministic)


@pytest.mark.parametrize("family", [MMD, SlicedWasserstein])
def test_a_regularizer_of_samples_refuses_a_prior_without_gradients_and_says_why(family):
    with pytest.raises(ValueError, match=r"MixtureSameFamily.* passes no gradients .* KL"):
        VAE((6,), 2, family(), prior=VampPrior, posterior=FullNormal)


@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
@pytest.mark.parametrize("family", [MMD, SlicedWasserstein])
def test_a_regularizer_of_samples_trains_a_learned_prior(family, prior):
    vae = VAE((6,), 2, family(), prior=prior)
    vae(torch.rand(8, 6)).penalty.backward()
    assert all((parameter.grad != 0).all() for parameter in vae.prior.parameters())


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (KL(weight=4.0), "KL β=4"),
        (KL(weight=0.5), "KL β=0.5"),
        (MMD(weight=10), "MMD imq λ=10"),
        (MMD(kernel="gaussian"), "MMD gaussian λ=1"),
        (SlicedWasserstein(weight=2.5), "SlicedWasserstein λ=2.5"),
    ],
)
def test_labels_name_the_family_and_the_weight(regularizer, label):
    assert regularizer.label == label


@pytest.mark.parametrize("make", [MMD, partial(MMD, kernel="gaussian"), SlicedWasserstein])
def test_divergences_are_computed_in_single_precision_under_autocast(make):
    x, y = torch.randn(16, 4) + 20, torch.randn(16, 4) + 20
    regularizer = make()
    torch.manual_seed(1)
    expected = regularizer(Delta(x), Delta(y), x)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalty = regularizer(Delta(x), Delta(y), x)
    assert penalty.dtype == torch.float32
    assert torch.equal(penalty, expected)
