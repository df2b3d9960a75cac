"""The KL of single dimensions: against the closed form, and when W&B is shown it."""

from functools import partial

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import WandbLogger
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from vae_zoo import VAE
from vae_zoo.callbacks import KLHistogram
from vae_zoo.callbacks.kl_histogram import mean_kl
from vae_zoo.conditions import OneHot
from vae_zoo.data import Digits
from vae_zoo.posteriors import Deterministic, FullNormal
from vae_zoo.priors import ConditionalNormal, Laplace, MixtureOfNormals
from vae_zoo.regularizers import MMD

D = 3


class Recorder(WandbLogger):
    """A logger that keeps what it would send."""

    def __init__(self):
        self.rows = []

    def log_metrics(self, metrics, step=None):
        self.rows.append(dict(metrics))

    def log_hyperparams(self, *_):
        pass

    def log_graph(self, *_):
        pass

    def save(self):
        pass

    def finalize(self, *_):
        pass

    save_dir = name = version = None

    @property
    def histograms(self):
        return [row for row in self.rows if "kl_of_dimension" in row]


def model_and_batch(**parts):
    model = VAE((1, 8, 8), D, MMD(), **parts)
    return model, torch.rand(20, 1, 8, 8), torch.arange(20) % 10


def test_the_kl_of_each_dimension_is_that_of_its_normals_averaged_over_the_batch():
    model, x, _ = model_and_batch()
    q = model.encode(x, model.condition(None)).base_dist
    expected = kl_divergence(Normal(q.loc, q.scale), Normal(0.0, 1.0)).mean(0)
    assert_close(mean_kl(model, x, None), expected.detach().double())


def test_the_prior_of_a_conditional_model_is_that_of_each_example():
    model, x, y = model_and_batch(prior=ConditionalNormal, condition=OneHot, classes=10)
    c = model.condition(y)
    expected = kl_divergence(model.encode(x, c).base_dist, model.prior(c).base_dist).mean(0)
    assert_close(mean_kl(model, x, y), expected.detach().double())


def test_without_a_closed_form_it_is_an_estimate_with_the_same_noise_each_time():
    model, x, _ = model_and_batch(prior=Laplace)
    before = torch.get_rng_state()
    found = mean_kl(model, x, None)
    assert torch.equal(before, torch.get_rng_state())
    assert_close(found, mean_kl(model, x, None), rtol=0, atol=0)
    assert found.shape == (D,)
    assert found.isfinite().all()


@pytest.mark.parametrize(
    "parts",
    [
        {"posterior": Deterministic},
        {"posterior": FullNormal},
        {"prior": partial(MixtureOfNormals, components=2)},
    ],
    ids=["no density", "correlated posterior", "mixture"],
)
def test_there_is_none_where_the_kl_is_no_sum_over_dimensions(parts):
    model, x, _ = model_and_batch(**parts)
    assert mean_kl(model, x, None) is None


@pytest.mark.parametrize(("every", "epochs"), [(0, []), (1, [0, 1, 2, 3]), (2, [1, 3])])
def test_histograms_are_logged_as_often_as_asked_and_at_the_end(make_trainer, every, epochs):
    model, data, logger = VAE((1, 8, 8), D, MMD()), Digits(), Recorder()
    trainer = make_trainer(
        logger=logger,
        max_epochs=4,
        limit_train_batches=1,
        log_every_n_steps=1,
        callbacks=[KLHistogram(every)],
    )
    trainer.fit(model, datamodule=data)
    assert [row["epoch"] for row in logger.histograms] == epochs
    trainer.test(model, datamodule=data, verbose=False)
    [*_, last] = logger.histograms
    assert len(logger.histograms) == len(epochs) + 1
    x, _ = next(iter(data.test_dataloader()))
    counts, edges = np.histogram(mean_kl(model, x, None).numpy(), bins=32)
    assert last["kl_of_dimension"].histogram == counts.tolist()
    np.testing.assert_allclose(last["kl_of_dimension"].bins, edges)


def test_the_number_of_epochs_is_not_negative():
    with pytest.raises(ValueError, match="every_n_epochs must be non-negative, got -1"):
        KLHistogram(-1)
