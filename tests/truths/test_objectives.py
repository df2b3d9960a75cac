"""Objectives against exact marginal likelihoods, quadrature, and one another."""

import math
from collections import UserList
from functools import partial

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import nn
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.likelihoods import Normal as NormalLikelihood
from vae_zoo.networks import MLP
from vae_zoo.objectives import GECO, ImportanceWeighted, PenalizedLikelihood, VariationalRenyi
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import LearnedNormal, MixtureOfNormals
from vae_zoo.regularizers import KL, MMD, Annealed
from vae_zoo.vae import VAE

# z ~ N(0, 1) and x | z ~ N(z, 1): p(x) = N(0, 2) and p(z | x) = N(x / 2, 1/2).
X, EVIDENCE = 1.3, norm.logpdf(1.3, 0, math.sqrt(2))
LOC, SCALE = 0.3, 0.9  # of a posterior that is not the exact one


def normal(loc, scale, n=1):
    full = partial(torch.full, (n, 1), dtype=torch.double)
    return Independent(Normal(full(loc), full(scale)), 1)


def loss_of(objective, q, n):
    """The loss of n examples that are all X."""
    z = q.rsample(objective.sample_shape)
    distortion = -Normal(z.squeeze(-1), torch.ones(1).double()).log_prob(
        torch.tensor(X, dtype=torch.double)
    )
    return objective(q, normal(0.0, 1.0, n), z, distortion, torch.tensor(0.0))


@pytest.mark.parametrize("samples", [1, 7])
@pytest.mark.parametrize(
    "make", [ImportanceWeighted, partial(VariationalRenyi, 0.5), partial(VariationalRenyi, -2.0)]
)
def test_under_the_exact_posterior_every_bound_is_the_log_likelihood(make, samples):
    q = normal(X / 2, math.sqrt(0.5), 4)
    assert loss_of(make(samples=samples), q, 4).item() == pytest.approx(-EVIDENCE, abs=1e-9)


def test_the_importance_weighted_bound_rises_with_its_samples_up_to_the_log_likelihood():
    bounds = [
        -loss_of(ImportanceWeighted(k), normal(LOC, SCALE, 20_000), 20_000).item()
        for k in (1, 3, 10, 100)
    ]
    q, p = normal(LOC, SCALE), normal(X / 2, math.sqrt(0.5))
    elbo = EVIDENCE - torch.distributions.kl_divergence(q, p).item()
    assert bounds[0] == pytest.approx(elbo, abs=0.02)
    assert sorted(bounds) == bounds
    assert EVIDENCE - 0.003 < bounds[-1] < EVIDENCE + 0.003


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.5, 1.5])
def test_the_variational_renyi_bound_tends_to_its_integral(alpha):
    def integrand(z):
        joint = norm.pdf(z) * norm.pdf(X, z)
        return norm.pdf(z, LOC, SCALE) ** alpha * joint ** (1 - alpha)

    expected = math.log(quad(integrand, -12, 12)[0]) / (1 - alpha)
    bound = -loss_of(VariationalRenyi(alpha, samples=400_000), normal(LOC, SCALE), 1)
    assert bound.item() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (0.0, lambda w: np.log(np.mean(np.exp(w)))),  # the importance-weighted bound
        (1.0, np.mean),  # the ELBO
        (1 - 1e-4, np.mean),
        (-math.inf, np.max),
        (-1e4, np.max),
    ],
)
def test_the_variational_renyi_bound_has_the_limits_of_its_order(alpha, expected):
    torch.manual_seed(3)
    q = normal(LOC, SCALE)
    loss = loss_of(VariationalRenyi(alpha, samples=6), q, 1)
    torch.manual_seed(3)
    z = q.rsample((6,)).squeeze().numpy()
    weights = norm.logpdf(z) + norm.logpdf(X, z) - norm.logpdf(z, LOC, SCALE)
    assert loss.item() == pytest.approx(-expected(weights), abs=2e-3)


@pytest.mark.parametrize("alpha", [1 - 1e-2, 1 - 2e-3, 1 - 5e-4, 1 - 1e-6, 1 - 1e-9, 1 + 1e-6])
def test_the_variational_renyi_bound_keeps_its_digits_near_order_1(alpha):
    log_weights = torch.tensor([[90.0], [97.0], [103.0], [110.0], [98.5]])
    objective = VariationalRenyi(alpha, samples=5)
    objective.log_weights = lambda *_: log_weights
    power = 1 - alpha
    exact = log_weights.double().numpy() * power
    expected = np.log(np.mean(np.exp(exact, dtype=np.longdouble))) / np.longdouble(power)
    loss = objective(None, None, None, None, None)
    assert loss.item() == pytest.approx(-float(expected), rel=3e-6)


def model(objective, **options):
    torch.manual_seed(5)
    options = {"likelihood": NormalLikelihood, "prior": LearnedNormal} | options
    return VAE((3,), 2, KL(), objective=objective, **options).double()


def gradients(vae, x, repetitions=1):
    """Gradients of each repetition, by the first layer of the encoder and by the rest."""
    found = []
    for _ in range(repetitions):
        vae.zero_grad()
        vae(x).loss.backward()
        rest = [*vae.decoder.parameters(), *vae.prior.parameters()]
        found.append((vae.encoder.layers[0].weight.grad, [weight.grad for weight in rest]))
    return found


def test_the_doubly_reparameterized_gradient_has_the_mean_of_the_plain_one_and_less_noise():
    x = torch.randn(4, 3).double()
    affine = {"encoder": partial(MLP, hidden=()), "decoder": partial(MLP, hidden=())}
    plain, double = (
        torch.stack(
            [g for g, _ in gradients(model(ImportanceWeighted(32, flag), **affine), x, 1500)]
        )
        for flag in (False, True)
    )
    noise = (plain.var(0) + double.var(0)).div(1500).sqrt()
    assert ((plain.mean(0) - double.mean(0)).abs() < 4.5 * noise).all()
    assert double.var(0).sum() < 0.5 * plain.var(0).sum()


def test_the_doubly_reparameterized_gradient_leaves_that_of_decoder_and_prior_and_the_value():
    x = torch.randn(4, 3).double()
    losses, found = [], []
    for flag in (False, True):
        vae = model(ImportanceWeighted(5, flag))
        torch.manual_seed(1)
        losses.append(vae(x).loss)
        torch.manual_seed(1)
        found.append(gradients(vae, x)[0][1])
    assert_close(losses[0], losses[1])
    assert_close(found[0], found[1])


def test_the_doubly_reparameterized_gradient_vanishes_at_the_exact_posterior():
    loc = torch.full((1, 1), X / 2).double().requires_grad_()
    scale = torch.full((1, 1), 0.5).double().sqrt().requires_grad_()
    q = Independent(Normal(loc, scale), 1)
    loss_of(ImportanceWeighted(9, doubly_reparameterized=True), q, 1).backward()
    assert_close([loc.grad, scale.grad], [torch.zeros(1, 1).double()] * 2)


@pytest.mark.parametrize("condition", [None, OneHot])
@pytest.mark.parametrize("prior", [LearnedNormal, MixtureOfNormals])
def test_a_model_weighs_as_many_samples_as_it_was_asked_for(condition, prior):
    conditional = {"condition": condition, "classes": 3} if condition else {}
    vae = model(ImportanceWeighted(4), prior=prior, **conditional)
    x, y = torch.randn(5, 3).double(), torch.tensor([0, 1, 2, 1, 0])
    c = vae._condition(y)
    torch.manual_seed(2)
    terms = vae(x, y)
    torch.manual_seed(2)
    q, p = vae.encode(x, c), vae.prior(c).expand((5,))
    z = q.rsample((4,))
    distortion = torch.stack([-vae.decode(one, c).log_prob(x) for one in z])
    weights = p.log_prob(z) - q.log_prob(z) - distortion
    assert_close(terms.loss, -(weights.logsumexp(0) - math.log(4)).mean())
    assert_close(terms.reconstruction, distortion.mean(0))
    assert terms.kl.shape == (5,)
    if prior is MixtureOfNormals:
        assert_close(terms.kl, (q.log_prob(z) - p.log_prob(z)).mean(0))


@pytest.mark.parametrize("objective", [ImportanceWeighted(1), VariationalRenyi(1.0, 1)])
def test_a_bound_of_one_sample_is_minus_the_elbo(objective):
    x = torch.randn(6, 3).double()
    vae = model(objective, prior=MixtureOfNormals)  # whose KL is sampled too
    terms = vae(x)
    assert_close(terms.loss, -terms.elbo.mean())


@pytest.mark.parametrize("objective", [ImportanceWeighted(), VariationalRenyi()])
@pytest.mark.parametrize("regularizer", [MMD(), KL(2.0), Annealed(KL(), steps=3)])
def test_a_bound_goes_with_the_kl_at_weight_1_alone(objective, regularizer):
    with pytest.raises(ValueError, match=r"KL at weight 1 alone, got .*PenalizedLikelihood"):
        VAE((3,), 2, regularizer, objective=objective)


def test_a_bound_refuses_a_deterministic_posterior():
    with pytest.raises(ValueError, match="needs the density"):
        VAE((3,), 2, KL(), objective=ImportanceWeighted(), posterior=Deterministic)


def test_geco_ends_at_its_target_where_the_penalty_pulls_away_from_it():
    distortion, geco = nn.Parameter(torch.tensor(9.0)), GECO(5.0, rate=0.01, decay=0.5)
    optimizer = torch.optim.SGD([distortion], lr=0.05)
    for _ in range(3000):
        optimizer.zero_grad()
        penalty = (12 - distortion).square() / 10
        geco(None, None, None, distortion.expand(4), penalty).backward()
        optimizer.step()
    assert distortion.item() == pytest.approx(5, abs=0.1)
    # At the optimum the gradients cancel: λ = 2 (12 - 5) / 10.
    assert geco.log_multiplier.exp().item() == pytest.approx(1.4, rel=0.1)


def test_geco_moves_its_multiplier_by_the_moving_average_of_the_constraint():
    geco, expected, average = GECO(target=5.0, rate=0.1, decay=0.5), 0.0, None
    for value in (5.5, 4.0, 9.0):
        geco(None, None, None, torch.full((2,), value), torch.tensor(0.0))
        average = value - 5 if average is None else 0.5 * average + 0.5 * (value - 5)
        expected += 0.1 * max(-1, min(1, average))
        assert geco.log_multiplier.item() == pytest.approx(expected)


def test_geco_keeps_its_multiplier_in_a_checkpoint_and_while_it_is_evaluated():
    geco, other = GECO(target=5.0), GECO(target=5.0)
    for _ in range(3):
        geco(None, None, None, torch.full((2,), 8.0), torch.tensor(0.0))
    other.load_state_dict(geco.state_dict())
    assert other.log_multiplier == geco.log_multiplier != 0
    other.eval()(None, None, None, torch.full((2,), 8.0), torch.tensor(0.0))
    assert other.log_multiplier == geco.log_multiplier


@pytest.mark.parametrize("batch", [2, 3, 6])
def test_geco_judges_an_epoch_by_the_whole_split(make_trainer, batch):
    torch.manual_seed(4)
    x = torch.rand(6, 3)
    vae = VAE((3,), 2, KL(), likelihood=NormalLikelihood, objective=GECO(3.05))
    vae.encode = lambda x, c: Independent(Normal(x[:, :2], 0.1), 1)
    loaders = UserList([(part, None) for part in x.split(batch)])
    (terms,) = make_trainer().validate(vae, loaders, verbose=False)
    violation = max(0.0, terms["val/reconstruction"] - 3.05)
    assert terms["val/loss"] == pytest.approx(terms["val/penalty"] + 1000 * violation, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(ImportanceWeighted, 0), "samples must be at least 1, got 0"),
        (partial(VariationalRenyi, samples=0), "samples must be at least 1, got 0"),
        (partial(VariationalRenyi, math.nan), "alpha must be below infinity, got nan"),
        (partial(VariationalRenyi, math.inf), "alpha must be below infinity, got inf"),
        (partial(GECO, math.nan), "target must be a number of nats, got nan"),
        (partial(GECO, 1.0, rate=0.0), r"rate must be positive, got 0\.0"),
        (partial(GECO, 1.0, decay=1.0), r"decay must be .* below 1, got 1\.0"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_objective_that_is_no_objective_is_refused():
    with pytest.raises(TypeError, match="objective must be an object"):
        VAE((3,), 2, KL(), objective=PenalizedLikelihood)
