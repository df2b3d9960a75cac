"""What regularizers of transport and moments refuse, and how they are called."""

import pytest
import torch

from vae_zoo.posteriors import FullNormal
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, VampPrior
from vae_zoo.regularizers import (
    EmpiricalWasserstein,
    MaxSlicedWasserstein,
    Moments,
    Sinkhorn,
    SlicedWasserstein,
)
from vae_zoo.vae import VAE

OF_SAMPLES = [EmpiricalWasserstein, MaxSlicedWasserstein, Sinkhorn]
WITH_ORDER = [EmpiricalWasserstein, MaxSlicedWasserstein, SlicedWasserstein]
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("family", WITH_ORDER)
@pytest.mark.parametrize("order", [0, 0.5, -2, INF, NAN])
def test_an_order_below_1_is_refused(family, order):
    with pytest.raises(ValueError, match=f"order must be at least 1 and finite, got {order}"):
        family(order=order)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SlicedWasserstein(prior="both"), "prior must be one of sampled, exact, got both"),
        (lambda: MaxSlicedWasserstein(starts=0), "starts must be at least 1, got 0"),
        (lambda: MaxSlicedWasserstein(steps=-1), "steps must be non-negative, got -1"),
        (lambda: MaxSlicedWasserstein(lr=0), "lr must be positive, got 0"),
        (lambda: MaxSlicedWasserstein(lr=INF), "lr must be positive, got inf"),
        (lambda: Sinkhorn(blur=0), "blur must be positive, got 0"),
        (lambda: Sinkhorn(blur=NAN), "blur must be positive, got nan"),
        (lambda: Sinkhorn(iterations=0), "iterations must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("family", [*OF_SAMPLES, Moments])
@pytest.mark.parametrize("weight", [-1.0, NAN, INF])
def test_a_weight_that_is_negative_or_not_finite_is_refused(family, weight):
    with pytest.raises(ValueError, match=f"weight must be .*got {weight}"):
        family(weight=weight)


@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
def test_exact_quantiles_are_those_of_the_standard_normal_alone(prior):
    with pytest.raises(ValueError, match=r"SlicedWasserstein has its exact .* StandardNormal"):
        VAE((6,), 2, SlicedWasserstein(prior="exact"), prior=prior)


def test_exact_quantiles_train_under_the_standard_normal():
    VAE((6,), 2, SlicedWasserstein(prior="exact"))(torch.rand(8, 6)).penalty.backward()


@pytest.mark.parametrize("family", OF_SAMPLES)
def test_a_prior_without_gradients_through_its_samples_is_refused(family):
    with pytest.raises(ValueError, match=r"MixtureSameFamily.* passes no gradients .* KL"):
        VAE((6,), 2, family(), prior=VampPrior, posterior=FullNormal)


def test_moments_refuse_a_prior_whose_covariance_is_not_known():
    with pytest.raises(ValueError, match=r"Moments needs a diagonal normal prior, .*LearnedNormal"):
        VAE((6,), 2, Moments(), prior=MixtureOfNormals)


def test_moments_refuse_three_examples():
    with pytest.raises(ValueError, match=r"at least four examples, got 3: raise --data.batch_size"):
        VAE((6,), 2, Moments())(torch.rand(3, 6))


@pytest.mark.parametrize("family", [*OF_SAMPLES, Moments])
def test_the_gradient_reaches_encoder_and_learned_prior(family):
    vae = VAE((6,), 2, family(), prior=LearnedNormal)
    vae(torch.rand(8, 6)).penalty.backward()
    assert (vae.prior.loc.grad != 0).all()
    assert (vae.prior.log_scale.grad != 0).all()
    assert all((w.grad != 0).any() for w in vae.encoder.parameters())


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (SlicedWasserstein(prior="exact"), "SlicedWasserstein exact λ=1"),
        (SlicedWasserstein(order=1), "SlicedWasserstein p=1 λ=1"),
        (MaxSlicedWasserstein(weight=3), "MaxSlicedWasserstein λ=3"),
        (MaxSlicedWasserstein(order=3), "MaxSlicedWasserstein p=3 λ=1"),
        (EmpiricalWasserstein(order=1.5), "EmpiricalWasserstein p=1.5 λ=1"),
        (Sinkhorn(weight=10, blur=0.5), "Sinkhorn blur=0.5 λ=10"),
        (Moments(weight=10), "Moments λ=10"),
    ],
)
def test_labels_name_what_is_chosen(regularizer, label):
    assert regularizer.label == label


def test_what_depends_on_the_number_of_samples_says_so():
    assert all(family.biased for family in {*OF_SAMPLES, *WITH_ORDER})
    assert not Moments.biased
