"""Sequences of tokens, one given those before it."""

from collections.abc import Callable, Sequence

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import cross_entropy, one_hot

from vae_zoo.likelihoods.base import Likelihood
from vae_zoo.precision import at_least_single


class Tokens(Likelihood):
    """P(x | z) = Πₜ P(xₜ | x₁ … xₜ₋₁, z): a GRU writes one token after the other.

    The decoder, any network, returns ``features`` numbers of z, which are added to the embedding of
    the token before at every step. The log-probability of T tokens is one pass of the GRU over them
    all; a sample takes T steps.

    A decoder that reads the text so far may ignore z (posterior collapse: the kl goes to 0). Word
    dropout hides tokens from it while it trains. What hides does not depend on the text, so that
    the reconstruction of a training step, an average over what is hidden, still bounds a likelihood
    from above, but that of a handicapped model: train and val are not on equal terms, and the train
    split's ELBO is lower. An evaluation, and a sample, hide nothing.

    What stands for p(x | z) in a reconstruction or an interpolation is the greedy text, the most
    probable token at each step; samples of the model are drawn.

    Args:
        shape: T tokens of a vocabulary of V, ``(T, V)``.
        features: Number of features that the decoder returns, and of those of an embedding.
        hidden: Width of the GRU.
        word_dropout: Probability that the token before is hidden in training.

    Raises:
        ValueError: The shape is not that of tokens, a width is not positive, or a probability is
            none.

    References:
        Bowman et al., Generating Sentences from a Continuous Space, 2016, sec. 3.1 (word dropout).
        https://arxiv.org/abs/1511.06349
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder for Statistical
        Machine Translation, 2014, sec. 2.3 (the GRU). https://arxiv.org/abs/1406.1078
    """

    supports = frozenset({"tokens"})

    def __init__(
        self,
        shape: Sequence[int],
        features: int = 64,
        hidden: int = 256,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__(shape)
        if len(shape) != 2:
            raise ValueError(
                "Tokens is a likelihood of T tokens out of V, of shape (T, V), but the data have "
                f"the shape {tuple(shape)}: use --data Text, or another likelihood"
            )
        for name, width in (("features", features), ("hidden", hidden)):
            if width < 1:
                raise ValueError(f"{name} must be at least 1, got {width}")
        if not 0 <= word_dropout <= 1:
            raise ValueError(f"word_dropout must be a probability, got {word_dropout}")
        self.features, self.word_dropout = features, word_dropout
        self.length, self.vocabulary = shape
        self.hidden_token, self.start_token = self.vocabulary, self.vocabulary + 1
        self.embedding = nn.Embedding(self.vocabulary + 2, features)
        self.gru = nn.GRU(features, hidden, batch_first=True)
        self.logits = nn.Linear(hidden, self.vocabulary)

    @property
    def params(self) -> tuple[int, ...]:
        return (self.features,)

    def forward(self, params: Tensor) -> Distribution:
        return Autoregressive(self, params)

    def point(self, p: Distribution) -> Tensor:
        """Return the greedy text: the most probable token at each step, given those before it.

        Each is the likeliest next one, but the text is not always the likeliest.
        """
        assert isinstance(p, Autoregressive)
        return p.greedy()

    def example(self, p: Distribution) -> Tensor:
        """Draw a text: greedy ones repeat themselves, and are unlike any data."""
        return p.sample()

    def log_likelihood(self, tokens: Tensor, features: Tensor) -> Tensor:
        """Return log p of tokens ``(N, T)`` given features ``(N, F)``, of shape ``(N,)``."""
        before = tokens[:, :-1]
        if self.training and self.word_dropout:
            hide = torch.rand(before.shape, device=before.device) < self.word_dropout
            before = before.masked_fill(hide, self.hidden_token)
        start = tokens.new_full((len(tokens), 1), self.start_token)
        states, _ = self._step(torch.cat([start, before], dim=1), features)
        logits = at_least_single(self.logits(states))  # (N, T, V)
        losses = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
        return -losses.view(tokens.shape).sum(1)

    @torch.no_grad()
    def write(self, features: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Write texts ``(N, T, V)`` of features ``(N, F)``, token by token.

        Args:
            features: What the decoder returned.
            choose: Turns logits ``(N, V)`` into the numbers ``(N,)`` of tokens.
        """
        token = torch.full((len(features),), self.start_token, device=features.device)
        state, written = None, []
        for _ in range(self.length):
            states, state = self._step(token.unsqueeze(1), features, state)
            token = choose(at_least_single(self.logits(states.squeeze(1))))
            written.append(token)
        return one_hot(torch.stack(written, dim=1), self.vocabulary).to(features.dtype)

    def _step(
        self, before: Tensor, features: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the states after tokens ``(N, S)``, and the last of them."""
        inputs = self.embedding(before) + features.unsqueeze(1)
        return self.gru(inputs, state)  # type: ignore[no-any-return]


class Autoregressive(Distribution):
    """One-hot tokens, each of a distribution given those before it.

    Args:
        tokens: What computes the distributions.
        features: What the decoder returned, of shape ``(*B, F)``.
    """

    def __init__(self, tokens: Tokens, features: Tensor) -> None:
        self.tokens, self.features = tokens, features
        super().__init__(features.shape[:-1], Size(tokens.shape), validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> "Autoregressive":
        return Autoregressive(self.tokens, self.features.expand(*batch_shape, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(value.shape[:-2], self.batch_shape)  # type: ignore[no-untyped-call]
        tokens = value.argmax(-1).expand(*shape, -1).reshape(-1, self.tokens.length)
        features = self.features.expand(*shape, -1).reshape(-1, self.tokens.features)
        return self.tokens.log_likelihood(tokens, features).view(shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._write(_draw, sample_shape)

    def greedy(self) -> Tensor:
        """Take the most probable token at each step."""
        return self._write(lambda logits: logits.argmax(-1))

    def _write(
        self, choose: Callable[[Tensor], Tensor], sample_shape: Sequence[int] = ()
    ) -> Tensor:
        shape = (*sample_shape, *self.batch_shape)
        features = self.features.expand(*shape, -1).reshape(-1, self.tokens.features)
        return self.tokens.write(features, choose).view(*shape, *self.event_shape)


def _draw(logits: Tensor) -> Tensor:
    """Draw the numbers ``(N,)`` of tokens of logits ``(N, V)``."""
    return logits.softmax(1).multinomial(1).squeeze(1)
