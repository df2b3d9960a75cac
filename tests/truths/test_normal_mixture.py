"""The gradient through the samples of a mixture is that of the expectation."""

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from vae_zoo.priors import MixtureOfNormals
from vae_zoo.priors.normal_mixture import NormalMixture, mixture

LOC = torch.tensor([[-1.0, 0.5, 0.2], [0.8, -0.7, 1.0], [0.3, 1.2, -0.9]]).double()
SCALE = torch.tensor([[0.7, 1.1, 0.9], [1.2, 0.6, 0.8], [0.8, 0.9, 1.3]]).double()
LOGITS = torch.tensor([0.3, -0.4, 0.1]).double()
STEPS = {1: 0.01, 2: 0.08, 3: 0.25}  # of the grid: the trapezoidal rule is that good for normals


def parameters(dimensions):
    parts = (LOGITS, LOC[:, :dimensions], SCALE[:, :dimensions])
    return [part.clone().requires_grad_() for part in parts]


def made(logits, loc, scale):
    return mixture(logits, Independent(Normal(loc, scale), 1))


def test_function(z):
    """Not linear, and no sum over the dimensions."""
    return torch.sin(2 * z).prod(-1) + (z.cumsum(-1).square() * z[..., :1]).sum(-1) / 3


test_function.__test__ = False


def exact_gradients(dimensions):
    """Those of ∫ p(z) f(z) dz by quadrature, with the grid and its weights p(z) dz."""
    params, step = parameters(dimensions), STEPS[dimensions]
    axis = torch.arange(-8, 8, step).double()
    grid = torch.cartesian_prod(*[axis] * dimensions).view(-1, dimensions)
    weights = made(*params).log_prob(grid).exp() * step**dimensions
    assert_close(weights.sum(), torch.tensor(1.0).double(), atol=1e-6, rtol=0)
    gradients = torch.autograd.grad((weights * test_function(grid)).sum(), params)
    return gradients, grid, weights.detach()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_mean_gradient_through_samples_is_exact(monkeypatch, dimensions):
    """Integrated over all samples, so that no noise hides an error."""
    expected, grid, weights = exact_gradients(dimensions)
    monkeypatch.setattr(NormalMixture, "sample", lambda self, shape: grid)
    params = parameters(dimensions)
    z = made(*params).rsample((len(grid),))
    assert torch.equal(z, grid)
    gradients = torch.autograd.grad((weights * test_function(z)).sum(), params)
    for gradient, truth in zip(gradients, expected, strict=True):
        assert_close(gradient, truth, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_the_gradient_through_random_samples_is_right_within_its_error(dimensions):
    expected, *_ = exact_gradients(dimensions)
    gradients = []
    for _ in range(40):
        params = [part.float().detach().requires_grad_() for part in parameters(dimensions)]
        loss = test_function(made(*params).rsample((2500,))).mean()
        gradients.append(torch.autograd.grad(loss, params))
    for estimates, truth in zip(zip(*gradients, strict=True), expected, strict=True):
        estimates = torch.stack(estimates).double()
        error = estimates.std(0) / len(estimates) ** 0.5
        assert ((estimates.mean(0) - truth).abs() < 4 * error).all()


def test_the_gradient_is_the_slope_of_sampled_expectations():
    expected, *_ = exact_gradients(1)
    h, slopes = 0.2, []
    for sign in (1, -1):
        logits = LOGITS + sign * h * torch.eye(3)[0]
        z = made(logits, LOC[:, :1], SCALE[:, :1]).sample((400_000,))
        slopes.append(sign * test_function(z).mean() / (2 * h))
    assert sum(slopes).item() == pytest.approx(expected[0][0].item(), abs=0.02)


def test_a_batch_of_mixtures_passes_to_each_the_gradient_that_it_has_alone(monkeypatch):
    z = torch.randn(2, 3).double()
    batch = [torch.stack([part, part.flip(0) + 0.1]) for part in (LOGITS, LOC, SCALE)]
    together = [part.clone().requires_grad_() for part in batch]
    monkeypatch.setattr(NormalMixture, "sample", lambda self, shape: z)
    test_function(made(*together).rsample()).sum().backward()
    for b in range(2):
        alone = [part[b].clone().requires_grad_() for part in batch]
        with monkeypatch.context() as patch:
            patch.setattr(NormalMixture, "sample", lambda self, shape, b=b: z[b])
            test_function(made(*alone).rsample()).backward()
        for one, all_of_them in zip(alone, together, strict=True):
            assert_close(one.grad, all_of_them.grad[b])


def test_gradients_stay_finite_where_components_are_far_apart_or_thin():
    prior = MixtureOfNormals(20, components=4)
    with torch.no_grad():
        prior.loc.mul_(100)
        prior.log_scale.copy_(torch.randn(4, 20) * 5)
    z = prior(torch.zeros(1, 0)).expand((5000,)).rsample()
    z.square().sum().backward()
    assert z.isfinite().all()
    assert all(part.grad.isfinite().all() for part in prior.parameters())


def test_gradients_stay_finite_where_the_density_is_zero_in_single_precision(monkeypatch):
    params = [part.float().detach().requires_grad_() for part in parameters(2)]
    far = torch.tensor([[60.0, -60.0]])
    monkeypatch.setattr(NormalMixture, "sample", lambda self, shape: far)
    made(*params).rsample((1,)).sum().backward()
    assert all(part.grad.isfinite().all() for part in params)


def test_samples_taken_without_gradients_are_the_same():
    p = made(*parameters(2))
    torch.manual_seed(1)
    z = p.rsample((7,))
    torch.manual_seed(1)
    with torch.no_grad():
        assert torch.equal(p.rsample((7,)), z)
