from functools import partial

import pytest
import torch

from vae_zoo.conditions import OneHot
from vae_zoo.likelihoods import Bernoulli
from vae_zoo.posteriors import DiagonalNormal, FullNormal
from vae_zoo.priors import (
    ConditionalNormal,
    Flow,
    Laplace,
    LearnedNormal,
    MixtureOfNormals,
    StandardNormal,
    StudentT,
    VampPrior,
)
from vae_zoo.regularizers import KL, MMD, Bhattacharyya, CramerWold, SteinDiscrepancy
from vae_zoo.vae import VAE

EMPTY = torch.zeros(1, 0)
FLOWS = [partial(Flow, transform=transform) for transform in ("nsf", "maf", "realnvp")]


@pytest.mark.parametrize(
    "prior", [StandardNormal, LearnedNormal, MixtureOfNormals, Laplace, StudentT, *FLOWS]
)
def test_an_unconditional_prior_is_one_distribution_over_codes(prior):
    p = prior(3)(EMPTY)
    assert (p.batch_shape, p.event_shape) == ((), (3,))
    expanded = p.expand((5,))
    assert (expanded.batch_shape, expanded.event_shape) == ((5,), (3,))
    assert expanded.sample().shape == (5, 3)
    assert expanded.log_prob(torch.randn(5, 3)).shape == (5,)


@pytest.mark.parametrize(
    "prior",
    [
        ConditionalNormal,
        partial(MixtureOfNormals, conditional=True),
        *(partial(flow, conditional=True) for flow in FLOWS),
    ],
)
def test_a_conditional_prior_is_one_distribution_per_condition(prior):
    prior = prior(3, condition_dim=2)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    p, z = prior(torch.eye(2)), torch.randn(3).expand(2, 3)
    assert (p.batch_shape, p.event_shape) == ((2,), (3,))
    assert p.sample().shape == (2, 3)
    first, second = p.log_prob(z)
    assert first != second


@pytest.mark.parametrize("prior", [StandardNormal, Laplace, StudentT])
def test_the_fixed_priors_have_nothing_to_learn_or_to_save(prior):
    assert not list(prior(2).parameters())
    assert not prior(2).state_dict()


def test_the_learned_normal_has_a_mean_and_a_scale():
    assert {name for name, _ in LearnedNormal(2).named_parameters()} == {"loc", "log_scale"}


@pytest.mark.parametrize("regularizer", [KL, MMD, SteinDiscrepancy])
@pytest.mark.parametrize("posterior", [DiagonalNormal, FullNormal])
@pytest.mark.parametrize(
    "prior",
    [
        Laplace,
        StudentT,
        VampPrior,
        partial(VampPrior, components=3, learned=False),
        MixtureOfNormals,
        partial(MixtureOfNormals, conditional=True),
        *FLOWS,
        *(partial(flow, conditional=True) for flow in FLOWS),
    ],
)
@pytest.mark.parametrize("latent_dim", [1, 3])
def test_a_prior_trains_for_a_few_steps(prior, regularizer, posterior, latent_dim):
    family = getattr(prior, "func", prior)
    if family is VampPrior and regularizer is MMD and posterior is FullNormal:
        return  # whose samples pass no gradients
    parts = {"prior": prior, "posterior": posterior, "condition": OneHot, "classes": 3}
    vae = VAE((6,), latent_dim, regularizer(), **parts)
    optimizer = torch.optim.Adam(vae.parameters())
    x, y = torch.rand(8, 6).round(), torch.arange(8) % 3
    for _ in range(2):
        optimizer.zero_grad()
        terms = vae(x, y)
        terms.loss.backward()
        assert terms.elbo.isfinite().all()
        assert all(part.grad.isfinite().all() for part in vae.parameters())
        optimizer.step()
    assert vae.sample(3, y[:3]).isfinite().all()


@pytest.mark.parametrize("prior", [Laplace, StudentT, VampPrior, Flow])
@pytest.mark.parametrize("regularizer", [Bhattacharyya, CramerWold])
def test_a_closed_form_under_normals_refuses_another_prior(prior, regularizer):
    with pytest.raises(ValueError, match=r"got a \w+: use --model.prior StandardNormal"):
        VAE((6,), 2, regularizer(), prior=prior)


@pytest.mark.parametrize("family", [Flow, partial(MixtureOfNormals, components=3)])
def test_densities_and_samples_are_in_single_precision_under_autocast(family):
    prior = family(3)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    z, p = torch.randn(5, 3), prior(EMPTY).expand((5,))
    expected = p.log_prob(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(p.log_prob(z), expected)
        assert p.rsample().dtype == torch.float32
    prior.to(torch.bfloat16)
    assert prior(EMPTY).expand((5,)).rsample().dtype == torch.float32


def test_the_options_of_a_flow_are_those_of_its_maps():
    prior = Flow(3, condition_dim=2, transforms=4, hidden=(7, 5), conditional=True)
    maps = prior.flow.transform.transforms
    widths = [(layer.in_features, layer.out_features) for layer in [*maps[0].hyper][::2]]
    assert len(maps) == 4
    assert widths[:2] == [(3 + 2, 7), (7, 5)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Flow, transform="iaf"), "transform must be one of nsf, maf, realnvp, got iaf"),
        (partial(Flow, transforms=0), "transforms must be at least 1, got 0"),
        (partial(Flow, hidden=(8, 0)), r"hidden must be positive widths, got \[8, 0\]"),
        (partial(Flow, conditional=True), r"conditional makes .* no condition .* OneHot"),
        (partial(MixtureOfNormals, conditional=True), r"conditional makes .* no condition"),
        (partial(ConditionalNormal, condition_dim=0), r"no condition .* use LearnedNormal"),
        (partial(Laplace, scale=0.0), "scale must be positive and finite, got 0.0"),
        (partial(StudentT, scale=-1.0), "scale must be positive and finite, got -1.0"),
        (partial(StudentT, df=0.0), "df must be positive and finite, got 0.0"),
        (partial(StudentT, df=float("nan")), "df must be positive and finite, got nan"),
    ],
)
def test_what_no_prior_can_be_made_of_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(2)


@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
def test_every_parameter_of_a_learned_prior_is_trained_by_the_kl(prior):
    vae = VAE((6,), 2, KL(), prior=prior, likelihood=Bernoulli)
    vae(torch.rand(16, 6).round()).loss.backward()
    assert all((parameter.grad != 0).all() for parameter in vae.prior.parameters())


def test_the_means_of_a_mixture_start_apart_and_their_number_is_that_asked_for():
    prior = MixtureOfNormals(4, components=6)
    assert prior.loc.shape == (6, 4)
    assert torch.pdist(prior.loc).min() > 0.1


@pytest.mark.parametrize("components", [0, -1])
def test_a_mixture_without_components_is_refused(components):
    with pytest.raises(ValueError, match=f"components must be at least 1, got {components}"):
        MixtureOfNormals(2, components=components)
