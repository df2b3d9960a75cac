import math

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.posteriors import Delta, Deterministic, DiagonalNormal
from vae_zoo.regularizers import MMD
from vae_zoo.vae import VAE


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


@pytest.mark.parametrize("family", [DiagonalNormal, Deterministic])
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
