"""A condition that is an image, seen through a network of its own."""

import sys
from functools import partial

import pytest
import torch
from PIL import Image as Picture
from torch.testing import assert_close

from vae_zoo.cli import main
from vae_zoo.conditions import Image
from vae_zoo.networks import MLP, Conv
from vae_zoo.priors import ConditionalNormal
from vae_zoo.regularizers import KL
from vae_zoo.runs import find_runs
from vae_zoo.vae import VAE

SHAPE = (2, 8, 8)


def image_vae(latent_dim=3, **options):
    condition = partial(Image, **options)
    return VAE((6,), latent_dim, KL(), condition=condition, condition_shape=SHAPE)


def test_its_features_are_those_of_its_network():
    condition = Image(shape=SHAPE, network=partial(MLP, hidden=()), features=5)
    y = torch.randn(3, *SHAPE)
    assert condition.dim == 5
    [affine] = condition.network.layers
    assert_close(condition(y), y.flatten(1) @ affine.weight.T + affine.bias)


def test_its_network_may_be_convolutional():
    condition = Image(shape=SHAPE, network=partial(Conv, channels=(4,)), features=5)
    assert isinstance(condition.network, Conv)
    assert condition(torch.randn(3, *SHAPE)).shape == (3, 5)


@pytest.mark.parametrize("latent_dim", [0, 3])
def test_all_of_its_network_is_trained(latent_dim):
    vae = image_vae(latent_dim, network=partial(MLP, hidden=(7,)))
    vae(torch.ones(9, 6), torch.randn(9, *SHAPE)).loss.backward()
    for parameter in vae.condition.network.parameters():
        assert parameter.grad.abs().sum() > 0


def test_it_is_trained_through_the_prior_alone():
    vae = VAE(
        (6,),
        3,
        KL(),
        prior=ConditionalNormal,
        condition=Image,
        condition_shape=SHAPE,
    )
    with torch.no_grad():
        vae.prior.affine.weight.normal_()
        for network in (vae.encoder, vae.decoder):
            network.layers[0].weight[:, -vae.condition.dim :] = 0  # neither sees the condition
    vae(torch.ones(9, 6), torch.randn(9, *SHAPE)).kl.sum().backward()
    assert vae.condition.network.layers[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("shape", "has"), [((), "the data have none"), ((4,), r"have conditions of shape \(4,\)")]
)
def test_data_without_image_conditions_are_refused(shape, has):
    with pytest.raises(ValueError, match=rf"Image needs conditions that are images .*{has}"):
        VAE((6,), 3, KL(), condition=Image, condition_shape=shape)


def test_a_condition_without_features_is_refused():
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        Image(shape=SHAPE, features=0)


def test_labels_in_place_of_images_are_refused():
    vae = image_vae()
    with pytest.raises(ValueError, match=r"needs images y of shape \(B, 2, 8, 8\), got \(4,\)"):
        vae.sample(4, torch.zeros(4).long())
    with pytest.raises(ValueError, match=r"needs images y of shape \(B, 2, 8, 8\), got None"):
        vae.sample(4)


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["vae-zoo"])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return tmp_path


def fit(*words):
    with pytest.raises(SystemExit) as end:
        main(["fit", "-c", "base", "--scorecard", "false", "--trainer.max_epochs", "1", *words])
    return end.value.code


@pytest.mark.parametrize(("data", "width"), [("Completion", 8), ("Succession", 26)])
def test_the_command_line_nests_its_data_and_its_network_and_draws_pictures(
    empty_folder, data, width
):
    words = ["--data", data, "--data.of", "Digits", "--data.of.batch_size", "200"]
    words += ["--model.condition", "Image", "--model.condition.network", "Conv"]
    words += ["--model.condition.network.channels", "[4]", "--model.condition.features", "9"]
    assert fit(*words) == 0
    [run] = find_runs([empty_folder])
    condition = run.config["model"]["condition"]["init_args"]
    assert condition["features"] == 9
    assert condition["network"]["init_args"]["channels"] == [4]
    for name, rows in (("reconstructions", 2), ("samples", 4)):
        with Picture.open(run.folder / "images" / f"{name}.png") as picture:
            times = picture.height / (rows * 10)
            assert picture.width == times * 10 * (width + 2)


def test_a_label_where_an_image_is_needed_is_one_sentence(empty_folder, capsys):
    assert fit("--model.condition", "Image") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "Image needs conditions that are images (C, H, W), and the data have none" in line
    assert not (empty_folder / "runs").exists()
