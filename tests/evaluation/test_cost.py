"""What a training costs, from epochs whose length is known."""

import math

import pytest
import torch

from vae_zoo.evaluation import TrainingCost
from vae_zoo.evaluation.cost import peak_memory
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

SECONDS = [9.0, 2.0, 3.0, 4.0]


@pytest.fixture
def model():
    vae = VAE((3,), 2, KL())
    vae.decoder.requires_grad_(False)
    return vae


def measured(model, seconds, examples=30):
    metric = TrainingCost()
    for each in seconds:
        metric.update(model, each, examples)
    return metric


def test_costs_are_means_over_all_epochs_but_the_first(model):
    found = measured(model, SECONDS).compute()
    assert found["epoch_seconds"] == pytest.approx((3.0, 1 / math.sqrt(3)))
    assert found["examples_per_second"] == pytest.approx((10.0, 10 / 3 / math.sqrt(3)))


def test_one_epoch_counts_and_has_no_error(model):
    found = measured(model, SECONDS[:1]).compute()
    assert found["epoch_seconds"] == (9.0, None)
    assert found["examples_per_second"] == (pytest.approx(30 / 9), None)


def test_parameters_that_are_not_trained_cost_nothing(model):
    found = measured(model, SECONDS).compute()["parameters"]
    assert found == (sum(one.numel() for one in model.encoder.parameters()), None)


def test_memory_is_that_of_the_process(model):
    before = peak_memory(torch.device("cpu"))
    found = measured(model, SECONDS).compute()["peak_memory"]
    assert 50 < before <= found.value <= peak_memory(torch.device("cpu"))


def test_memory_that_is_not_known_is_absent(model, monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    assert "peak_memory" not in measured(model, SECONDS).compute()


def test_processes_add_up_their_examples_and_wait_for_each_other(model):
    one, other = measured(model, SECONDS), measured(model, [each + 1 for each in SECONDS], 20)
    one.epochs += other.epochs
    found = one.compute()
    assert found["epoch_seconds"] == pytest.approx((3.5, 1 / math.sqrt(3)))
    assert found["examples_per_second"].value == pytest.approx(50 / 3.5)


def test_without_epochs_there_is_no_cost():
    metric = TrainingCost()
    with (
        pytest.warns(UserWarning, match="before the"),
        pytest.raises(ValueError, match="has seen no epochs"),
    ):
        metric.compute()
