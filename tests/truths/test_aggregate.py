"""The aggregate posterior against mixtures by scipy, sums over grids, and known normals."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import laplace, multivariate_normal, norm
from scipy.stats import t as student
from torch.distributions import (
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    StudentT,
    kl_divergence,
)
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from vae_zoo.data import LinearGaussian
from vae_zoo.evaluation import (
    AggregatePosterior,
    aggregate_density,
    kl_of_dimensions,
    log_aggregate,
    log_marginals,
    prior_log_ratio,
    surgery,
)
from vae_zoo.networks import MLP
from vae_zoo.posteriors import FlowPosterior, FullNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

GRID = np.linspace(-9, 9, 721)  # sums over it are exact to many digits for smooth densities
CELL = (GRID[1] - GRID[0]) ** 2


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def normal(mean, scale):
    return Independent(Normal(mean, scale), 1)


def standard(d):
    return normal(torch.zeros(d).double(), torch.ones(d).double())


def full_normal(n, d):
    family = FullNormal(d)
    return family(torch.randn(n, *family.params))


@pytest.mark.parametrize(("m", "n", "d"), [(1, 1, 1), (5, 7, 1), (4, 1, 3), (6, 9, 4)])
def test_the_density_of_diagonal_normals_is_that_of_their_mixture(m, n, d):
    z, mean, scale = torch.randn(m, d), torch.randn(n, d), torch.rand(n, d) + 0.1
    logs = norm.logpdf(z.double().numpy()[:, None], mean.double().numpy(), scale.double().numpy())
    found = log_aggregate(normal(mean, scale), z)
    assert found.dtype == torch.double
    expected = logsumexp(logs.sum(2), axis=1) - math.log(n)
    assert_close(found, torch.from_numpy(expected), rtol=1e-12, atol=1e-12)
    marginals = torch.from_numpy(logsumexp(logs, axis=1) - math.log(n))
    assert_close(log_marginals(normal(mean, scale), z), marginals, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("m", "n", "d"), [(5, 7, 1), (6, 9, 4)])
def test_the_density_of_full_normals_is_that_of_their_mixture(m, n, d):
    z, q = torch.randn(m, d), full_normal(n, d)
    points, loc = z.double().numpy(), q.loc.double().numpy()
    triangle = q.scale_tril.double().numpy()
    covariances = triangle @ triangle.transpose(0, 2, 1)
    pairs = list(zip(loc, covariances, strict=True))
    logs = np.stack([multivariate_normal(*pair).logpdf(points).reshape(m) for pair in pairs])
    expected = logsumexp(logs, axis=0) - math.log(n)
    assert_close(log_aggregate(q, z), torch.from_numpy(expected), rtol=1e-10, atol=1e-10)
    single = [norm.logpdf(points, mean, np.diagonal(s) ** 0.5) for mean, s in pairs]
    expected = torch.from_numpy(logsumexp(single, axis=0) - math.log(n))
    assert_close(log_marginals(q, z), expected, rtol=1e-10, atol=1e-10)


def test_the_density_of_flows_is_that_of_each_example_in_turn():
    family = FlowPosterior(3)
    for parameter in family.parameters():
        parameter.copy_(0.3 * torch.randn_like(parameter))
    params, z = torch.randn(4, *family.params), torch.randn(5, 3)
    logs = [[family(one).log_prob(code).item() for one in params.split(1)] for code in z.split(1)]
    expected = logsumexp(logs, axis=1) - math.log(4)
    found = log_aggregate(family(params), z)
    assert_close(found, torch.from_numpy(expected), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="needs a normal posterior, got a FlowedNormal"):
        log_marginals(family(params), z)


def test_flows_that_bend_nothing_have_the_density_of_diagonal_normals():
    family, z = FlowPosterior(3), torch.randn(5, 3)
    q = family(torch.randn(4, *family.params))
    assert_close(log_aggregate(q, z), log_aggregate(q.base, z), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_narrow_posteriors_cost_no_digits_wherever_they_lie(shift):
    mean = 5 * torch.randn(50, 6).double() + shift
    scale = torch.full_like(mean, 1e-4)
    z = mean + scale * torch.randn(50, 6).double()
    logs = norm.logpdf(z.numpy()[:, None], mean.numpy(), scale.numpy()).sum(2)
    expected = torch.from_numpy(logsumexp(logs, axis=1) - math.log(50))
    assert_close(log_aggregate(normal(mean, scale), z), expected, rtol=1e-13, atol=1e-11)


@pytest.mark.parametrize("full", [False, True])
def test_codes_taken_a_few_at_a_time_have_the_density_of_all_at_once(full, monkeypatch):
    q = full_normal(9, 3) if full else normal(torch.randn(9, 3), torch.rand(9, 3) + 0.1)
    z = torch.randn(11, 3)
    whole = log_aggregate(q, z), log_marginals(q, z)
    monkeypatch.setattr(aggregate_density, "rows_per_chunk", lambda like, numbers: 3)
    assert_close((log_aggregate(q, z), log_marginals(q, z)), whole, rtol=1e-12, atol=1e-12)


class Largest(TorchDispatchMode):
    """Records the size of the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


@pytest.mark.parametrize("full", [False, True])
def test_memory_does_not_grow_with_the_number_of_pairs(full):
    n, d = (2000, 5) if full else (3000, 5)
    q = full_normal(n, d) if full else normal(torch.randn(n, d), torch.rand(n, d) + 0.1)
    z = torch.randn(400, d)
    with Largest() as largest:
        log_aggregate(q, z)
        log_marginals(q, z)
    assert largest.numbers <= 2**17 < len(z) * n


def linear_run(n):
    """A VAE whose encoder is N(Ax + b, S), n examples of normal data, and what is true of them."""
    data = LinearGaussian(dimension=5, latents=2)
    x = data.draw(n, torch.Generator().manual_seed(1)).x
    affine = partial(MLP, hidden=())
    vae = VAE((5,), 3, KL(), encoder=affine, decoder=affine)
    matrix, bias = 0.3 * torch.randn(3, 5), torch.tensor([0.3, -0.2, 0.0])
    scale = torch.tensor([0.6, 0.8, 0.9])
    [encoder] = vae.encoder.layers
    encoder.weight.copy_(torch.cat([matrix, torch.zeros(3, 5)]))
    encoder.bias.copy_(torch.cat([bias, (scale - 1e-4).expm1().log()]))
    parts = matrix.double(), bias.double(), scale.double().square().diag()
    return vae, x, data, parts


def test_all_parts_of_a_gaussian_aggregate_are_its_closed_forms():
    """With N encoders, I(x; z) is too low by (E q(z | x) / q(z) - 1) / 2N, to first order."""
    n = 2000
    vae, x, data, (matrix, bias, noise) = linear_run(n)
    metric = AggregatePosterior(codes=n)
    metric.update(vae, x)
    found = metric.compute()
    truth = data.aggregate(matrix, bias, noise)
    mean = matrix @ data.mu + bias
    covariance = matrix @ data.covariance @ matrix.T + noise
    variance = covariance.diagonal()
    kl = kl_divergence(
        MultivariateNormal(mean, covariance),
        MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double()),
    )
    of_dimensions = (variance + mean.square() - 1 - noise.diagonal().log()) / 2
    expected = {
        "mutual_information": truth.mutual_information,
        "aggregate_kl": kl,
        "surgery_rate": truth.mutual_information + kl,
        "total_correlation": truth.total_correlation,
        "dimension_wise_kl": truth.dimension_wise_kl,
        **{f"kl_of_dimension/{d}": value for d, value in enumerate(of_dimensions)},
    }
    bias_of_information = math.expm1(2 * truth.mutual_information) / (2 * n)
    assert 0.5 < truth.mutual_information < 2
    assert truth.total_correlation > 0.1
    assert bias_of_information < 0.01
    assert found.keys() == expected.keys() | {"prior_log_ratio"}
    for name, value in expected.items():
        score = found[name]
        error = abs(score.value - value.item())
        assert error < 3 * score.standard_error + 2 * bias_of_information, name
        assert score.standard_error < 0.06


def test_the_rate_is_the_sum_of_its_parts_exactly():
    vae, x, _, _ = linear_run(150)
    metric = AggregatePosterior(seed=3)
    metric.update(vae, x)
    found = {name: score.value for name, score in metric.compute().items()}
    parts = found["mutual_information"] + found["aggregate_kl"]
    assert found["surgery_rate"] == parts
    by_dimensions = found["total_correlation"] + found["dimension_wise_kl"]
    assert found["aggregate_kl"] == pytest.approx(by_dimensions, rel=1e-12)


def test_the_sum_of_the_parts_is_the_rate_in_closed_form_in_the_mean_over_codes():
    mean, scale = torch.randn(40, 3).double(), torch.rand(40, 3).double() + 0.2
    rate = kl_divergence(normal(mean, scale), standard(3)).mean()
    q = normal(mean.repeat(50, 1), scale.repeat(50, 1))  # 50 codes of each
    z = q.sample()
    terms = surgery(normal(mean, scale), z, q.log_prob(z), standard(3))
    total = terms["mutual_information"] + terms["aggregate_kl"]
    assert_close(total, terms["surgery_rate"])
    assert abs(total.mean() - rate) < 4 * total.std() / len(z) ** 0.5


def test_parts_are_in_double_precision_and_ask_for_independent_dimensions():
    q, z = normal(torch.randn(5, 2), torch.rand(5, 2) + 0.1), torch.randn(5, 2)
    zero, one = torch.zeros(2), torch.ones(2)
    found = surgery(q, z, torch.zeros(5), normal(zero, one))
    log_prior = torch.from_numpy(norm.logpdf(z.double().numpy()).sum(1))
    expected = log_marginals(q, z).sum(1) - log_prior
    assert_close(found["dimension_wise_kl"], expected, rtol=1e-12, atol=1e-12)
    correlated = Independent(MultivariateNormal(zero, torch.tensor([[1.0, 0.5], [0.5, 1.0]])), 0)
    found = surgery(q, z, torch.zeros(5), correlated)
    assert list(found) == [
        "mutual_information",
        "aggregate_kl",
        "surgery_rate",
        "total_correlation",
    ]


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("n", [1, 2, 50])
def test_mutual_information_is_at_most_the_logarithm_of_the_number_of_examples(spread, n):
    q = normal(spread * torch.randn(n, 4).double(), torch.rand(n, 4).double() + 0.05)
    z = q.sample()
    information = surgery(q, z, q.log_prob(z), None)["mutual_information"]
    assert (information < math.log(n) + 1e-12).all()


@pytest.mark.parametrize("scale", [1e-4, 1e-2])
def test_posteriors_far_apart_tell_as_much_as_there_are_examples(scale):
    mean = torch.arange(200.0).double().unsqueeze(1) * torch.ones(3).double()
    q = normal(mean, torch.full_like(mean, scale))
    z = q.sample()
    terms = surgery(q, z, q.log_prob(z), standard(3))
    assert_close(terms["mutual_information"], torch.full((200,), math.log(200)).double())
    rate = q.log_prob(z) - standard(3).log_prob(z)
    assert_close(terms["aggregate_kl"], rate - math.log(200))


def test_encoders_that_ignore_the_example_tell_nothing():
    n, m, s = 2000, torch.tensor([0.4, -0.3]).double(), torch.tensor([0.7, 1.2]).double()
    q = normal(m.expand(n, 2), s.expand(n, 2))
    z = q.sample()
    terms = surgery(q, z, q.log_prob(z), standard(2))
    zero = torch.zeros(n).double()
    assert_close(terms["mutual_information"], zero, rtol=0, atol=1e-12)
    assert_close(terms["total_correlation"], zero, rtol=0, atol=1e-12)
    expected = kl_divergence(normal(m, s), standard(2))
    for name in ("aggregate_kl", "dimension_wise_kl", "surgery_rate"):
        assert abs(terms[name].mean() - expected) < 4 * terms[name].std() / n**0.5


MEANS, SCALES = np.array([[1.0, -0.8], [-1.0, 0.8]]), np.array([0.5, 0.7])  # of two modes


def two_modes(copies=10):
    """Encoders of two kinds, of which each group of every tenth example has one of each."""
    mean = torch.from_numpy(MEANS).repeat_interleave(copies, dim=0)
    return mean, torch.from_numpy(SCALES).expand(2 * copies, 2)


def densities_on_the_grid():
    """Those of q(z), of the product of its marginals, and of N(0, I)."""
    single = norm.pdf(GRID[:, None, None], MEANS, SCALES)  # (points, modes, D)
    joint = np.einsum("im,jm->ij", single[..., 0], single[..., 1]) / 2
    marginals = single.mean(1)
    normals = norm.pdf(GRID)
    return joint, np.outer(*marginals.T), np.outer(normals, normals)


def kl_on_the_grid(p, q):
    return (p * (np.log(p) - np.log(q))).sum() * CELL


def test_parts_of_two_modes_are_those_of_sums_over_a_grid():
    mean, scale = two_modes()
    joint, product, prior = densities_on_the_grid()
    assert joint.sum() * CELL == pytest.approx(1)
    which = torch.arange(20_000) % 20
    own = normal(mean[which], scale[which])
    z = own.sample()
    terms = surgery(normal(mean, scale), z, own.log_prob(z), standard(2))
    entropy = -(joint * np.log(joint)).sum() * CELL
    expected = {
        "mutual_information": entropy - own.entropy()[0].item(),
        "aggregate_kl": kl_on_the_grid(joint, prior),
        "total_correlation": kl_on_the_grid(joint, product),
        "dimension_wise_kl": kl_on_the_grid(product, prior),
    }
    assert 0.5 < expected["mutual_information"] < math.log(2)
    for name, value in expected.items():
        error = terms[name].std() / len(z) ** 0.5
        assert abs(terms[name].mean() - value) < 3 * error, name
        assert error < 0.01


def test_holes_of_two_modes_cost_what_a_sum_over_a_grid_says():
    mean, scale = two_modes()
    joint, _, prior = densities_on_the_grid()
    y = standard(2).sample((20_000,))
    log_prior = standard(2).log_prob(y)
    groups = [normal(mean[g::10], scale[g::10]) for g in range(10)]
    found = prior_log_ratio(groups, y, log_prior)
    expected = kl_on_the_grid(prior, joint)
    assert expected > 0.5
    assert abs(found.value - expected) < 3 * found.standard_error
    # All groups are alike, so that nothing but the samples makes for an error.
    spread = (log_prior - log_aggregate(normal(mean, scale), y)).std().item() / len(y) ** 0.5
    assert spread / 1.7 < found.standard_error < 1.7 * spread
    [whole] = [prior_log_ratio([normal(mean, scale)], y, log_prior)]
    assert whole == (pytest.approx(found.value, rel=1e-12), None)


def test_what_a_jackknife_leaves_out_are_groups_of_encoders_with_their_samples():
    mean, scale = torch.randn(7, 2).double(), torch.rand(7, 2).double() + 0.3
    y = torch.randn(5, 2).double()
    log_prior = standard(2).log_prob(y)
    groups = [normal(mean[g::3], scale[g::3]) for g in range(3)]
    found = prior_log_ratio(groups, y, log_prior)
    without = []
    for g in range(3):
        encoders, samples = np.arange(7) % 3 != g, np.arange(5) % 3 != g
        q = normal(mean[encoders], scale[encoders])
        without.append((log_prior[samples] - log_aggregate(q, y[samples])).mean().item())
    assert found.standard_error == pytest.approx(np.std(without) * 2**0.5, rel=1e-9)
    whole = log_prior - log_aggregate(normal(mean, scale), y)
    assert found.value == pytest.approx(whole.mean().item(), rel=1e-12)


def test_standard_errors_are_those_of_other_examples_with_other_noise():
    n, repetitions, values, errors = 200, 100, [], []
    a = torch.tensor([[0.9, 0.0], [0.5, 0.6]]).double()
    for _ in range(repetitions):
        mean = torch.randn(n, 2).double() @ a.T
        scale = torch.full_like(mean, 0.6)
        q = normal(mean, scale)
        z, y = q.sample(), standard(2).sample((n,))
        terms = surgery(q, z, q.log_prob(z), standard(2))
        groups = [normal(mean[g::10], scale[g::10]) for g in range(10)]
        holes = prior_log_ratio(groups, y, standard(2).log_prob(y))
        values.append([*(term.mean().item() for term in terms.values()), holes.value])
        spreads = [term.std().item() / n**0.5 for term in terms.values()]
        errors.append([*spreads, holes.standard_error])
    ratios = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(values, axis=0, ddof=1)
    assert ratios.shape == (6,)
    assert (ratios > 1 / 1.5).all()
    assert (ratios < 1.5).all()


def test_divergences_of_the_dimensions_are_integrals():
    mean, scale = torch.tensor([[0.5, -1.0]]).double(), torch.tensor([[0.4, 1.3]]).double()
    q = normal(mean, scale)
    zero, one = torch.zeros(2), torch.ones(2)
    priors = {
        "normal": (normal(0.2 * one, 1.5 * one), norm(0.2, 1.5)),
        "laplace": (Independent(Laplace(zero, one), 1), laplace()),
    }
    for p, known in priors.values():
        expected = [by_integral(m, s, known) for m, s in zip(mean[0], scale[0], strict=True)]
        assert_close(kl_of_dimensions(q, p)[0], torch.tensor(expected).double(), rtol=1e-6, atol=0)
    p = Independent(StudentT(5.0, zero, one), 1)
    with pytest.raises(NotImplementedError):
        kl_of_dimensions(q, p)
    many = normal(mean.expand(20_000, 2), scale.expand(20_000, 2))
    found = kl_of_dimensions(many, p, many.sample())
    errors = found.std(0) / len(found) ** 0.5
    expected = [by_integral(m, s, student(5)) for m, s in zip(mean[0], scale[0], strict=True)]
    assert ((found.mean(0) - torch.tensor(expected)).abs() < 3 * errors).all()


def by_integral(m, s, p):
    """KL(N(m, s²) ‖ p) on a line."""
    q = norm(m.item(), s.item())
    edges = (m.item() - 12 * s.item(), m.item() + 12 * s.item())
    return quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *edges, points=[0.0])[0]
