"""Each property of the contract fails for a regularizer that breaks it, and for that alone."""

import os
import sys
from functools import partial

import pytest
import torch
from torch import distributed

from tests.contract.broken import BROKEN, Adversary, CriticThatNeverLearns, DirectionOfRankZero
from vae_zoo.contract import check_in_one_process, same_gradient_on_two_processes
from vae_zoo.regularizers import KL, Regularizer

TWO_PROCESSES = "two processes as one"


@pytest.fixture(scope="module")
def on_two_processes(pytestconfig):
    """What two processes say of each, but of those that are no finite scalar."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(pytestconfig.rootpath), *sys.path])  # finds broken.py
        patch.setitem(os.environ, "OMP_NUM_THREADS", "1")
        return same_gradient_on_two_processes(
            {
                family.__name__: family
                for family in (*BROKEN, Adversary, DirectionOfRankZero, KL)
                if BROKEN.get(family) != "scalar and finite"
            }
        )


def failed(family, on_two_processes):
    found = {one.name for one in check_in_one_process(family) if one.holds is False}
    verdict = on_two_processes.get(family.__name__)
    return found | ({TWO_PROCESSES} if verdict and verdict.holds is False else set())


@pytest.mark.parametrize("family", BROKEN)
def test_a_broken_regularizer_fails_in_the_property_that_it_breaks(family, on_two_processes):
    assert failed(family, on_two_processes) == {BROKEN[family]}


@pytest.mark.parametrize("family", [KL, Adversary, DirectionOfRankZero])
def test_a_right_one_fails_in_none(family, on_two_processes):
    assert failed(family, on_two_processes) == set()


def test_every_property_with_a_threshold_has_a_regularizer_that_breaks_it():
    names = {one.name for one in check_in_one_process(KL)} - {"cost relative to KL"}
    assert names | {TWO_PROCESSES} == set(BROKEN.values())


def test_a_critic_that_never_learns_is_found():
    assert "players are cut off" in failed(CriticThatNeverLearns, {})


def test_what_does_not_apply_is_said_with_the_reason():
    found = {one.name: one for one in check_in_one_process(KL)}
    assert found["deterministic posterior"].holds is None
    assert "KL needs the density of q(z | x)" in found["deterministic posterior"].figure
    assert found["players are cut off"].figure == "does not apply: it has no critic"
    assert found["cost relative to KL"].holds is None


class EndsItsProcess(KL):
    def divergence(self, q, p, z):
        if distributed.is_initialized():
            os._exit(3)
        return super().divergence(q, p, z)


def test_a_class_that_ends_its_process_fails(pytestconfig, monkeypatch):
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath))
    verdict = same_gradient_on_two_processes({"it": EndsItsProcess})["it"]
    assert verdict.holds is False
    assert "a process failed" in verdict.figure
    assert "exit code 3" in verdict.figure


class Unweighted(KL):
    def __init__(self):
        super().__init__(1.0)


class AnyPrior(KL):
    """Has no use for a learned prior, and says so."""

    def divergence(self, q, p, z):
        if p.mean.requires_grad:
            raise ValueError("AnyPrior needs a fixed prior")
        return super().divergence(q, p, z)


class Logarithm(KL):
    null_value = None
    biased = True

    def divergence(self, q, p, z):
        return (super().divergence(q, p, z) + 1 / len(z)).log()


class Constant(Regularizer):
    invariances = frozenset({"shift", "scale"})

    def divergence(self, q, p, z):
        return 0 * z.sum()


@pytest.mark.parametrize(
    ("family", "name", "reason"),
    [
        (Unweighted, "proportional to its weight", "its constructor takes no weight"),
        (AnyPrior, "gradient in a learned prior", "refused: AnyPrior needs a fixed prior"),
        (Logarithm, "value where q = p", "n=64: -4.1"),
        (Constant, "gradient in the encoder", "neither shift nor scale changes it"),
    ],
)
def test_a_class_says_what_does_not_apply_to_it(family, name, reason):
    found = {one.name: one for one in check_in_one_process(family)}
    assert found[name].holds is None
    assert reason in found[name].figure
    assert not [one for one in found.values() if one.holds is False]


def test_a_class_that_other_processes_cannot_import_is_told_why():
    class Local(KL):
        pass

    verdict = same_gradient_on_two_processes({"local": Local})["local"]
    assert verdict.holds is None
    assert "put it in a file of its own" in verdict.figure


def test_the_options_are_those_of_the_factory():
    class Twice(KL):
        def __init__(self, weight=1.0, factor=1.0):
            super().__init__(weight)
            self.factor = factor

        def divergence(self, q, p, z):
            return self.factor * super().divergence(q, p, z)

    one, two = (check_in_one_process(partial(Twice, factor=factor)) for factor in (1.0, 2.0))
    assert one[2].figure == "by 0, 1, 3: 0, 1, 9"
    assert two[2].figure == "by 0, 1, 3: 0, 2, 18"


def test_a_check_says_the_same_each_time_and_leaves_the_noise_as_it_was():
    noise = torch.get_rng_state()
    first, second = (check_in_one_process(Adversary)[:-1] for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), noise)
