"""A metric of one's own, as a user writes it."""

import pytest
import torch
from torch.testing import assert_close

from vae_zoo.evaluation import KeptExamples, mean_score
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

X = torch.rand(23, 6, generator=torch.Generator().manual_seed(0))


class ReconstructionError(KeptExamples):
    rows = ("errors",)

    def measure(self, model, x, c, keys):
        z = model.posterior.point(model.encode(x, c))
        reconstruction = model.likelihood.point(model.decode(z, c))
        return {"errors": (x - reconstruction).square().flatten(1).sum(1)}

    def scores(self, errors):
        return {"reconstruction_error": mean_score(errors)}


def fed(vae, *batches):
    metric = ReconstructionError()
    for x in batches:
        metric.update(vae, x)
    return metric


def test_its_number_is_the_mean_over_examples_with_its_error():
    vae = VAE((6,), 2, KL()).eval()
    [score] = fed(vae, X).compute().values()
    with torch.no_grad():
        none = X.new_empty(23, 0)
        means = vae.decoder(vae.encode(X, none).mean, none).sigmoid()
    errors = (X - means).square().sum(1).double()
    assert score.value == pytest.approx(errors.mean().item())
    assert score.standard_error == pytest.approx(errors.std().item() / 23**0.5)


@pytest.mark.parametrize("size", [1, 5, 22])
def test_its_number_depends_neither_on_the_batches_nor_on_their_order(size):
    vae = VAE((6,), 2, KL())
    whole, parts = fed(vae, X).compute(), fed(vae, *X[torch.randperm(23)].split(size)).compute()
    assert parts["reconstruction_error"] == pytest.approx(whole["reconstruction_error"], rel=1e-6)


def test_its_setting_may_be_empty_and_its_seed_not_negative():
    assert ReconstructionError().setting == {}
    with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
        ReconstructionError(seed=-1)


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_it_needs_examples_of_its_own():
    metric = ReconstructionError()
    with pytest.raises(ValueError, match="has seen no examples: update it with some"):
        metric.compute()
    metric.merge_state(fed(VAE((6,), 2, KL()), X))
    with pytest.raises(ValueError, match="has seen no model: update it with examples"):
        metric.compute()


def test_a_score_of_what_is_true_or_false_is_the_share_of_true_ones():
    score = mean_score(torch.arange(10) < 7)
    assert_close(score.value, 0.7)
    assert_close(score.standard_error, (0.7 * 0.3 / 9) ** 0.5)
