"""A likelihood of sequences sums to one, and comes as close to a known chain as can be."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch.nn.functional import one_hot
from torch.optim import Adam
from torch.testing import assert_close

from vae_zoo.data import MarkovChain
from vae_zoo.likelihoods import Tokens
from vae_zoo.networks import GRU, MLP
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def all_sequences(length, vocabulary):
    numbers = list(itertools.product(range(vocabulary), repeat=length))
    return one_hot(torch.tensor(numbers), vocabulary).float()


@pytest.mark.parametrize("word_dropout", [0.0, 0.5, 1.0])
def test_tokens_sum_to_one_over_all_sequences_whatever_was_hidden_in_training(word_dropout):
    likelihood = Tokens((3, 3), features=4, hidden=5, word_dropout=word_dropout).eval()
    x, features = all_sequences(3, 3), 3 * torch.randn(2, 4)
    log_probs = likelihood(features).log_prob(x.unsqueeze(1))
    assert log_probs.shape == (27, 2)
    assert_close(log_probs.exp().sum(0), torch.ones(2))


def test_tokens_sum_to_one_under_any_mask(monkeypatch):
    likelihood = Tokens((3, 3), features=4, hidden=5, word_dropout=0.5)
    x, features = all_sequences(3, 3), 3 * torch.randn(1, 4)
    totals, probabilities = [], []
    for mask in itertools.product([0.0, 0.9], repeat=2):  # hidden below 0.5
        with monkeypatch.context() as fixed:
            fixed.setattr(torch, "rand", lambda shape, m=mask, **_: torch.tensor(m).expand(shape))
            p = likelihood(features).log_prob(x).exp().detach()
        totals.append(p.sum())
        probabilities.append(p)
    assert_close(torch.stack(totals), torch.ones(4))
    assert not torch.allclose(probabilities[0], probabilities[-1])  # something was hidden


def test_the_log_probability_is_that_of_one_step_after_the_other():
    likelihood = Tokens((5, 4), features=3, hidden=6).double().eval()
    features, numbers = torch.randn(1, 3).double(), [2, 0, 3, 3, 1]
    cell = torch.nn.GRUCell(3, 6).double()
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in likelihood.gru.state_dict().items()}
    )
    state, before, expected = torch.zeros(1, 6).double(), likelihood.start_token, 0.0
    for number in numbers:
        state = cell(likelihood.embedding.weight[before] + features, state)
        logits = (state @ likelihood.logits.weight.T + likelihood.logits.bias)[0].detach().numpy()
        expected += logits[number] - np.log(np.exp(logits).sum())
        before = number
    x = one_hot(torch.tensor([numbers]), 4).double()
    assert likelihood(features).log_prob(x).item() == pytest.approx(expected, rel=1e-10)


def test_samples_of_tokens_have_the_frequencies_of_their_probabilities():
    likelihood = Tokens((3, 3), features=2, hidden=4).eval()
    p = likelihood(4 * torch.randn(2, 2))
    samples = p.sample((4000,))
    assert samples.shape == (4000, 2, 3, 3)
    assert torch.equal(samples.sum(-1), torch.ones(4000, 2, 3))
    numbers = samples.argmax(-1) @ torch.tensor([9, 3, 1])  # in the order of all sequences
    expected = p.log_prob(all_sequences(3, 3).unsqueeze(1)).exp().detach().double()
    for k in range(2):
        observed = numbers[:, k].bincount(minlength=27).numpy()
        frequencies = expected[:, k] / expected[:, k].sum() * 4000
        assert chisquare(observed, frequencies.numpy()).pvalue > 0.01


def test_the_greedy_text_takes_the_likeliest_token_given_those_before_it():
    likelihood = Tokens((3, 3), features=2, hidden=4).eval()
    p = likelihood(4 * torch.randn(6, 2))
    probabilities = p.log_prob(all_sequences(3, 3).unsqueeze(1)).exp().view(3, 3, 3, 6)
    for k, text in enumerate(likelihood.point(p).argmax(-1).tolist()):
        left = probabilities[..., k]
        for token in text:
            assert token == left.reshape(3, -1).sum(1).argmax()
            left = left[token]


def test_a_chain_is_stationary_and_its_likelihood_sums_to_one():
    data = MarkovChain(states=3, length=4, chain_seed=2)
    total = data.log_likelihood(all_sequences(4, 3)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-10)
    power = np.linalg.matrix_power(data.transitions.numpy(), 500)  # forgets where it began
    assert_close(data.stationary, torch.from_numpy(power[0]))


def test_the_entropy_rate_is_what_one_token_more_costs():
    chains = [MarkovChain(states=3, length=length) for length in (4, 5)]
    x = [all_sequences(chain.shape[0], 3) for chain in chains]
    entropies = []
    for chain, sequences in zip(chains, x, strict=True):
        log_p = chain.log_likelihood(sequences)
        entropies.append(-(log_p.exp() * log_p).sum().item())
    assert chains[0].entropy_rate == pytest.approx(entropies[1] - entropies[0])


def test_a_chain_s_transitions_have_the_frequencies_of_their_probabilities():
    data = MarkovChain(states=3, length=20, train=4000)
    numbers = data.splits.train.x.long()
    before, after = numbers[:, :-1].flatten(), numbers[:, 1:].flatten()
    for state in range(3):
        observed = after[before == state].bincount(minlength=3).numpy()
        expected = data.transitions[state].numpy() * observed.sum()
        assert chisquare(observed, expected).pvalue > 0.01
    first = numbers[:, 0].bincount(minlength=3).numpy()
    assert chisquare(first, data.stationary.numpy() * 4000).pvalue > 0.01


def test_a_model_of_a_chain_comes_within_a_hundredth_of_a_nat_of_the_truth_and_not_below_it():
    """On the same held-out sequences: -ELBO per token, which is above -log p(x)."""
    data = MarkovChain(states=5, length=16, batch_size=100)
    vae = VAE(
        data.shape,
        2,
        KL(),
        encoder=partial(GRU, hidden=16),
        decoder=partial(MLP, hidden=(16,)),
        likelihood=partial(Tokens, features=16, hidden=32),
    )
    optimizer = Adam(vae.parameters(), lr=5e-3, fused=True)
    for epoch in range(2):
        loader = data.train_dataloader()
        loader.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            vae(x, y).loss.backward()
            optimizer.step()
    vae.eval()
    with torch.no_grad():
        elbo = torch.cat([vae(x, y).elbo for x, y in data.test_dataloader()])
    truth = data.log_likelihood(data.batch(*data.splits.test)[0])
    gap = (truth - elbo) / 16
    standard_error = gap.std() / len(gap) ** 0.5
    assert -standard_error < gap.mean() < 0.01
    assert -truth.mean().item() / 16 == pytest.approx(data.entropy_rate, abs=0.05)
