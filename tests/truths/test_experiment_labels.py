"""Labels told from a model whose p(x | y) is known exactly, and from layers that tell as much."""

from functools import partial

import numpy as np
import pytest
import torch
from labels import Labelled, by_bayes, from_pixels, hidden, layers, probes
from scipy.stats import multivariate_normal

from vae_zoo.conditions import OneHot
from vae_zoo.likelihoods import Normal
from vae_zoo.networks import MLP
from vae_zoo.posteriors import Deterministic
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

X, CLASSES, N = 4, 3, 400
FREQUENCIES = np.array([0.6, 0.3, 0.1])


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def linear_vae():
    """A model of x = w z + U y + b + ε, whose q(z | x, y) is the exact posterior."""
    parts = dict.fromkeys(("encoder", "decoder"), partial(MLP, hidden=()))
    likelihood = partial(Normal, variance=1.0)
    vae = VAE((X,), 1, KL(), condition=OneHot, classes=CLASSES, likelihood=likelihood, **parts)
    [encoder], [decoder] = vae.encoder.layers, vae.decoder.layers
    decoder.weight.normal_()
    decoder.bias.normal_()
    w, u = decoder.weight[:, 0], decoder.weight[:, 1:]
    variance = 1 / (1 + w @ w)
    to_code = variance * torch.cat([w, -w @ u])
    encoder.weight.copy_(torch.stack([to_code, torch.zeros_like(to_code)]))
    encoder.bias.copy_(torch.stack([-variance * w @ decoder.bias, variance.sqrt().expm1().log()]))
    return vae.eval(), (w, u, decoder.bias)


def labelled(vae, w, u, b, n=N):
    """Examples of the model itself, with labels that are not equally frequent."""
    splits = []
    for seed in (0, 1):
        y = torch.from_numpy(np.random.default_rng(seed).choice(CLASSES, n, p=FREQUENCIES))
        x = torch.randn(n, 1) * w + u.T[y] + b + torch.randn(n, X)
        splits.append((x, y))
    return Labelled(vae, *splits)


def test_bayes_rule_is_that_of_the_exact_densities():
    vae, (w, u, b) = linear_vae()
    given = labelled(vae, w, u, b)
    covariance = np.outer(w, w) + np.eye(X)
    x, y = (part.numpy() for part in given.test)
    shares = np.log(np.bincount(given.train[1]) / N)
    densities = [multivariate_normal((u[:, k] + b).numpy(), covariance).logpdf(x) for k in range(3)]
    expected = 100 * ((np.array(densities).T + shares).argmax(1) == y).mean()
    assert 60 < expected < 100
    assert by_bayes(given) == pytest.approx(expected)


def test_a_model_that_is_given_no_label_has_no_bayes_rule():
    _, parts = linear_vae()
    plain = VAE((X,), 1, KL(), likelihood=partial(Normal, variance=1.0))
    assert by_bayes(labelled(plain, *parts)) is None


@pytest.mark.parametrize("widths", [(), (5,), (6, 6)])
def test_parameters_of_the_posterior_are_affine_in_the_hidden_layer(widths):
    vae = VAE((X,), 2, KL(), encoder=partial(MLP, hidden=widths)).eval()
    x, c = torch.rand(7, X), torch.zeros(7, 0)
    h = hidden(vae, x, c)
    assert h.shape == (7, widths[-1] if widths else X)
    torch.testing.assert_close(vae.encoder.layers[-1](h), vae.encoder(x, c))
    assert layers(vae) == (len(widths), widths[0] if widths else 0)


def test_an_encoder_that_hands_on_its_input_tells_what_pixels_tell():
    vae = VAE((X,), X, MMD(), encoder=partial(MLP, hidden=()), posterior=Deterministic).eval()
    [encoder] = vae.encoder.layers
    encoder.weight.copy_(torch.eye(X))
    encoder.bias.zero_()
    _, parts = linear_vae()
    given = labelled(vae, *parts)
    found, pixels = probes(given), from_pixels(given)
    assert found["codes, linear"] == found["hidden layer, linear"]
    assert [found["codes, linear"]] == pixels["logistic regression of pixels"]
    assert [found["codes, neighbours"]] == pixels["nearest neighbours of pixels"]
