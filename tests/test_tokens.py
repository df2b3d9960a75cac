"""Tokens in all its options, in a VAE, and what it refuses."""

from functools import partial

import pytest
import torch
from torch.nn.functional import one_hot
from torch.testing import assert_close

from vae_zoo.conditions import OneHot
from vae_zoo.likelihoods import Tokens
from vae_zoo.networks import GRU, MLP, Conv
from vae_zoo.objectives import ImportanceWeighted, PenalizedLikelihood
from vae_zoo.posteriors import Deterministic
from vae_zoo.priors import MixtureOfNormals, VampPrior
from vae_zoo.regularizers import KL, MMD, Annealed, FreeBits, SlicedWasserstein
from vae_zoo.vae import VAE

SHAPE = (7, 4)


def sequences(n):
    return one_hot(torch.randint(4, (n, 7)), 4).float()


def model(regularizer=None, **parts):
    defaults = {
        "encoder": partial(GRU, hidden=6),
        "decoder": partial(MLP, hidden=(8,)),
        "likelihood": partial(Tokens, features=5, hidden=6, word_dropout=0.5),
    }
    return VAE(SHAPE, 2, regularizer or KL(), **(defaults | parts))


def test_the_widths_are_those_asked_for():
    likelihood = Tokens(SHAPE, features=5, hidden=6)
    assert likelihood.params == (5,)
    assert likelihood.gru.hidden_size == 6
    assert likelihood.embedding.weight.shape == (4 + 2, 5)


def test_tokens_are_hidden_in_training_alone_and_as_often_as_asked(monkeypatch):
    likelihood, x, features = Tokens(SHAPE, 5, 6, word_dropout=0.3), sequences(2000), torch.randn(5)
    seen, gru = [], likelihood.gru.forward
    monkeypatch.setattr(likelihood.gru, "forward", lambda i, h: seen.append(i) or gru(i, h))
    p = likelihood(features.expand(2000, 5))
    first = p.log_prob(x)
    assert not torch.equal(first, p.log_prob(x))
    hidden = likelihood.embedding.weight[likelihood.hidden_token] + features
    fraction = (seen[0] == hidden).all(-1).float().mean(0)
    assert fraction[0] == 0  # the start is no token of the text
    assert fraction[1:].mean().item() == pytest.approx(0.3, abs=0.02)
    likelihood.eval()
    assert torch.equal(p.log_prob(x), p.log_prob(x))
    assert not (seen[-1] == hidden).all(-1).any()


def test_where_all_tokens_are_hidden_only_the_code_tells_the_next():
    likelihood, features = Tokens(SHAPE, 5, 6, word_dropout=1.0), torch.randn(1, 5)
    x, other = sequences(1), sequences(1)
    mixed = torch.cat([x[:, :3], other[:, 3:]], dim=1), torch.cat([other[:, :3], x[:, 3:]], dim=1)
    p = likelihood(features)
    assert_close(p.log_prob(x) + p.log_prob(other), sum(p.log_prob(part) for part in mixed))
    likelihood.eval()
    assert not torch.allclose(
        p.log_prob(x) + p.log_prob(other), sum(p.log_prob(part) for part in mixed)
    )


def test_samples_and_greedy_texts_are_the_same_in_training_and_in_evaluation():
    likelihood = Tokens(SHAPE, 5, 6, word_dropout=1.0)
    p, texts = likelihood(torch.randn(3, 5)), []
    for mode in (True, False):
        likelihood.train(mode)
        torch.manual_seed(1)
        texts.append((p.sample(), likelihood.point(p), likelihood.example(p)))
    assert all(torch.equal(*pair) for pair in zip(*texts, strict=True))
    assert torch.equal(likelihood.point(p), likelihood.point(p))
    assert not torch.equal(likelihood.example(p), likelihood.example(p))


def test_an_example_s_log_probability_does_not_depend_on_the_others():
    likelihood, x, features = Tokens(SHAPE, 5, 6).eval(), sequences(6), torch.randn(6, 5)
    together = likelihood(features).log_prob(x)
    assert together.shape == (6,)
    alone = torch.cat([likelihood(f[None]).log_prob(s[None]) for f, s in zip(features, x)])  # noqa: B905
    assert_close(together, alone)
    grid = likelihood(features).log_prob(x.unsqueeze(1))
    assert_close(grid.diagonal(), together)
    assert_close(likelihood(features[:1]).expand((6,)).log_prob(x), grid[:, 0])


def test_each_of_several_posterior_samples_is_decoded_on_its_own():
    vae = model().eval()
    x, z, c = sequences(5), torch.randn(3, 5, 2), torch.zeros(1, 0)
    expected = torch.stack([vae.decode(code, c).log_prob(x) for code in z])
    assert_close(vae.log_likelihood(x, z, c.expand(5, 0)), expected)


@pytest.mark.parametrize(
    ("regularizer", "parts"),
    [
        (KL(), {"prior": partial(MixtureOfNormals, components=3)}),
        (KL(), {"prior": partial(VampPrior, components=3)}),
        (KL(), {"condition": OneHot, "classes": 3}),
        (KL(), {"objective": ImportanceWeighted(3)}),
        (FreeBits(KL(), 0.5), {"objective": PenalizedLikelihood(2)}),
        (Annealed(KL(), steps=5), {}),
        (MMD(), {"posterior": Deterministic}),
        (SlicedWasserstein(), {}),
    ],
)
def test_every_part_of_a_text_model_learns(regularizer, parts):
    vae = model(regularizer, **parts)
    if vae.prior.examples:
        vae.prior.begin(sequences(vae.prior.examples), None)
    y = torch.randint(3, (9,)) if vae.condition.dim else None
    if isinstance(regularizer, Annealed):
        regularizer.step = 5
    vae(sequences(9), y).loss.backward()
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name
    assert vae.sample(4, None if y is None else y[:4]).shape == (4, *SHAPE)
    assert vae.reconstruct(sequences(9), y).shape == (9, *SHAPE)


def test_samples_of_a_model_are_drawn_and_reconstructions_are_greedy():
    vae = model(decoder=partial(MLP, hidden=()))
    torch.nn.init.zeros_(vae.decoder.layers[0].weight)  # codes say nothing
    assert len(vae.sample(20).unique(dim=0)) > 1
    assert len(vae.reconstruct(sequences(20)).unique(dim=0)) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_log_probabilities_are_in_single_precision_at_least(dtype):
    likelihood, x = Tokens(SHAPE, 5, 6).to(dtype), sequences(3).to(dtype)
    expected = torch.promote_types(dtype, torch.float32)
    assert likelihood(torch.randn(3, 5, dtype=dtype)).log_prob(x).dtype == expected


def test_half_precision_by_autocast_is_close():
    vae, x = model().eval(), sequences(50)
    with torch.no_grad():
        torch.manual_seed(1)
        exact = vae(x).elbo
        with torch.autocast("cpu", torch.bfloat16):
            torch.manual_seed(1)
            assert_close(vae(x).elbo, exact, atol=0.1, rtol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features must be at least 1, got 0"),
        ({"hidden": 0}, "hidden must be at least 1, got 0"),
        ({"word_dropout": -0.1}, "word_dropout must be a probability, got -0.1"),
        ({"word_dropout": 1.5}, "word_dropout must be a probability, got 1.5"),
        ({"word_dropout": float("nan")}, "word_dropout must be a probability, got nan"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Tokens(SHAPE, **options)


def test_data_that_are_no_tokens_are_refused_and_a_remedy_is_named():
    with pytest.raises(ValueError, match=r"of shape \(T, V\), but .* \(1, 8, 8\): use --data Text"):
        Tokens((1, 8, 8))
    with pytest.raises(ValueError, match=r"Tokens is a likelihood of tokens data.* Normal$"):
        Tokens(SHAPE).check_support("real")


def test_a_decoder_of_images_does_not_fit():
    with pytest.raises(ValueError, match="Conv"):
        model(decoder=Conv)


def test_the_code_length_is_per_token():
    bits = Tokens(SHAPE).bits_per_dimension(torch.tensor(-7 * 2.0))
    assert_close(bits, torch.tensor(2 / 0.6931472))
