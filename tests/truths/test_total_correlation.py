"""Total correlation against its definition, and against a Gaussian aggregate of known truth."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from vae_zoo.regularizers import TotalCorrelation, log_aggregate, log_weights


def normal(mean, scale):
    return Independent(Normal(mean, scale), 1)


def parts(q, p, z, n, **options):
    """Mutual information, total correlation and the divergences of the dimensions."""
    factors = torch.eye(3).tolist()
    values = []
    for alpha, beta, gamma in factors:
        regularizer = TotalCorrelation(alpha=alpha, beta=beta, gamma=gamma, **options)
        regularizer.dataset_size = n
        values.append(regularizer(q, p, z))
    return torch.stack(values)


def by_definition(z, mean, scale, weights):
    """E log Σ_j w_ij q_j(z_i) and E Σ_d log Σ_j w_ij q_j(z_id), by a tensor of all pairs."""
    densities = Normal(mean, scale).log_prob(z.unsqueeze(1)).exp()  # (N, M, D)
    joint = (weights * densities.prod(2)).sum(1).log().mean()
    return joint, (weights.unsqueeze(2) * densities).sum(1).log().sum(1).mean()


def aggregate(d, n):
    """Codes of n encoders N(Ax, S), x ~ N(0, I): the aggregate is N(0, AA' + S)."""
    a = torch.randn(d, d, generator=torch.Generator().manual_seed(d)).double() / d**0.5
    scale = torch.linspace(0.4, 0.9, d).double()
    mean = torch.randn(n, d).double() @ a.T
    q = normal(mean, scale.expand(n, d))
    return q, q.rsample(), a @ a.T + torch.diag(scale.square()), scale


def truth(covariance, scale):
    d = len(covariance)
    variances, total = covariance.diagonal(), MultivariateNormal(torch.zeros(d), covariance)
    information = (covariance.logdet() - scale.square().log().sum()) / 2
    marginals = normal(torch.zeros(d).double(), variances.sqrt())
    standard = normal(torch.zeros(d).double(), torch.ones(d).double())
    correlation = kl_divergence(
        total, MultivariateNormal(torch.zeros(d).double(), torch.diag(variances))
    )
    return torch.stack([information, correlation, kl_divergence(marginals, standard)])


def standard(n, d):
    return normal(torch.zeros(n, d).double(), torch.ones(n, d).double())


@pytest.mark.parametrize("sampling", ["mss", "mws"])
@pytest.mark.parametrize(("n", "d"), [(2, 1), (3, 2), (7, 5)])
def test_both_averages_are_those_of_the_definition(sampling, n, d):
    z, mean, scale = torch.randn(n, d).double(), torch.randn(n, d).double(), torch.rand(n, d) + 0.2
    weights = log_weights(n, 20, sampling, like=z)
    expected = by_definition(z, mean, scale.double(), weights.exp())
    assert_close(log_aggregate(z, mean, scale.double(), weights), expected)


def test_an_aggregate_cut_into_rows_is_that_of_all_at_once(monkeypatch):
    z, mean = torch.randn(11, 3).double(), torch.randn(11, 3).double().requires_grad_()
    scale = (torch.rand(11, 3).double() + 0.2).requires_grad_()
    weights = log_weights(11, 40, "mss", like=z)

    def gradients():
        values = log_aggregate(z, mean, scale, weights)
        return *values, *torch.autograd.grad(values[0] - 3 * values[1], (mean, scale))

    expected = gradients()
    monkeypatch.setattr("vae_zoo.regularizers.total_correlation.ELEMENTS", 2 * 33)
    assert_close(gradients(), expected)


@pytest.mark.parametrize("sampling", ["mss", "mws"])
def test_the_gradient_of_the_aggregate_is_that_of_finite_differences(sampling):
    z, mean = (torch.randn(5, 3).double().requires_grad_() for _ in range(2))
    scale = (torch.rand(5, 3).double() + 0.3).requires_grad_()
    weights = log_weights(5, 9, sampling, like=z)
    assert gradcheck(lambda *x: log_aggregate(*x, weights), (z, mean, scale))


@pytest.mark.parametrize(("n", "size"), [(2, 2), (2, 50), (5, 5), (5, 1000)])
def test_stratified_weights_are_those_of_the_paper(n, size):
    weights = log_weights(n, size, "mss", like=torch.zeros((), dtype=torch.double)).exp()
    m = n - 1
    assert_close(weights.diagonal(), torch.full((n,), 1 / size).double())
    assert_close(weights.sum(1), torch.ones(n).double())
    for row in range(n):
        others = sorted(weights[row, column].item() for column in range(n) if column != row)
        assert others == pytest.approx([(size - m) / (size * m), *[1 / m] * (m - 1)])
    assert_close(weights.sum(0), torch.ones(n).double())  # no posterior is favoured


def test_the_stratified_density_is_that_of_the_aggregate_in_the_mean_over_batches():
    size, n, draws = 40, 6, 4000
    mean, z = torch.randn(size, 2).double(), torch.randn(2).double()
    densities = Normal(mean, 0.5).log_prob(z).sum(1).exp()
    weights = log_weights(n, size, "mss", like=z).exp()[0]
    # The code is of example 0, and the others of its batch are drawn without replacement.
    others = 1 + torch.rand(draws, size - 1).argsort(1)[:, : n - 1]
    batches = torch.cat([torch.zeros(draws, 1, dtype=torch.long), others], dim=1)
    estimates = densities[batches] @ weights
    assert abs(estimates.mean() - densities.mean()) < 4 * estimates.std() / draws**0.5


@pytest.mark.parametrize("d", [2, 5])
def test_all_parts_of_a_gaussian_aggregate_are_its_closed_forms(d):
    n = 2000
    q, z, covariance, scale = aggregate(d, n)
    found = parts(q, standard(n, d), z, n)
    assert_close(found, truth(covariance, scale), rtol=0.0, atol=0.1)


def test_minibatches_approach_the_truth_as_they_grow():
    size = 4000
    q, z, covariance, scale = aggregate(3, size)
    expected = truth(covariance, scale)
    errors = []
    for n in (16, 64, 256):
        batches = torch.stack(
            [
                parts(
                    normal(q.mean[i : i + n], scale.expand(n, 3)),
                    standard(n, 3),
                    z[i : i + n],
                    size,
                )
                for i in range(0, 20 * n if n < 200 else size - n, n)
            ]
        )
        errors.append((batches.mean(0) - expected).abs())
    assert (errors[2] < errors[0] / 2).all()
    assert (errors[2] < 0.25).all()


@pytest.mark.parametrize("d", [1, 2, 5])
def test_weighted_sampling_is_off_by_its_constants(d):
    n = 300
    q, z, *_ = aggregate(d, n)
    found = parts(q, standard(n, d), z, n, sampling="mws")
    uniform = torch.full((n, n), 1 / n).double()
    joint, marginals = by_definition(z, q.base_dist.loc, q.base_dist.scale, uniform)
    own, prior = q.log_prob(z).mean(), standard(n, d).log_prob(z).mean()
    exact = torch.stack([own - joint, joint - marginals, marginals - prior])
    constants = math.log(n) * torch.tensor([1.0, d - 1, -d]).double()
    assert_close(found, exact + constants)


@pytest.mark.parametrize("sampling", ["mss", "mws"])
def test_the_parts_add_up_to_the_estimate_of_the_kl(sampling):
    q, z, *_ = aggregate(3, 30)
    kl = (q.log_prob(z) - standard(30, 3).log_prob(z)).mean()
    assert_close(parts(q, standard(30, 3), z, 500, sampling=sampling).sum(), kl)


def test_the_defaults_weigh_the_total_correlation_by_six():
    q, z, *_ = aggregate(3, 30)
    regularizer = TotalCorrelation(weight=0.5)
    regularizer.dataset_size = 500
    information, correlation, divergences = parts(q, standard(30, 3), z, 500)
    expected = 0.5 * (information + 6 * correlation + divergences)
    assert_close(regularizer(q, standard(30, 3), z), expected)


def test_where_every_posterior_is_the_prior_all_parts_vanish():
    p = standard(12, 4)
    assert_close(parts(p, p, p.sample(), 500), torch.zeros(3).double(), atol=1e-12, rtol=0.0)


def test_an_evaluation_without_a_data_set_takes_the_batch_for_it():
    q, z, *_ = aggregate(3, 30)
    regularizer = TotalCorrelation().eval()
    alone = regularizer(q, standard(30, 3), z)
    for size in (30, 7):  # nor can it be larger than the data set
        regularizer.dataset_size = size
        assert_close(regularizer(q, standard(30, 3), z), alone)


def test_single_precision_is_enough_for_narrow_posteriors_and_distant_codes():
    mean, noise = 3 * torch.randn(40, 4), torch.randn(40, 4)
    scale = torch.full((40, 4), 1e-3)
    for z in (mean + scale * noise, mean + 50):
        leaves = [x.clone().requires_grad_() for x in (z, mean, scale)]
        doubles = [x.double().requires_grad_() for x in (z, mean, scale)]
        for x in (leaves, doubles):
            joint, marginals = log_aggregate(*x, log_weights(40, 100, "mss", like=x[0]))
            (joint + marginals).backward()
            assert all(leaf.grad.isfinite().all() for leaf in x)
        for single, double in zip(leaves, doubles, strict=True):
            assert_close(single.grad.double(), double.grad, rtol=1e-3, atol=0.1)
