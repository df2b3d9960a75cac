"""Every example at the right time, in one process and in several."""

import numpy as np
import pytest
import torch
from torch import Tensor

from vae_zoo.data.loaders import Batch, InOrder, Shuffled
from vae_zoo.data.splits import Split


def numbered(size: int) -> Split:
    return Split(torch.arange(size).float(), torch.arange(size))


def as_stored(split: Split, generator: np.random.Generator | None = None) -> Batch:
    return split.x, split.y


def with_noise(split: Split, generator: np.random.Generator) -> Batch:
    return split.x + torch.from_numpy(generator.random(split.x.shape)), split.y


def shuffled(size=103, batch_size=10, prepare=as_stored, seed=0, epoch=0, **place) -> list[Tensor]:
    loader = Shuffled(numbered(size), batch_size, prepare, seed, **place)
    loader.set_epoch(epoch)
    batches = list(loader)
    assert len(loader) == len(batches)
    return [x for x, _ in batches]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return torch.equal(torch.cat(first), torch.cat(second))


def test_an_epoch_of_training_has_no_example_twice_and_leaves_out_the_rest():
    batches = shuffled()
    assert [len(x) for x in batches] == [10] * 10
    assert len(torch.cat(batches).unique()) == 100


def test_the_examples_left_out_of_training_change_from_epoch_to_epoch():
    seen = {int(x) for epoch in range(5) for x in torch.cat(shuffled(epoch=epoch))}
    assert seen == set(range(103))


def test_the_order_is_a_function_of_seed_and_epoch():
    first = shuffled(epoch=3)
    torch.manual_seed(5)
    np.random.seed(5)
    assert same(first, shuffled(epoch=3))
    assert not same(first, shuffled(epoch=4))
    assert not same(first, shuffled(epoch=3, seed=1))


def test_the_noise_is_a_function_of_seed_epoch_and_rank():
    def noise(**of) -> tuple[float, ...]:
        x = torch.cat(shuffled(size=80, batch_size=40, prepare=with_noise, **of))
        return tuple(round(float(u), 6) for u in (x % 1)[:40])

    draws = [noise(), noise(epoch=1), noise(seed=1), noise(rank=1, ranks=2)]
    assert len(set(draws)) == 4
    assert noise(rank=1, ranks=2) == draws[3]


def test_labels_go_with_their_examples():
    for x, y in Shuffled(numbered(103), 10, as_stored, 0):
        assert torch.equal(x.long(), y)
    for x, y in InOrder(numbered(103), 10, as_stored):
        assert torch.equal(x.long(), y)


def test_the_epoch_may_be_told_after_the_iterator_was_asked_for():
    loader = Shuffled(numbered(103), 10, as_stored, 0)
    batches = iter(loader)
    loader.sampler.set_epoch(7)
    assert torch.equal(next(batches)[0], shuffled(epoch=7)[0])


def test_batches_of_two_ranks_put_together_are_those_of_one_process():
    ranks = [shuffled(batch_size=5, rank=rank, ranks=2) for rank in range(2)]
    assert [len(x) for x in ranks[1]] == [5] * 10
    assert same([torch.cat(pair) for pair in zip(*ranks, strict=True)], shuffled(batch_size=10))


@pytest.mark.parametrize("size", [1, 20, 23, 40, 41, 42, 60])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_evaluation_sees_every_example_once_in_equally_many_batches(size: int, ranks: int):
    loaders = [InOrder(numbered(size), 7, as_stored, rank, ranks) for rank in range(ranks)]
    batches = [[x for x, _ in loader] for loader in loaders]
    seen = torch.cat([x for rank in batches for x in rank])
    assert sorted(seen.tolist()) == list(range(size))
    assert {len(rank) for rank in batches} == {len(loaders[0])}
    if size >= ranks:
        assert min(len(x) for rank in batches for x in rank) > 0


def test_the_last_batch_of_an_evaluation_is_the_smaller_one():
    batches = [x.tolist() for x, _ in InOrder(numbered(24), 10, as_stored)]
    assert batches == [list(range(10)), list(range(10, 20)), [20, 21, 22, 23]]


def test_a_rest_too_small_for_moments_joins_the_batch_before():
    batches = [x.tolist() for x, _ in InOrder(numbered(23), 10, as_stored)]
    assert batches == [list(range(10)), list(range(10, 23))]


def test_a_batch_that_the_examples_cannot_fill_is_refused():
    with pytest.raises(ValueError, match=r"at most 103: there are 103 training examples, got 104"):
        Shuffled(numbered(103), 104, as_stored, 0)
    with pytest.raises(ValueError, match=r"at most 51 on each of 2 devices: .* got 52"):
        Shuffled(numbered(103), 52, as_stored, 0, ranks=2)
