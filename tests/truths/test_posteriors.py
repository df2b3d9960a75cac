"""Posteriors are densities, and their divergences are exact where a closed form is known."""

from functools import partial

import pytest
import torch
from scipy.stats import multivariate_normal
from torch.distributions import (
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from torch.testing import assert_close

from vae_zoo.likelihoods import Normal as NormalLikelihood
from vae_zoo.networks import MLP
from vae_zoo.objectives import ImportanceWeighted, VariationalRenyi
from vae_zoo.posteriors import CorrelatedNormal, DiagonalNormal, FlowPosterior, FullNormal, detach
from vae_zoo.priors import LearnedNormal, MixtureOfNormals, StandardNormal
from vae_zoo.regularizers import KL, Jeffreys, ReverseKL
from vae_zoo.regularizers import kl_divergence as kl_of_samples
from vae_zoo.vae import VAE

AFFINE = partial(FlowPosterior, hidden=(16,), context=3)
SPLINE = partial(AFFINE, transform="spline", transforms=3)
FAMILIES = [FullNormal, AFFINE, SPLINE]


def made(family, d, n=1):
    """A posterior whose flows are far from the identity, and its distribution."""
    posterior = family(d).double()
    for parameter in posterior.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    params = torch.randn(n, *posterior.params, dtype=torch.double)
    return posterior, posterior(params.requires_grad_()), params


def grid(size=9.0, points=321):
    axis = torch.linspace(-size, size, points, dtype=torch.double)
    return torch.cartesian_prod(axis, axis), (axis[1] - axis[0]).item() ** 2


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_posterior_integrates_to_one_and_its_samples_lie_where_its_density_is(family):
    _, q, _ = made(family, 2)
    z, cell = grid()
    mass = q.log_prob(z).exp() * cell
    assert mass.sum().item() == pytest.approx(1, abs=2e-3)
    samples = q.sample((40_000,)).squeeze(1)
    for statistic in (lambda z: z, torch.sin, lambda z: z.prod(1).tanh()):
        expected = (mass @ statistic(z)) / mass.sum()
        assert_close(statistic(samples).mean(0), expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("family", [AFFINE, SPLINE])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_remembered_density_of_a_sample_is_that_of_the_inverted_flow(family, d):
    posterior, q, params = made(family, d, n=4)
    z = q.rsample((3,))
    inverted = q.log_prob(z.clone())  # another object, which the flow has to trace back
    assert z.shape == (3, 4, d)
    assert_close(q.log_prob(z), inverted)
    parts = [params, *posterior.parameters()]
    remembered = torch.autograd.grad(q.log_prob(z).sum(), parts, retain_graph=True)
    assert_close(remembered, torch.autograd.grad(inverted.sum(), parts), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("family", [AFFINE, SPLINE])
def test_the_density_of_a_flow_is_that_of_its_noise_over_the_volume_it_is_stretched_to(family):
    posterior, q, params = made(family, 3)

    def codes(noise):
        x = q.base.mean[0] + q.base.stddev[0] * noise
        return posterior.flow(params[0, -3:])(x)

    noise = torch.randn(3, dtype=torch.double)
    volume = torch.autograd.functional.jacobian(codes, noise).det().abs()
    expected = Normal(0, 1).log_prob(noise).sum() - volume.log()
    assert_close(q.log_prob(codes(noise)[None]), expected[None])


@pytest.mark.parametrize("family", [AFFINE, SPLINE])
def test_a_flow_samples_anew_and_forgets_what_it_drew_before(family):
    _, q, _ = made(family, 2, n=3)
    first, second = q.rsample(), q.rsample()
    assert_close(q.log_prob(first), q.log_prob(first.clone()))
    assert_close(q.log_prob(second), q.log_prob(second.clone()))


@pytest.mark.parametrize("family", [AFFINE, SPLINE])
def test_the_density_of_a_fixed_sample_passes_gradients(family):
    """As a score: E d log q(z) = 0, which needs z to be a constant and q not to be one."""
    _, q, params = made(family, 2)
    z = q.sample((20_000,))
    (gradient,) = torch.autograd.grad(q.log_prob(z).mean(), params)
    assert (gradient != 0).any()
    assert gradient.abs().max() < 0.2
    with torch.no_grad():
        assert_close(q.log_prob(z), q.log_prob(z.clone()))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_posterior_tells_the_density_of_every_code_under_every_example(family):
    """As a VampPrior and the mutual information ask."""
    _, q, _ = made(family, 2, n=4)
    z = torch.randn(5, 2, dtype=torch.double)
    table = q.expand((5, 4)).log_prob(z.unsqueeze(1).expand(5, 4, 2))
    assert_close(table, q.log_prob(z.unsqueeze(1)))
    assert_close(table[2], q.log_prob(z[2].expand(4, 2)))


@pytest.mark.parametrize("transform", ["affine", "spline"])
@pytest.mark.parametrize("d", [1, 4])
def test_a_flow_starts_as_the_diagonal_normal(d, transform):
    flow, z = FlowPosterior(d, transform=transform, context=3), torch.randn(6, d)
    params = torch.randn(6, *flow.params)
    assert_close(flow(params).log_prob(z), DiagonalNormal(d)(params[:, :-3]).log_prob(z))
    assert_close(flow.point(flow(params)), params[:, :d])


def test_a_flow_bends_by_its_context_and_a_dimension_by_those_before_it():
    posterior, q, params = made(AFFINE, 2)
    noise = torch.zeros(1, 2, dtype=torch.double)
    moved = noise + torch.tensor([[1.0, 0.0]])
    flow = posterior.flow
    assert (flow(q.context)(noise) != flow(q.context + 1)(noise)).all()
    assert (flow(q.context)(noise) != flow(q.context)(moved)).all()
    assert_close(posterior.point(q), flow(q.context)(params[:, :2]))


def test_a_flow_reaches_a_posterior_that_no_normal_is():
    """z on a banana, z₂ ≈ z₁²: its KL from the flow falls far below the best of any normal."""
    p = Normal(0.0, 1.0), Normal(0.0, 0.2)

    def log_prob(z):
        return p[0].log_prob(z[:, 0]) + p[1].log_prob(z[:, 1] - z[:, 0].square())

    reached = {}
    for family in (FullNormal, FlowPosterior):
        torch.manual_seed(0)
        posterior = family(2)
        params = torch.zeros(1, *posterior.params, requires_grad=True)
        optimizer = torch.optim.Adam([params, *posterior.parameters()], lr=0.01, fused=True)
        for _ in range(400):
            optimizer.zero_grad()
            q = posterior(params.expand(128, -1))
            z = q.rsample()
            kl = (q.log_prob(z) - log_prob(z)).mean()
            kl.backward()
            optimizer.step()
        with torch.no_grad():
            q = posterior(params.expand(20_000, -1))
            z = q.rsample()
            reached[family] = (q.log_prob(z) - log_prob(z)).mean().item()
    assert 0 < reached[FlowPosterior] < 0.15 < 0.6 < reached[FullNormal]


def test_a_full_normal_is_the_normal_of_its_mean_and_covariance():
    _, q, params = made(FullNormal, 3, n=4)
    z, raw = torch.randn(4, 3, dtype=torch.double), params.detach()
    for i in range(4):
        lower = torch.diag(torch.nn.functional.softplus(raw[i, 3:6]) + 1e-4)
        lower[1, 0], lower[2, 0], lower[2, 1] = raw[i, 6:]
        oracle = multivariate_normal(raw[i, :3].numpy(), (lower @ lower.T).numpy())
        assert q.log_prob(z)[i].item() == pytest.approx(oracle.logpdf(z[i].numpy()))
    samples = q.rsample((40_000,)).detach()
    for i in range(4):
        assert_close(samples[:, i].mean(0), q.loc[i].detach(), atol=0.05, rtol=0)
        covariance = q.covariance_matrix[i].detach()
        assert_close(samples[:, i].T.cov(), covariance, atol=0.1, rtol=0.05)


def test_a_full_normal_without_correlation_is_a_diagonal_normal():
    params = torch.randn(5, 8)
    full = torch.cat([params, torch.zeros(5, 6)], dim=1)
    z = torch.randn(5, 4)
    assert_close(FullNormal(4)(full).log_prob(z), DiagonalNormal(4)(params).log_prob(z))


def diagonal(n, d):
    loc, scale = torch.randn(n, d).double(), torch.rand(n, d).double() + 0.3
    return Independent(Normal(loc, scale), 1), MultivariateNormal(
        loc, scale_tril=scale.diag_embed()
    )


@pytest.mark.parametrize("d", [1, 2, 6])
def test_the_kl_of_a_full_normal_is_that_of_two_general_normals_both_ways(d):
    _, q, params = made(FullNormal, d, n=5)
    oracle = MultivariateNormal(q.loc, scale_tril=q.scale_tril)
    p, general = diagonal(5, d)
    for closed, expected in (
        (kl_divergence(q, p), kl_divergence(oracle, general)),
        (kl_divergence(p, q), kl_divergence(general, oracle)),
    ):
        assert_close(closed, expected)
        gradients = (
            torch.autograd.grad(kl.sum(), params, retain_graph=True) for kl in (closed, expected)
        )
        assert_close(*gradients)


def test_the_kl_of_a_full_normal_is_its_integral():
    _, q, _ = made(FullNormal, 2)
    p = StandardNormal(2)(torch.zeros(1, 0)).expand((1,))
    z, cell = grid()
    log_q = q.log_prob(z).detach()
    log_p = Normal(0, 1).log_prob(z).sum(1)
    expected = (log_q.exp() * (log_q - log_p)).sum().item() * cell
    assert kl_of_samples(q, p, q.rsample()).item() == pytest.approx(expected, abs=1e-5)
    expected = (log_p.exp() * (log_p - log_q)).sum().item() * cell
    assert ReverseKL().divergence(q, p, q.rsample()).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prior", ["laplace", "mixture"])
def test_the_kl_from_a_prior_without_a_closed_form_is_that_of_a_sample(family, prior):
    _, q, _ = made(family, 2, n=4)
    if prior == "laplace":
        p = Independent(Laplace(torch.zeros(4, 2).double(), 1.0), 1)
    else:
        p = MixtureOfNormals(2).double()(torch.zeros(1, 0)).expand((4,))
    z = q.rsample()
    assert_close(kl_of_samples(q, p, z), q.log_prob(z.clone()) - p.log_prob(z))


@pytest.mark.parametrize("family", [AFFINE, SPLINE])
def test_the_kl_of_a_flow_is_its_integral(family):
    _, q, _ = made(family, 2)
    p = StandardNormal(2)(torch.zeros(1, 0))
    z, cell = grid()
    with torch.no_grad():
        log_q, log_p = q.log_prob(z), Normal(0, 1).log_prob(z).sum(1)
        samples = q.rsample((40_000,))
        estimate = kl_of_samples(q, p, samples).mean().item()
    expected = (log_q.exp() * (log_q - log_p)).sum().item() * cell
    assert estimate == pytest.approx(expected, abs=0.03)


def test_a_detached_full_normal_passes_gradients_to_the_codes_alone():
    _, q, params = made(FullNormal, 3, n=2)
    z = torch.randn(2, 3, dtype=torch.double, requires_grad=True)
    assert isinstance(detach(q), CorrelatedNormal)
    detach(q).log_prob(z).sum().backward()
    assert params.grad is None
    assert_close(detach(q).log_prob(z), q.log_prob(z))
    precision = torch.linalg.inv(q.covariance_matrix)
    score = -(precision @ (z - q.loc).unsqueeze(-1)).squeeze(-1)
    assert_close(z.grad, score.detach())


def test_the_doubly_reparameterized_gradient_of_a_full_normal_vanishes_at_the_exact_posterior():
    """x | z ~ N(Wz, I), z ~ N(0, I): the posterior N((I + WᵀW)⁻¹Wᵀx, (I + WᵀW)⁻¹) is exact."""
    w, x = torch.randn(3, 2).double(), torch.randn(1, 3).double()
    covariance = torch.linalg.inv(torch.eye(2) + w.T @ w)
    lower = torch.linalg.cholesky(covariance)
    loc = (covariance @ w.T @ x.T).T.requires_grad_()
    scale = lower.unsqueeze(0).requires_grad_()
    q = CorrelatedNormal(loc, scale_tril=scale, validate_args=False)
    p = Independent(Normal(torch.zeros(1, 2).double(), 1.0), 1)
    objective = ImportanceWeighted(6, doubly_reparameterized=True)
    z = q.rsample(objective.sample_shape)
    distortion = -Normal(z @ w.T, 1.0).log_prob(x).sum(-1)
    loss = objective(q, p, z, distortion, torch.tensor(0.0))
    evidence = MultivariateNormal(torch.zeros(3).double(), torch.eye(3) + w @ w.T).log_prob(x)
    assert_close(-loss, evidence.squeeze())
    gradients = torch.autograd.grad(loss, [loc, scale])
    assert all(gradient.tril().abs().max() < 1e-9 for gradient in gradients)


@pytest.mark.parametrize("family", [FullNormal, FlowPosterior])
@pytest.mark.parametrize("objective", [ImportanceWeighted(8), VariationalRenyi(0.5, 8)])
def test_bounds_weigh_codes_by_the_density_of_the_posterior(family, objective):
    vae = VAE((3,), 2, KL(), likelihood=NormalLikelihood, posterior=family, objective=objective)
    x = torch.randn(5, 3)
    torch.manual_seed(2)
    loss = vae(x).loss
    torch.manual_seed(2)
    c = torch.zeros(1, 0)
    q, p = vae.encode(x, c), vae.prior(c).expand((5,))
    z = q.rsample((8,))
    weights = torch.stack(
        [p.log_prob(k) + vae.decode(k, c).log_prob(x) - q.log_prob(k.clone()) for k in z]
    )
    power = 0.5 if isinstance(objective, VariationalRenyi) else 1.0
    expected = -((power * weights).logsumexp(0) - torch.tensor(8.0).log()) / power
    assert_close(loss, expected.mean(), rtol=1e-4, atol=1e-4)


def test_a_full_normal_finds_the_correlation_of_the_exact_posterior_and_a_diagonal_one_cannot():
    """pPCA with a known decoder: its gap is ½ Σ ln (Σ⁻¹)ⱼⱼ Σ... of the diagonal, 0 of the full."""
    w = torch.tensor([[1.0, 1.0], [1.0, 0.9], [0.0, 0.3]])
    precision = torch.eye(2) + w.T @ w
    gap = 0.5 * (precision.diagonal().log().sum() - precision.logdet())
    x = torch.randn(400, 3) @ torch.linalg.cholesky(torch.eye(3) + w @ w.T).T
    evidence = MultivariateNormal(torch.zeros(3), torch.eye(3) + w @ w.T).log_prob(x).mean()
    affine = partial(MLP, hidden=())
    for family, lost in ((FullNormal, 0.0), (DiagonalNormal, gap.item())):
        parts = {"encoder": affine, "decoder": affine, "likelihood": NormalLikelihood}
        vae = VAE((3,), 2, KL(), posterior=family, **parts)
        with torch.no_grad():
            vae.decoder.layers[0].weight.copy_(w)
            vae.decoder.layers[0].bias.zero_()
        optimizer = torch.optim.Adam(vae.encoder.parameters(), lr=0.03, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
        for _ in range(600):
            optimizer.zero_grad()
            vae(x).loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            elbo = torch.stack([vae(x).elbo.mean() for _ in range(300)]).mean()
        assert (evidence - elbo).item() == pytest.approx(lost, abs=0.03)
    assert gap > 0.2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prior", [StandardNormal, LearnedNormal])
def test_jeffreys_is_the_kl_both_ways(family, prior):
    _, q, _ = made(family, 2, n=3)
    p = prior(2).double()(torch.zeros(1, 0)).expand((3,))
    torch.manual_seed(1)
    z = q.rsample()
    torch.manual_seed(2)
    both = Jeffreys().divergence(q, p, z)
    torch.manual_seed(2)
    assert_close(both, KL().divergence(q, p, z) + ReverseKL().divergence(q, p, z))
