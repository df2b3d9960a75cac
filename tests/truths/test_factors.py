"""Disentanglement against codes whose scores are known."""

from functools import partial
from itertools import product
from math import log

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score
from sklearn.preprocessing import StandardScaler

from vae_zoo.evaluation import (
    FactorScores,
    dci,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)
from vae_zoo.evaluation.noise import example_keys, fix_noise
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import MMD
from vae_zoo.vae import VAE

SIZES = (3, 4, 5)


def design(sizes=SIZES, repeats=20, seed=0):
    """Each combination of the factors equally often, in random order: they are independent."""
    rows = np.array([*product(*map(range, sizes))] * repeats)
    return torch.from_numpy(np.random.default_rng(seed).permutation(rows))


def noisy(seed, n=600, noise=0.3):
    """Random factors, a noisy dimension for each, and two that tell nothing."""
    generator = np.random.default_rng(seed)
    factors = np.stack([generator.integers(size, size=n) for size in SIZES], axis=1)
    codes = [factors + noise * generator.normal(size=factors.shape), generator.normal(size=(n, 2))]
    return torch.from_numpy(np.concatenate(codes, axis=1)), torch.from_numpy(factors)


def test_a_dimension_of_its_own_for_each_factor_is_perfect():
    factors = design()
    codes = factors * torch.tensor([1.0, -2.0, 0.5]).double() + 3
    assert mutual_information_gap(codes, factors) == pytest.approx(1, abs=1e-6)
    assert separated_attribute_predictability(codes, factors) == pytest.approx(1)
    found = dci(codes, factors)
    for score in (*found, factor_vae_score(codes, factors)):
        assert score.value == pytest.approx(1, abs=0.02)


def test_a_perfect_dimension_of_n_categories_gains_1_minus_1_over_n_on_any_other():
    factors = design(sizes=(3, 4), repeats=200)
    found = separated_attribute_predictability(factors.double(), factors, categorical=(0, 1))
    assert found == pytest.approx((2 / 3 + 3 / 4) / 2, abs=0.03)


def test_factors_that_two_dimensions_tell_equally_have_no_gap():
    factors = design()
    codes = factors.double().repeat(1, 2)
    assert mutual_information_gap(codes, factors) == pytest.approx(0, abs=1e-6)
    for categorical in ((), (1,)):
        assert separated_attribute_predictability(codes, factors, categorical) == pytest.approx(0)
    found = dci(codes, factors)
    assert found.disentanglement.value == pytest.approx(1, abs=0.01)
    assert found.completeness.value == pytest.approx(1 - log(2) / log(6), abs=0.02)
    assert found.informativeness.value == 1
    assert factor_vae_score(codes, factors).value == 1


def test_dimensions_that_mix_two_factors_equally_serve_neither():
    factors = design(sizes=(5, 5), repeats=30)
    a, b = factors.double().T
    codes = torch.stack([a + b, a - b], dim=1)
    assert mutual_information_gap(codes, factors) == pytest.approx(0, abs=0.02)
    assert separated_attribute_predictability(codes, factors) == pytest.approx(0, abs=1e-6)
    found = dci(codes, factors)
    assert found.disentanglement.value < 0.01
    assert found.completeness.value < 0.01
    assert found.informativeness.value == pytest.approx(1, abs=0.01)
    vote = factor_vae_score(codes, factors, sharing=1000)
    assert abs(vote.value - 0.5) < 4 * vote.standard_error


def test_codes_that_tell_nothing_are_at_chance():
    factors = design()
    codes = torch.randn(len(factors), 4).double()
    assert mutual_information_gap(codes, factors) < 0.02
    assert separated_attribute_predictability(codes, factors, categorical=(0,)) < 0.03
    found = dci(codes, factors)
    assert found.disentanglement.value < 0.02
    assert found.completeness.value < 0.02
    informed = found.informativeness
    assert abs(informed.value - np.mean([1 / size for size in SIZES])) < 4 * informed.standard_error
    vote, other = (factor_vae_score(codes, factors, seed) for seed in (0, 1))
    assert abs(vote.value - 1 / 3) < 4 * vote.standard_error
    error = (vote.value * (1 - vote.value) / 800) ** 0.5
    assert vote.standard_error == pytest.approx(error)
    assert vote != other


def test_the_gap_is_that_of_the_mutual_information_of_histograms():
    codes, factors = noisy(0)
    binned = [np.digitize(z, np.linspace(z.min(), z.max(), 8)[1:-1]) for z in codes.numpy().T]
    gaps = []
    for v in factors.numpy().T:
        told = sorted(mutual_info_score(z, v) for z in binned)
        gaps.append((told[-1] - told[-2]) / mutual_info_score(v, v))
    assert mutual_information_gap(codes, factors, bins=7) == pytest.approx(np.mean(gaps), rel=1e-6)


def test_sap_is_the_gap_of_linear_fits_and_of_logistic_regressions():
    codes, factors = noisy(1, noise=0.8)
    z, v, gaps = StandardScaler().fit_transform(codes), factors.numpy(), []
    for k in range(3):
        told = []
        for one in z.T[:, :, None]:
            if k != 1:
                told.append(np.corrcoef(one[:, 0], v[:, k])[0, 1] ** 2)
            else:
                regression = LogisticRegression().fit(one[:300], v[:300, k])
                told.append(regression.score(one[300:], v[300:, k]))
        gaps.append(np.subtract(*sorted(told)[:-3:-1]))
    found = separated_attribute_predictability(codes, factors, categorical=(1,))
    assert found == pytest.approx(np.mean(gaps), abs=5e-3)  # the scale of half the codes differs


def test_dci_is_made_of_the_entropies_of_the_importances():
    codes, factors = noisy(2)
    z, v = codes.numpy(), factors.numpy()
    options = {"max_features": None, "min_samples_leaf": 5, "random_state": 4}
    forests = [RandomForestClassifier(30, **options).fit(z[:300], f[:300]) for f in v.T]
    importances = np.stack([forest.feature_importances_ for forest in forests], axis=1)
    weights = importances.sum(axis=1) / importances.sum()
    found = dci(codes, factors, seed=4)
    expected = weights @ (1 - entropy(importances, base=3, axis=1))
    assert found.disentanglement.value == pytest.approx(expected)
    expected = np.mean(1 - entropy(importances, base=5, axis=0))
    assert found.completeness.value == pytest.approx(expected)
    scores = [forest.score(z[300:], f[300:]) for forest, f in zip(forests, v.T, strict=True)]
    assert found.informativeness.value == pytest.approx(np.mean(scores))
    assert 0.2 < found.completeness.value < 0.95


def test_a_factor_that_nothing_tells_does_not_count_as_complete():
    factors = design(sizes=(2, 2), repeats=50)
    constant = torch.zeros(200, 2).double()
    found = dci(constant, factors)
    assert found.disentanglement is None
    assert found.completeness is None
    assert 0.3 < found.informativeness.value < 0.7
    assert factor_vae_score(constant, factors) is None
    assert mutual_information_gap(constant, factors) == 0
    assert separated_attribute_predictability(constant, factors) == 0


def test_collapsed_dimensions_do_not_vote():
    factors = design()
    rare = torch.zeros(len(factors), 1).double()
    rare[0] = 0.5  # it varies less than the others among any examples that lack the first one
    codes = torch.cat([factors.double(), rare], dim=1)
    assert factor_vae_score(codes, factors).value == 1
    assert factor_vae_score(codes * torch.tensor([1, 1, 1, 100.0]), factors).value < 0.6


def test_factors_whose_values_no_two_examples_share_cannot_be_fixed():
    factors = torch.stack([torch.arange(40) % 2, torch.arange(40)], dim=1)
    assert factor_vae_score(factors.double(), factors) is None
    few = torch.stack([torch.arange(40) % 2, torch.arange(40).clamp(max=20)], dim=1)
    assert factor_vae_score(few * torch.tensor([10.0, 1.0]), few).value == 1


def scores_of(codes, factors, **options):
    """The metric's scores of a model whose codes are the examples themselves."""
    parts = {"posterior": Deterministic, "encoder": partial(MLP, hidden=())}
    vae = VAE((5,), 5, MMD(), decoder=partial(MLP, hidden=()), **parts)
    [encoder] = vae.encoder.layers
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(5))
        encoder.bias.zero_()
    metric = FactorScores(dict(zip("abc", SIZES, strict=True)), **options)
    metric.update(vae, codes.float(), factors=factors)
    return metric.compute()


def test_standard_errors_are_the_spread_over_other_examples():
    cards = [scores_of(*noisy(seed, n=300), categorical=("b",)) for seed in range(8)]
    for name in cards[0]:
        spread = np.std([card[name].value for card in cards], ddof=1)
        error = np.mean([card[name].standard_error for card in cards])
        if name == "factor_vae_score":  # each vote is right
            assert spread == error == 0
        elif name in ("dci_disentanglement", "dci_completeness"):  # of one tree, and too large
            assert 0.6 < error / spread < 5
        else:
            assert 0.5 < error / spread < 2


def test_the_metric_returns_what_the_functions_do_of_examples_in_an_order_of_its_own():
    codes, factors = noisy(3)
    found = scores_of(codes, factors, categorical=("b",), seed=4)
    keys = example_keys(example_keys(codes.float()), factors)
    fix_noise(4)
    order = keys.argsort()[torch.randperm(len(keys))]
    z, v = codes.float().double()[order], factors[order]
    expected = {
        "mig": mutual_information_gap(z, v),
        **{f"dci_{name}": score for name, score in dci(z, v, seed=4)._asdict().items()},
        "sap": separated_attribute_predictability(z, v, categorical=(1,)),
        "factor_vae_score": factor_vae_score(z, v, seed=4),
    }
    assert list(found) == list(expected)
    for name, score in expected.items():
        value = score if isinstance(score, float) else score.value
        assert found[name].value == pytest.approx(value, rel=1e-6)
