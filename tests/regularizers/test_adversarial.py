"""What adversarial and disentangling regularizers refuse, with the way out, and how they train."""

from collections import UserList
from functools import partial

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.optim import Adam

from vae_zoo.posteriors import Delta, Deterministic, FullNormal
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, StandardNormal, VampPrior
from vae_zoo.regularizers import (
    DIP,
    KL,
    Adversarial,
    Annealed,
    CriticWasserstein,
    FactorVAE,
    InfoVAE,
    NoRegularizer,
    Sum,
    TotalCorrelation,
)
from vae_zoo.vae import VAE

X = torch.rand(32, 6, generator=torch.Generator().manual_seed(0)).round()
BATCHES = UserList([(X, torch.zeros(32))])  # a plain list would be taken for a list of loaders
WITH_CRITIC = [Adversarial, CriticWasserstein, FactorVAE]
SMALL = [
    Adversarial(hidden=[8]),
    CriticWasserstein(hidden=[8]),
    CriticWasserstein(hidden=[8], lipschitz="clip"),
    CriticWasserstein(hidden=[8], lipschitz="spectral"),
    FactorVAE(hidden=[8]),
    TotalCorrelation(),
    TotalCorrelation(sampling="mws"),
    Sum([KL(), DIP()]),
    DIP(kind="II"),
    InfoVAE(),
    InfoVAE(alpha=1.0, inner=Adversarial(hidden=[8])),
    Annealed(Adversarial(hidden=[8]), steps=2),
    NoRegularizer(),
]


def sized(vae, size=100):
    for part in vae.regularizer.modules():
        part.dataset_size = size
    return vae


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *((partial(family, hidden=[8, 0]), "hidden must be positive") for family in WITH_CRITIC),
        *((partial(family, lr=0.0), "lr must be positive, got 0.0") for family in WITH_CRITIC),
        *((partial(family, betas=(0.5, 1.0)), "betas must be two .*1.0") for family in WITH_CRITIC),
        (partial(Adversarial, betas=(0.5,)), "betas must be two numbers"),
        (partial(CriticWasserstein, lipschitz="clamp"), "clip, penalty, spectral, got clamp"),
        (partial(CriticWasserstein, clip=0.0), "clip must be positive, got 0.0"),
        (partial(CriticWasserstein, penalty=-1.0), "penalty must be positive, got -1.0"),
        (partial(FactorVAE, gamma=-1.0), "gamma must be non-negative, got -1.0"),
        (partial(TotalCorrelation, alpha=-1.0), "alpha must be non-negative, got -1.0"),
        (partial(TotalCorrelation, beta=float("nan")), "beta must be non-negative, got nan"),
        (partial(TotalCorrelation, gamma=-0.5), "gamma must be non-negative, got -0.5"),
        (partial(TotalCorrelation, sampling="mcs"), "sampling must be one of mss, mws, got mcs"),
        (partial(DIP, kind="III"), "kind must be one of I, II, got III"),
        (partial(DIP, diagonal=-1.0), "diagonal must be non-negative, got -1.0"),
        (partial(InfoVAE, alpha=1.5), r"alpha must be at most 1, got 1.5: .* no bound"),
        (partial(InfoVAE, alpha=0.5, lambda_=0.4), r"alpha \+ lambda_ must be at least 1, got 0.5"),
        (partial(InfoVAE, lambda_=float("nan")), r"alpha \+ lambda_ must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("family", [TotalCorrelation, FactorVAE, InfoVAE, partial(DIP, kind="II")])
def test_a_deterministic_posterior_is_refused_where_a_density_is_due(family):
    with pytest.raises(ValueError, match=r"use --model.posterior DiagonalNormal"):
        VAE((6,), 2, family(), posterior=Deterministic)


@pytest.mark.parametrize(
    "regularizer", [*SMALL[:4], DIP(), NoRegularizer(), InfoVAE(alpha=1.0)], ids=lambda r: r.label
)
def test_a_deterministic_posterior_does_where_codes_are_enough(regularizer):
    vae = VAE((6,), 2, regularizer, posterior=Deterministic)
    terms = vae(X)
    assert terms.kl is None
    assert terms.loss.isfinite()


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (
            TotalCorrelation,
            "TotalCorrelation needs a prior of independent dimensions, got a Normal",
        ),
        (DIP, r"DIP compares .* N\(0, I\), got a NormalMixture prior"),
        (NoRegularizer, "NoRegularizer does not train"),
    ],
)
def test_a_mixture_prior_is_refused_where_it_would_not_be_trained(family, message):
    with pytest.raises(ValueError, match=message + r".*use --model\.\w+ [A-Z]"):
        VAE((6,), 2, family(), prior=MixtureOfNormals)


@pytest.mark.parametrize("family", [Adversarial, CriticWasserstein])
def test_a_critic_refuses_a_prior_without_gradients_through_its_samples(family):
    with pytest.raises(ValueError, match=r"passes no gradients .*use --model\.\w+ [A-Z]"):
        VAE((6,), 2, family(), prior=VampPrior, posterior=FullNormal)
    VAE((6,), 2, family(), prior=MixtureOfNormals)


@pytest.mark.parametrize("family", [DIP, NoRegularizer])
def test_a_learned_prior_is_refused_where_it_would_stay_as_it_was(family):
    with pytest.raises(ValueError, match=r"use --model.prior StandardNormal"):
        VAE((6,), 2, family(), prior=LearnedNormal)


def test_factor_vae_works_with_a_mixture_prior():
    vae = VAE((6,), 2, FactorVAE(), prior=MixtureOfNormals)
    vae(X).penalty.backward()
    assert (vae.prior.loc.grad != 0).any()


@pytest.mark.parametrize("regularizer", [*SMALL[:7], InfoVAE()], ids=lambda r: r.label)
def test_a_learned_prior_is_trained(regularizer):
    vae = sized(VAE((6,), 2, regularizer, prior=LearnedNormal))
    vae(X).penalty.backward()
    assert (vae.prior.loc.grad != 0).all()
    assert (vae.prior.log_scale.grad != 0).all()


@pytest.mark.parametrize(
    ("regularizer", "measure"),
    [
        (TotalCorrelation(), "divergence"),
        (DIP(), "divergence"),
        (FactorVAE(), "critic_loss"),
    ],
)
def test_a_single_example_is_refused(regularizer, measure):
    regularizer.build(2)
    q = Independent(Normal(torch.zeros(1, 2), torch.ones(1, 2)), 1)
    p = StandardNormal(2)(torch.zeros(1, 0)).expand((1,))
    with pytest.raises(ValueError, match=r"needs at least two examples, got 1.*data.batch_size"):
        getattr(regularizer, measure)(q, p, q.mean)


def test_total_correlation_asks_for_the_size_of_the_data_set_in_training_alone():
    vae = VAE((6,), 2, TotalCorrelation())
    with pytest.raises(ValueError, match=r"set model.regularizer.dataset_size = N"):
        vae(X)
    assert vae.eval()(X).loss.isfinite()
    assert sized(vae.train())(X).loss.isfinite()


@pytest.mark.parametrize("regularizer", SMALL, ids=lambda r: r.label)
def test_a_few_steps_train_every_part(make_trainer, regularizer):
    vae = sized(VAE((6,), 3, regularizer))
    before = {name: value.detach().clone() for name, value in vae.named_parameters()}
    make_trainer(max_steps=3).fit(vae, BATCHES, BATCHES)
    for name, value in vae.named_parameters():
        assert value.isfinite().all()
        # A critic that takes differences does not see its own offset.
        offset = isinstance(regularizer, CriticWasserstein) and name.endswith("layers.2.bias")
        assert offset or not torch.equal(value, before[name])


@pytest.mark.parametrize("family", WITH_CRITIC)
def test_the_critic_has_the_width_and_the_optimizer_that_are_asked_for(family):
    regularizer = family(hidden=[5, 7], lr=0.02, betas=(0.1, 0.2))
    vae = VAE((6,), 3, regularizer, optimizer=partial(Adam, lr=1e-3))
    shapes = [tuple(p.shape) for p in vae.regularizer.parameters() if p.dim() == 2]
    assert shapes == [(5, 3), (7, 5), (1, 7)]
    model, critic = vae.configure_optimizers().param_groups
    assert (model["lr"], critic["lr"], critic["betas"]) == (1e-3, 0.02, (0.1, 0.2))
    assert len(critic["params"]) == 6


@pytest.mark.parametrize(
    ("regularizer", "label"),
    [
        (Adversarial(10), "Adversarial λ=10"),
        (CriticWasserstein(2, lipschitz="clip"), "CriticWasserstein clip λ=2"),
        (TotalCorrelation(beta=4), "TotalCorrelation β=4"),
        (TotalCorrelation(0.5), "TotalCorrelation λ=0.5 β=6"),
        (FactorVAE(gamma=35), "FactorVAE γ=35"),
        (FactorVAE(0.5), "FactorVAE λ=0.5 γ=10"),
        (DIP(5, kind="II"), "DIP II λ=5"),
        (InfoVAE(lambda_=100), "InfoVAE MMD α=0 λ=100"),
        (NoRegularizer(), "NoRegularizer"),
    ],
)
def test_labels_name_what_tells_runs_apart(regularizer, label):
    assert regularizer.label == label


def test_a_half_precision_critic_judges_codes_of_single_precision():
    regularizer = Adversarial(hidden=[4])
    regularizer.build(3)
    regularizer.bfloat16()
    q, p = Delta(torch.randn(4, 3)), Delta(torch.randn(4, 3))
    assert regularizer(q, p, q.mean).dtype == torch.float32
    assert regularizer.critic_loss(q, p, q.mean).dtype == torch.float32
