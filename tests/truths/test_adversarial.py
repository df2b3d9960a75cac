"""Adversaries against what they converge to: divergences of known value, and exact transport."""

import math
from copy import deepcopy

import ot
import pytest
import torch
from scipy.integrate import quad
from sklearn.datasets import load_digits
from torch.distributions import Independent, Normal
from torch.nn.functional import normalize
from torch.optim import SGD, Adam
from torch.testing import assert_close

from vae_zoo.posteriors import Delta
from vae_zoo.regularizers import Adversarial, CriticWasserstein, FactorVAE, gradient_penalty

ADVERSARIES = {
    "adversarial": Adversarial,
    "clip": lambda **options: CriticWasserstein(lipschitz="clip", **options),
    "penalty": CriticWasserstein,
    "spectral": lambda **options: CriticWasserstein(lipschitz="spectral", **options),
    "factor": FactorVAE,
}


def normal(n, d, mean=0.0, scale=1.0):
    return Independent(Normal(torch.full((n, d), mean), torch.full((n, d), scale)), 1)


def built(name, d, **options):
    regularizer = ADVERSARIES[name](**options)
    regularizer.build(d)
    return regularizer


def train(regularizer, steps, codes, prior):
    """Train the critic alone, on codes and a prior drawn anew for each batch."""
    optimizer = Adam(regularizer.parameters(), **regularizer.optimizer_options)
    for _ in range(steps):
        q, p = codes(), prior()
        optimizer.zero_grad()
        regularizer.critic_loss(q, p, q.sample()).backward()
        optimizer.step()


def gradients(module):
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("name", ADVERSARIES)
def test_neither_player_gets_a_gradient_of_the_others_loss(name):
    regularizer = built(name, 3, hidden=[8])
    mean, loc = (torch.randn(6, 3, requires_grad=True) for _ in range(2))
    scale = torch.full((6, 3), 0.7, requires_grad=True)
    q, p = (Independent(Normal(at, scale), 1) for at in (mean, loc))
    z = q.rsample()
    regularizer(q, p, z).backward()
    assert not gradients(regularizer)
    assert all((x.grad != 0).any() for x in (mean, loc, scale))
    mean.grad = loc.grad = scale.grad = None
    regularizer.critic_loss(q, p, z).backward()
    assert mean.grad is loc.grad is scale.grad is None
    assert len(gradients(regularizer)) == len(list(regularizer.parameters()))


@pytest.mark.parametrize("name", ADVERSARIES)
def test_both_losses_in_one_backward_have_the_gradients_of_two(name):
    q, p = normal(16, 3, 1.0), normal(16, 3)
    z = q.sample().requires_grad_()
    regularizer = built(name, 3, hidden=[8])
    apart, together = deepcopy(regularizer), deepcopy(regularizer)
    torch.manual_seed(1)
    apart(q, p, z).backward()
    apart.critic_loss(q, p, z).backward()
    expected, z.grad = z.grad, None
    torch.manual_seed(1)
    (together(q, p, z) + together.critic_loss(q, p, z)).backward()
    assert_close(z.grad, expected)
    assert_close(gradients(together), gradients(apart))


@pytest.mark.parametrize("name", ADVERSARIES)
def test_an_adversary_goes_on_from_its_state_as_if_never_interrupted(name):
    def codes():
        return normal(16, 3, 1.0, 0.5)

    def prior():
        return normal(16, 3)

    first, second = built(name, 3, hidden=[8]), built(name, 3, hidden=[8])
    train(first, 3, codes, prior)
    second.load_state_dict(first.state_dict())
    for regularizer in (first, second):
        torch.manual_seed(1)
        train(regularizer, 3, codes, prior)
    assert_close(second.state_dict(), first.state_dict(), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_an_evaluation_measures_as_a_training_does_and_changes_nothing(name):
    q, p = normal(16, 3, 1.0), normal(16, 3)
    z = q.sample()
    regularizer = built(name, 3, hidden=[8])
    train(regularizer, 2, lambda: q, lambda: p)
    regularizer.critic_loss(q, p, z)  # clips

    def losses():
        torch.manual_seed(1)
        return regularizer.eval()(q, p, z).clone(), regularizer.critic_loss(q, p, z).clone()

    expected, before = losses(), deepcopy(regularizer.state_dict())
    with torch.inference_mode():
        found = losses()
    assert_close(found, expected)
    assert_close(regularizer.state_dict(), before, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_the_loss_of_a_critic_is_computed_in_single_precision_under_autocast(name):
    q, p = normal(16, 3, 20.0), normal(16, 3)
    z = q.sample()
    regularizer = built(name, 3, hidden=[8]).eval()
    torch.manual_seed(1)
    expected = regularizer.critic_loss(q, p, z)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(regularizer.critic_loss(q, p, z), expected)


def test_a_discriminator_that_cannot_tell_has_the_declared_null_value():
    regularizer = built("adversarial", 3)
    for parameter in regularizer.parameters():
        parameter.data.zero_()
    p = normal(16, 3)
    null = torch.tensor(Adversarial.null_value)
    assert_close(null, torch.tensor(2 * math.log(2)))
    assert_close(regularizer(p, p, p.sample()), null)
    assert_close(regularizer.critic_loss(p, p, p.sample()).detach(), null)


def test_a_trained_discriminator_cannot_tell_codes_of_the_prior_from_the_prior():
    regularizer = built("adversarial", 2, hidden=[32], lr=1e-3)
    train(regularizer, 150, lambda: normal(256, 2), lambda: normal(256, 2))
    p = normal(20000, 2)
    y, z = p.sample(), p.sample()
    with torch.no_grad():
        assert regularizer(p, p, z).item() == pytest.approx(2 * math.log(2), abs=0.02)
        assert regularizer.critic_loss(p, p, z).item() == pytest.approx(2 * math.log(2), abs=0.02)
        right = (regularizer.critic(y) > 0).float().mean() + (
            regularizer.critic(z) < 0
        ).float().mean()
    assert (right / 2).item() == pytest.approx(0.5, abs=0.02)


def test_the_best_discriminator_of_two_normals_has_the_losses_of_their_divergences():
    shift = 1.5
    q, p = torch.distributions.Normal(shift, 1.0), torch.distributions.Normal(0.0, 1.0)

    def expectation(of, log_ratio):
        def integrand(x):
            x = torch.tensor(x, dtype=torch.double)
            return (of.log_prob(x).exp() * log_ratio(q.log_prob(x), p.log_prob(x))).item()

        return quad(integrand, -8, 10)[0]

    def to_mixture(of_q, of_p):
        return torch.logaddexp(of_q, of_p) - math.log(2)

    js = expectation(q, lambda a, b: a - to_mixture(a, b)) / 2
    js += expectation(p, lambda a, b: b - to_mixture(a, b)) / 2
    regularizer = built("adversarial", 1, hidden=[32])
    train(regularizer, 300, lambda: normal(512, 1, shift), lambda: normal(512, 1))
    codes, prior = normal(100000, 1, shift), normal(100000, 1)
    with torch.no_grad():
        z = codes.sample()
        critic, model = regularizer.critic_loss(codes, prior, z), regularizer(codes, prior, z)
    assert critic.item() == pytest.approx(2 * math.log(2) - 2 * js, abs=0.02)
    # E_q log (q + p) / p + E_p log (q + p) / q, where KL = shift² / 2 both ways.
    assert model.item() == pytest.approx(2 * math.log(2) - 2 * js + shift**2, abs=0.15)


@pytest.mark.parametrize("name", ["adversarial", "penalty", "clip", "spectral"])
def test_steps_down_the_divergence_move_codes_and_prior_towards_each_other(name):
    shift = torch.tensor([1.0, 0.0])
    regularizer = built(name, 2, hidden=[32])
    train(regularizer, 100, lambda: Delta(torch.randn(128, 2) + shift), lambda: normal(128, 2))
    offset, mean = (torch.zeros(2, requires_grad=True) for _ in range(2))
    z = torch.randn(512, 2) + shift + offset
    p = Independent(Normal(mean.expand(512, 2), 1.0), 1)
    regularizer(Delta(z), p, z).backward()
    assert offset.grad[0] > 0 > mean.grad[0]
    assert abs(offset.grad[1]) < offset.grad[0]


def test_the_penalty_of_a_linear_critic_is_that_of_its_slope():
    a = torch.tensor([3.0, 4.0], requires_grad=True)
    penalty = gradient_penalty(lambda x: x @ a, torch.randn(9, 2), torch.randn(9, 2))
    assert_close(penalty, torch.tensor(16.0))
    penalty.backward()
    assert_close(a.grad, 8 * torch.tensor([3.0, 4.0]) / 5)


def test_the_slope_is_taken_at_random_points_between_the_samples():
    x, y = torch.tensor([[1.0]]).expand(4000, 1), torch.tensor([[3.0]]).expand(4000, 1)
    # The slope of x² / 2 is x, uniform on [1, 3]: E (x - 1)² = 4 / 3.
    penalty = gradient_penalty(lambda x: x.square().sum(1) / 2, x, y)
    assert penalty.item() == pytest.approx(4 / 3, abs=0.08)


def test_the_penalty_asks_for_slope_one_from_below_too_and_survives_slope_zero():
    a = torch.zeros(2, requires_grad=True)
    penalty = gradient_penalty(lambda x: x @ a, torch.randn(9, 2), torch.randn(9, 2))
    penalty.backward()
    assert penalty.item() == 1
    assert a.grad.isfinite().all()


def test_the_penalty_in_the_loss_of_the_critic_has_the_factor_asked_for():
    p, z = normal(16, 3), torch.randn(16, 3)
    regularizers = [built("penalty", 3, penalty=factor) for factor in (1.0, 2.0, 4.0)]
    losses = []
    for regularizer in regularizers:
        regularizer.load_state_dict(regularizers[0].state_dict())
        torch.manual_seed(1)
        losses.append(regularizer.critic_loss(p, p, z))
    assert_close(losses[2] - losses[1], 2 * (losses[1] - losses[0]))
    assert (losses[1] - losses[0]).abs() > 1e-3


def test_the_gradient_of_the_critics_loss_is_that_of_finite_differences():
    regularizer = built("penalty", 2, hidden=[5]).double()
    x, y = torch.randn(7, 2).double(), torch.randn(7, 2).double()

    def loss():
        torch.manual_seed(3)
        return regularizer.critic_loss(Delta(x), Delta(y), x)

    loss().backward()
    with torch.no_grad():
        for parameter in regularizer.parameters():
            at = parameter.view(-1)
            for i in range(0, len(at), 3):
                start = at[i].item()
                at[i] = start + 1e-6
                above = loss()
                at[i] = start - 1e-6
                below = loss()
                at[i] = start
                slope = (above - below) / 2e-6
                assert_close(parameter.grad.view(-1)[i], slope, rtol=1e-5, atol=1e-7)


def test_clipped_parameters_are_in_range_whenever_they_are_used():
    p, z = normal(16, 3), torch.randn(16, 3, requires_grad=True)
    regularizer = built("clip", 3, hidden=[8], clip=0.05)
    optimizer = SGD(regularizer.parameters(), lr=100.0)
    for _ in range(3):
        clipped = deepcopy(regularizer)
        for parameter in clipped.parameters():
            parameter.data.clamp_(-0.05, 0.05)
        torch.manual_seed(1)
        penalty = regularizer(p, p, z)
        torch.manual_seed(1)
        assert torch.equal(penalty, clipped(p, p, z))
        loss = regularizer.critic_loss(p, p, z)
        assert max(parameter.abs().max() for parameter in regularizer.parameters()) <= 0.0501
        optimizer.zero_grad()
        (penalty + loss).backward()
        optimizer.step()
        assert max(parameter.abs().max() for parameter in regularizer.parameters()) > 0.06


def test_a_critic_of_spectral_norm_one_has_no_slope_above_one():
    regularizer = built("spectral", 4, hidden=[32, 32], lr=1e-2)
    train(regularizer, 60, lambda: normal(64, 4, 3.0), lambda: normal(64, 4))
    regularizer.eval()
    x, y = 3 * torch.randn(2, 2000, 4)
    with torch.no_grad():
        slopes = (regularizer.critic(x) - regularizer.critic(y)).abs() / (x - y).norm(dim=1)
        layers = [m for m in regularizer.critic.layers if isinstance(m, torch.nn.Linear)]
        norms = torch.stack([torch.linalg.matrix_norm(layer.weight, 2) for layer in layers])
    assert_close(norms, torch.ones(3), rtol=0.02, atol=0.0)
    assert 0.3 < slopes.max() < 1.02


def exact(x, y):
    costs = ot.dist(x.double().numpy(), y.double().numpy(), metric="euclidean")
    return ot.emd2([], [], costs, numItermax=10**7)


@pytest.fixture(scope="module")
def codes():
    """Digits on their first two principal axes, of unit variance and off the prior."""
    x = torch.from_numpy(load_digits().data).float()
    axes = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:2]
    z = (x - x.mean(0)) @ axes.T
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))
    return (z / z.std(0) + torch.tensor([0.5, 0.5]))[order[:1000]]


def ratios(name, codes, **options):
    """The estimate of a trained critic to the exact W₁ of the same codes, for three seeds."""
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        y = torch.randn(len(codes), 2)
        regularizer = built(name, 2, hidden=[64, 64], **options)
        train(
            regularizer,
            300,
            lambda: Delta(codes[torch.randint(len(codes), (256,))]),
            lambda: normal(256, 2),
        )
        with torch.no_grad():
            estimate = regularizer(Delta(codes), Delta(y), codes)
        found.append(estimate.item() / exact(codes, y))
    return found


def test_a_critic_with_gradient_penalty_finds_the_exact_distance_of_digits_codes(codes):
    floor = exact(torch.randn(1000, 2), torch.randn(1000, 2))
    assert floor < 0.2 < 0.6 < exact(codes, torch.randn(1000, 2))
    assert ratios("penalty", codes, lr=1e-3) == pytest.approx([1.0] * 3, abs=0.15)


@pytest.mark.parametrize(("name", "expected"), [("clip", 0.004), ("spectral", 0.95)])
def test_the_ratio_of_a_bounded_critic_to_the_exact_distance_is_stable(codes, name, expected):
    assert ratios(name, codes) == pytest.approx([expected] * 3, rel=0.1)


def test_factor_vae_estimates_the_total_correlation_of_a_correlated_normal():
    rho = 0.8
    mix = torch.tensor([[1.0, rho], [0.0, (1 - rho**2) ** 0.5]])

    def codes(n=512):
        return Delta(torch.randn(n, 2) @ mix)

    regularizer = built("factor", 2, hidden=[64], lr=3e-3)
    train(regularizer, 400, codes, lambda: None)
    with torch.no_grad():
        estimate = regularizer.critic.frozen(codes(20000).sample()).mean()
    assert estimate.item() == pytest.approx(-math.log(1 - rho**2) / 2, abs=0.07)


def test_factor_vae_adds_gamma_times_its_estimate_to_the_kl():
    regularizer = built("factor", 3, gamma=7.0, weight=2.0)
    q, p = normal(16, 3, 1.0, 0.5), normal(16, 3)
    z = q.sample()
    kl = 3 * (0.25 + 1 - 1 - math.log(0.25)) / 2
    with torch.no_grad():
        expected = 2 * (kl + 7 * regularizer.critic(z).mean())
    assert_close(regularizer(q, p, z), expected)


def test_factor_vae_shows_its_critic_one_half_as_it_is_and_the_other_permuted():
    regularizer = built("factor", 3)
    seen = []
    regularizer.critic.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    z = torch.randn(41, 3)
    regularizer.critic_loss(Delta(z), None, z)
    codes, mixed = seen[0][:20], seen[0][20:]
    assert torch.equal(codes, z[:20])
    assert torch.equal(mixed.sort(0).values, z[20:].sort(0).values)
    assert len({tuple(row) for row in mixed.tolist()} & {tuple(row) for row in z.tolist()}) < 3
    assert normalize(mixed - z[20:], dim=1).abs().sum() > 1
