import math
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.objectives import ImportanceWeighted, VariationalRenyi
from vae_zoo.posteriors import Delta, Deterministic, DiagonalNormal, FlowPosterior, FullNormal
from vae_zoo.regularizers import (
    DIP,
    KL,
    MMD,
    Fisher,
    FreeBits,
    GaussianWasserstein,
    Renyi,
    TotalCorrelation,
)
from vae_zoo.vae import VAE

SPLINE = partial(FlowPosterior, transform="spline")


def test_a_diagonal_normal_reads_means_and_then_scales():
    posterior = DiagonalNormal(2)
    assert posterior.params == (4,)
    q = posterior(torch.tensor([[1.0, -2.0, 0.0, 3.0]]))
    assert (q.batch_shape, q.event_shape) == ((1,), (2,))
    assert_close(q.mean, torch.tensor([[1.0, -2.0]]))
    softplus = [math.log1p(math.exp(0.0)), math.log1p(math.exp(3.0))]
    assert_close(q.stddev, torch.tensor([softplus]), atol=2e-4, rtol=0)


def test_scales_stay_positive_and_gradients_finite_where_softplus_underflows():
    params = torch.tensor([[0.0, -1000.0], [0.0, 1000.0]], requires_grad=True)
    q = DiagonalNormal(1)(params)
    q.log_prob(q.rsample()).sum().backward()
    assert (q.stddev > 0).all()
    assert params.grad.isfinite().all()


@pytest.mark.parametrize("family", [FullNormal, FlowPosterior, SPLINE])
@pytest.mark.parametrize("size", [-1000.0, 1000.0])
def test_gradients_are_finite_at_extremes(family, size):
    posterior = family(2)
    params = torch.full((3, *posterior.params), size, requires_grad=True)
    for end in ([0.0, 0.0], [1.0, -1.0]):
        q = posterior(params)
        (q.log_prob(q.rsample()) + q.log_prob(torch.tensor([end]).expand(3, 2))).sum().backward()
        assert params.grad.isfinite().all()
        assert all(weight.grad.isfinite().all() for weight in posterior.parameters())


@pytest.mark.parametrize("family", [FullNormal, FlowPosterior, SPLINE])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_posterior_asks_for_as_many_numbers_as_it_uses(family, d):
    posterior = family(d)
    for weight in posterior.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    params = torch.randn(7, *posterior.params, requires_grad=True)
    q = posterior(params)
    assert (q.batch_shape, q.event_shape) == ((7,), (d,))
    assert posterior.point(q).shape == (7, d)
    (gradient,) = torch.autograd.grad((q.rsample() ** 2).sum(), params)
    assert (gradient != 0).any(dim=0).all()


def test_a_full_normal_has_a_triangle_more_than_a_diagonal_one():
    assert [FullNormal(d).params for d in (1, 2, 5)] == [(2,), (5,), (20,)]


def test_the_options_of_a_flow_shape_it():
    posterior = FlowPosterior(3, transforms=4, hidden=(7, 9), context=5)
    assert posterior.params == (2 * 3 + 5,)
    assert len(posterior.flow.transforms) == 4
    for flow in posterior.flow.transforms:
        widths = [layer.out_features for layer in flow.hyper if hasattr(layer, "out_features")]
        assert widths == [7, 9, 2 * 3]
    orders = [flow.order.tolist() for flow in posterior.flow.transforms]
    assert orders == [[0, 1, 2], [2, 1, 0]] * 2
    [flow, _] = SPLINE(3).flow.transforms
    assert flow.hyper[-1].out_features == 3 * (8 + 8 + 7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": "planar"}, "transform must be one of affine, spline, got planar"),
        ({"transforms": 0}, "transforms of a FlowPosterior must be at least 1, got 0"),
        ({"context": 0}, "context of a FlowPosterior must be at least 1, got 0"),
        ({"latent_dim": 0}, "latent_dim of a FlowPosterior must be at least 1, got 0"),
        ({"hidden": [8, 0]}, r"hidden must be positive widths, got \[8, 0\]"),
    ],
)
def test_a_flow_of_nothing_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FlowPosterior(**{"latent_dim": 2} | options)


@pytest.mark.parametrize("family", [FullNormal, FlowPosterior, SPLINE])
def test_samples_and_densities_are_in_single_precision_under_autocast(family):
    posterior = family(3)
    for weight in posterior.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    q = posterior(torch.randn(4, *posterior.params))
    found = []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            z = q.rsample()
            found.append((z, q.log_prob(z), q.log_prob(z.clone()), posterior.point(q)))
    assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.parametrize("family", [FlowPosterior, SPLINE])
def test_a_flow_stays_in_single_precision_in_a_model_of_half(family):
    vae = VAE((6,), 2, KL(), posterior=family).to(torch.bfloat16)
    assert all(weight.dtype == torch.float32 for weight in vae.posterior.parameters())
    terms = vae(torch.ones(4, 6, dtype=torch.bfloat16))
    assert terms.kl.dtype == torch.float32
    terms.loss.backward()
    assert all(w.dtype == torch.float64 for w in vae.double().posterior.parameters())


@pytest.mark.parametrize("family", [FullNormal, FlowPosterior])
@pytest.mark.parametrize(
    "regularizer",
    [
        FreeBits(KL(), nats=0.1),
        DIP(kind="II"),
        TotalCorrelation(),
        MMD(kernel="gaussian", prior="posterior"),
        Fisher(),
        GaussianWasserstein(),
        Renyi(),
    ],
    ids=lambda regularizer: regularizer.label,
)
def test_what_needs_a_diagonal_normal_refuses_another_posterior_with_the_way_out(
    family, regularizer
):
    with pytest.raises(ValueError, match=r"--model\.posterior DiagonalNormal"):
        VAE((6,), 2, regularizer, posterior=family)


def test_a_flow_has_no_mean_in_closed_form_but_a_full_normal_has():
    VAE((6,), 2, DIP(), posterior=FullNormal)
    with pytest.raises(ValueError, match="mean of a FlowPosterior has no closed form: use"):
        VAE((6,), 2, DIP(), posterior=FlowPosterior)


def test_the_doubly_reparameterized_gradient_refuses_a_flow_and_says_what_to_do():
    objective = ImportanceWeighted(doubly_reparameterized=True)
    VAE((6,), 2, KL(), posterior=FullNormal, objective=objective)
    with pytest.raises(ValueError, match="cannot be told from its codes: use"):
        VAE((6,), 2, KL(), posterior=FlowPosterior, objective=objective)


@pytest.mark.parametrize("family", [FullNormal, FlowPosterior, SPLINE])
@pytest.mark.parametrize("objective", [None, ImportanceWeighted(3), VariationalRenyi(samples=3)])
def test_every_weight_of_a_posterior_is_trained(family, objective):
    vae = VAE((6,), 3, KL(), posterior=family, **({"objective": objective} if objective else {}))
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.01)
    before = [weight.clone() for weight in vae.posterior.parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        vae(torch.rand(32, 6).round()).loss.backward()
        optimizer.step()
    after = vae.posterior.parameters()
    assert all((old != new).any() for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("family", [DiagonalNormal, Deterministic, FullNormal, FlowPosterior])
def test_codes_are_in_single_precision_at_least(family):
    posterior = family(3)
    assert posterior(torch.zeros(2, *posterior.params).bfloat16()).rsample().dtype == torch.float32


def test_a_deterministic_posterior_is_a_point_with_gradients():
    posterior, params = Deterministic(3), torch.randn(5, 3, requires_grad=True)
    assert posterior.params == (3,)
    q = posterior(params)
    assert (q.batch_shape, q.event_shape) == ((5,), (3,))
    assert torch.equal(q.rsample(), params)
    assert torch.equal(q.mean, params)
    assert q.rsample((7,)).shape == (7, 5, 3)
    q.rsample().sum().backward()
    assert_close(params.grad, torch.ones(5, 3))


def test_a_point_has_no_density():
    with pytest.raises(ValueError, match="no density: use DiagonalNormal"):
        Delta(torch.zeros(2, 3)).log_prob(torch.zeros(2, 3))


def test_a_deterministic_model_has_no_kl_and_no_elbo():
    vae = VAE((6,), 2, MMD(), posterior=Deterministic)
    terms = vae(torch.zeros(4, 6))
    assert terms.kl is None
    assert terms.elbo is None
    assert list(terms.means()) == ["loss", "reconstruction", "penalty"]
    assert_close(terms.loss, terms.reconstruction.mean() + terms.penalty)
