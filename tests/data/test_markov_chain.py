import pytest
import torch

from vae_zoo.data import MarkovChain


def test_the_seeds_alone_decide():
    first, again = MarkovChain(train=40), MarkovChain(train=40)
    assert torch.equal(first.transitions, again.transitions)
    for split, other in zip(first.splits, again.splits, strict=True):
        assert torch.equal(split.x, other.x)
    drawn = MarkovChain(train=40, data_seed=1)
    assert torch.equal(first.transitions, drawn.transitions)
    assert not torch.equal(first.splits.train.x, drawn.splits.train.x)
    assert not torch.equal(first.transitions, MarkovChain(train=40, chain_seed=1).transitions)


def test_sequences_are_of_the_length_and_the_states_asked_for():
    data = MarkovChain(states=3, length=9, train=40, batch_size=10)
    data.setup("fit")
    [(x, y)] = data.test_dataloader()
    assert (x.shape, y, data.shape) == ((10, 9, 3), None, (9, 3))
    assert [len(split.x) for split in data.splits] == [40, 10, 10]
    assert data.texts(x)[0] == " ".join(str(state) for state in data.splits.test.x[0].tolist())


def test_the_smaller_the_concentration_the_more_predictable_the_chain():
    rates = [
        MarkovChain(states=4, concentration=concentration).entropy_rate
        for concentration in (0.05, 0.5, 500.0)
    ]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(torch.tensor(4.0).log().item(), abs=0.01)


def test_impossible_steps_of_a_chain_have_no_chance():
    data = MarkovChain(states=2, length=2)
    data.transitions[0] = torch.tensor([1.0, 0.0])
    x = torch.eye(2)[torch.tensor([[0, 1]])]
    assert data.log_likelihood(x).item() == -torch.inf
    assert data.entropy_rate >= 0  # 0 ln 0 is 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": 1}, "states must be 2 to 256, got 1"),
        ({"states": 257}, "states must be 2 to 256, got 257"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"concentration": 0.0}, "concentration must be at least 0.05, got 0.0"),
        ({"concentration": float("nan")}, "concentration must be at least 0.05, got nan"),
        ({"chain_seed": -1}, "chain_seed must be non-negative, got -1"),
        ({"data_seed": -1}, "data_seed must be non-negative, got -1"),
        ({"train": 3}, "train must be at least 4, got 3"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MarkovChain(**options)
