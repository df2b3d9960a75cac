"""Means of terms are over examples, whatever the batches, and of finite batches alone if asked."""

import math

import pytest
import torch

from vae_zoo.terms import MeanTerms, Terms


def terms(size, start, **changed):
    """Terms of a batch whose every number is known, counted from a start."""
    count = torch.arange(size) + float(start)
    each = {"loss": 3 * count.mean(), "reconstruction": count, "kl": 2 * count}
    return Terms(**{**each, "penalty": 2 * count.mean(), "critic": -count.mean()} | changed)


def kept(*batches, finite_only=False):
    means = MeanTerms()
    means.finite_only = finite_only
    for batch in batches:
        means.add(batch)
    return means


def taken(means, of_another_rank=0.0):
    found = means.take(lambda totals: totals + of_another_rank)
    return {name: mean.item() for name, mean in found.items()}


def test_means_are_over_the_examples_of_all_batches_in_the_order_of_the_log():
    found = taken(kept(terms(3, 0), terms(2, 3)))
    expected = {"loss": 6, "elbo": -6, "reconstruction": 2, "kl": 4, "penalty": 4, "critic": -2}
    assert found == pytest.approx(expected)
    assert [*found] == [*terms(1, 0).means()] == [*expected]


def test_terms_that_are_not_there_are_not_in_the_means():
    found = taken(kept(terms(3, 0, kl=None, critic=None), terms(2, 3, kl=None, critic=None)))
    assert found == pytest.approx({"loss": 6, "reconstruction": 2, "penalty": 4})


@pytest.mark.parametrize(
    "bad", [{"loss": torch.tensor(math.nan)}, {"kl": torch.full((2,), math.inf)}]
)
def test_batches_that_are_not_finite_are_left_out_if_asked(bad):
    batches = terms(3, 0), terms(2, 3, **bad)
    assert taken(kept(*batches, finite_only=True)) == pytest.approx(taken(kept(terms(3, 0))))
    assert not all(math.isfinite(mean) for mean in taken(kept(*batches)).values())


def test_where_no_batch_is_finite_the_means_are_those_of_other_ranks_or_nan():
    bad = terms(2, 0, loss=torch.tensor(math.nan))
    assert all(math.isnan(mean) for mean in taken(kept(bad, finite_only=True)).values())
    of_another = torch.tensor([4.0, 6.0, 8.0, 10.0, 12.0, 2.0])  # of two examples
    found = taken(kept(bad, finite_only=True), of_another)
    assert [*found.values()] == pytest.approx([2, -7, 3, 4, 5, 6])


def test_a_penalty_may_have_a_precision_of_its_own():
    half = terms(3, 0, penalty=torch.tensor(2.0, dtype=torch.bfloat16))
    assert taken(kept(half, half))["penalty"] == pytest.approx(2)


def test_what_is_taken_is_not_kept():
    means = kept(terms(3, 0))
    taken(means)
    assert means.kept == []
