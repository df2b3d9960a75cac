"""What the divergences of each q(z | x) cannot do is refused by name, with the way out."""

from functools import partial

import pytest
import torch

from vae_zoo.conditions import OneHot
from vae_zoo.posteriors import Deterministic, FullNormal
from vae_zoo.priors import ConditionalNormal, LearnedNormal, MixtureOfNormals, VampPrior
from vae_zoo.regularizers import (
    KL,
    Bhattacharyya,
    ChiSquared,
    Fisher,
    FreeBits,
    GaussianWasserstein,
    GeometricJensenShannon,
    Hellinger,
    Jeffreys,
    JensenShannon,
    Renyi,
    ReverseKL,
    SlicedWasserstein,
)
from vae_zoo.vae import VAE

OF_NORMALS = [Renyi, ChiSquared, Bhattacharyya, Hellinger, GeometricJensenShannon, Fisher]
OF_DENSITIES = [ReverseKL, Jeffreys, JensenShannon]
ALL = [*OF_NORMALS, *OF_DENSITIES, GaussianWasserstein, partial(FreeBits, KL(), nats=0.0)]


@pytest.mark.parametrize("family", [*OF_NORMALS, *OF_DENSITIES])
def test_a_deterministic_posterior_is_refused_for_want_of_a_density(family):
    message = f"{family.__name__} needs the density .* Deterministic .* DiagonalNormal"
    with pytest.raises(ValueError, match=message):
        VAE((6,), 2, family(), posterior=Deterministic)


def test_the_distance_of_wasserstein_goes_with_a_deterministic_posterior():
    vae = VAE((6,), 2, GaussianWasserstein(), posterior=Deterministic)
    vae(torch.rand(8, 6)).penalty.backward()


@pytest.mark.parametrize("family", [*OF_NORMALS, GaussianWasserstein])
def test_a_closed_form_refuses_a_mixture_and_says_why(family):
    message = f"{family.__name__} needs a diagonal normal prior.*NormalMixture.*StandardNormal"
    with pytest.raises(ValueError, match=message):
        VAE((6,), 2, family(), prior=MixtureOfNormals)


@pytest.mark.parametrize("family", OF_DENSITIES)
def test_an_estimate_from_samples_of_the_prior_refuses_one_without_gradients(family):
    with pytest.raises(ValueError, match=r"MixtureSameFamily.* passes no gradients .* KL"):
        VAE((6,), 2, family(), prior=VampPrior, posterior=FullNormal)


def test_free_bits_of_a_kl_refuse_a_mixture_and_say_why():
    VAE((6,), 2, KL(), prior=MixtureOfNormals)
    with pytest.raises(ValueError, match="KL per dimension needs a diagonal normal prior"):
        VAE((6,), 2, FreeBits(KL()), prior=MixtureOfNormals)


@pytest.mark.parametrize(
    "inner", [SlicedWasserstein(), ChiSquared(), JensenShannon(), FreeBits(KL())]
)
def test_free_bits_of_what_is_no_sum_over_dimensions_are_refused(inner):
    with pytest.raises(ValueError, match=f"sum over dimensions.*got {type(inner).__name__}"):
        FreeBits(inner)


@pytest.mark.parametrize("family", ALL)
def test_an_encoder_and_a_learned_prior_are_trained(family):
    vae = VAE((6,), 2, family(), prior=LearnedNormal)
    vae(torch.rand(8, 6)).penalty.backward()
    assert all((weight.grad != 0).any() for weight in vae.encoder.parameters())
    assert (vae.prior.loc.grad != 0).all()
    assert (vae.prior.log_scale.grad != 0).all()


@pytest.mark.parametrize("family", ALL)
def test_a_prior_that_knows_the_label_is_trained(family):
    vae = VAE((6,), 2, family(), prior=ConditionalNormal, condition=OneHot, classes=3)
    vae(torch.rand(8, 6), torch.arange(8) % 3).penalty.backward()
    assert (vae.prior.affine.weight.grad != 0).all()


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_an_order_that_is_not_positive_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha must be positive and finite.*got {alpha}"):
        Renyi(alpha=alpha)


@pytest.mark.parametrize("skew", [-0.1, 1.1, float("nan")])
def test_a_skew_that_is_no_share_is_refused(skew):
    with pytest.raises(ValueError, match=f"skew must be between 0 and 1, got {skew}"):
        GeometricJensenShannon(skew=skew)


@pytest.mark.parametrize("nats", [-0.1, float("inf"), float("nan")])
def test_a_negative_floor_is_refused(nats):
    with pytest.raises(ValueError, match=rf"nats must be non-negative and finite, got {nats}"):
        FreeBits(KL(), nats=nats)


def test_groups_must_be_some_and_divide_the_dimensions():
    with pytest.raises(ValueError, match="groups must be at least 1, got 0"):
        FreeBits(KL(), groups=0)
    with pytest.raises(ValueError, match=r"groups must divide .* latent dimensions, 4, got 3"):
        VAE((6,), 4, FreeBits(KL(), groups=3))


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (ReverseKL(), "ReverseKL λ=1"),
        (Renyi(weight=2, alpha=0.3), "Renyi α=0.3 λ=2"),
        (GeometricJensenShannon(skew=0.3), "GeometricJensenShannon a=0.3 λ=1"),
        (GeometricJensenShannon(dual=True), "GeometricJensenShannon a=0.5 dual λ=1"),
        (FreeBits(KL(), nats=0.5), "FreeBits 0.5 KL β=1"),
    ],
)
def test_labels_name_the_family_its_order_and_the_weight(regularizer, label):
    assert regularizer.label == label


@pytest.mark.parametrize("family", ALL)
def test_divergences_are_computed_in_single_precision_under_autocast(family):
    vae = VAE((6,), 2, family())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert vae(torch.rand(8, 6)).penalty.dtype == torch.float32
