"""What a regularizer of kernels cannot do is refused by name, with the way out."""

import pytest
import torch

from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import LearnedNormal, MixtureOfNormals
from vae_zoo.regularizers import (
    MMD,
    CramerWold,
    EnergyDistance,
    SteinDiscrepancy,
    energy_distance,
    standard_mmd,
)
from vae_zoo.vae import VAE

POSTERIORS = MMD(kernel="gaussian", prior="posterior")


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="prior must be one of sampled, exact, posterior, got all"):
        MMD(prior="all")
    with pytest.raises(ValueError, match="width must be one of dimension, median, got mean"):
        MMD(width="mean")
    with pytest.raises(ValueError, match="prior must be one of sampled, exact, got posterior"):
        EnergyDistance(prior="posterior")


@pytest.mark.parametrize("kernel", ["imq", "laplace"])
def test_the_mmd_of_posteriors_is_refused_with_another_kernel_than_the_gaussian(kernel):
    with pytest.raises(ValueError, match=f"kernel must be gaussian .* posterior, got {kernel}"):
        MMD(kernel=kernel, prior="posterior")


def test_the_median_is_refused_without_samples_of_the_prior():
    with pytest.raises(ValueError, match=r"width must be dimension .* not sampled, got median"):
        MMD(prior="exact", width="median")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match=f"scale must be positive and finite, got {scale}"):
        SteinDiscrepancy(scale=scale)


@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
@pytest.mark.parametrize(
    "regularizer", [MMD(prior="exact"), POSTERIORS, EnergyDistance(prior="exact"), CramerWold()]
)
def test_an_exact_expectation_is_refused_under_another_prior(regularizer, prior):
    with pytest.raises(ValueError, match=r"under N\(0, I\) alone, .*StandardNormal"):
        VAE((6,), 2, regularizer, prior=prior)


def test_the_mmd_of_posteriors_refuses_one_that_is_no_normal():
    with pytest.raises(ValueError, match=r"MMD with prior posterior needs .*DiagonalNormal"):
        VAE((6,), 2, POSTERIORS, posterior=Deterministic)


@pytest.mark.parametrize(
    "regularizer",
    [MMD(), MMD(prior="exact"), POSTERIORS, EnergyDistance(), SteinDiscrepancy()],
)
def test_a_single_example_is_refused(regularizer):
    vae = VAE((6,), 2, regularizer)
    with pytest.raises(ValueError, match=r"at least two samples.* got 1.*--data.batch_size"):
        vae(torch.rand(1, 6))


def test_both_counts_are_told():
    with pytest.raises(ValueError, match="at least two samples of each, got 5 and 1: raise"):
        energy_distance(torch.randn(5, 2), torch.randn(1, 2))
    with pytest.raises(ValueError, match="at least two samples, got 1: raise"):
        standard_mmd(torch.randn(1, 2), "imq", [1.0])


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (MMD(kernel="laplace", prior="exact"), "MMD laplace exact λ=1"),
        (EnergyDistance(2.0), "EnergyDistance λ=2"),
        (EnergyDistance(prior="exact"), "EnergyDistance exact λ=1"),
        (SteinDiscrepancy(), "SteinDiscrepancy λ=1"),
    ],
)
def test_labels_name_what_sets_a_regularizer_apart(regularizer, label):
    assert regularizer.label == label


@pytest.mark.parametrize("family", [EnergyDistance, SteinDiscrepancy])
def test_a_deterministic_posterior_is_enough(family):
    vae = VAE((6,), 2, family(), posterior=Deterministic)
    vae(torch.rand(8, 6)).penalty.backward()
    assert all(parameter.grad.any() for parameter in vae.encoder.parameters())


def test_a_learned_prior_is_trained_by_samples():
    vae = VAE((6,), 2, EnergyDistance(), prior=LearnedNormal)
    vae(torch.rand(8, 6)).penalty.backward()
    assert (vae.prior.loc.grad != 0).all()
    assert (vae.prior.log_scale.grad != 0).all()
