"""What a GPU finds is what the CPU does; without a GPU the CPU stands in, so that this is run."""

from functools import partial

import pytest
import torch
from torch.optim import Adam
from torch.testing import assert_close

from vae_zoo.compatibility import make, names
from vae_zoo.contract.noise import Noise
from vae_zoo.data import Digits
from vae_zoo.networks import MLP, Conv
from vae_zoo.regularizers import KL, MMD
from vae_zoo.vae import VAE

TOLERANCE = 1e-4  # of the loss and of the largest gradient, in single precision
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
SMALL = partial(MLP, hidden=[32])

pytestmark = pytest.mark.parametrize("device", DEVICES)


@pytest.fixture(scope="module")
def x():
    return Digits().splits.test.x[:64].float()


def model(regularizer, network=SMALL):
    torch.manual_seed(0)
    optimizer = partial(Adam, lr=1e-2)
    vae = VAE((1, 8, 8), 4, regularizer, encoder=network, decoder=network, optimizer=optimizer)
    for part in vae._regularizers():
        part.dataset_size = 1000
    return vae


def step(vae, x, noise):
    """The loss and the gradients of a step with this noise, on the CPU."""
    with noise:
        terms = vae(x)
    loss = terms.loss if terms.critic is None else terms.loss + terms.critic
    loss.backward()
    return loss.detach().cpu(), {name: w.grad.cpu() for name, w in vae.named_parameters()}


def assert_same_step(found, expected):
    assert_close(found[0], expected[0], rtol=TOLERANCE, atol=TOLERANCE)
    largest = max(gradient.abs().max() for gradient in expected[1].values())
    assert largest > 0
    assert_close(found[1], expected[1], rtol=0, atol=TOLERANCE * float(largest))


@pytest.mark.parametrize("name", names("regularizers"))
def test_a_step_is_that_of_the_cpu(device, name, x):
    noise = Noise()
    expected = step(model(make("regularizers", name)), x, noise)
    vae = model(make("regularizers", name)).to(device)
    replayed = Noise((drawn,) for drawn in noise.drawn)
    assert_same_step(step(vae, x.to(device), replayed), expected)


@pytest.mark.parametrize("network", [SMALL, Conv], ids=["MLP", "Conv"])
@pytest.mark.parametrize("regularizer", [KL(), MMD(weight=10.0)], ids=["KL", "MMD"])
def test_it_trains_in_mixed_precision(device, make_trainer, network, regularizer, x):
    vae = model(regularizer, network)
    before = vae(x).loss.item()
    trainer = make_trainer(accelerator=device, precision="bf16-mixed", max_epochs=2)
    trainer.fit(vae, datamodule=Digits())
    assert vae(x.to(vae.device)).loss.item() < 0.8 * before
    assert all(weight.dtype == torch.float32 for weight in vae.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of torch's compiler
def test_a_compiled_model_has_the_loss_and_the_names_of_the_other(device, x):
    vae, other = model(KL()).to(device), model(KL()).to(device)
    noise = Noise()
    expected = step(vae, x.to(device), noise)
    for network in (other.encoder, other.decoder):
        network.compile(backend="inductor" if device == "cuda" else "aot_eager")  # of no compiler
    replayed = Noise((drawn,) for drawn in noise.drawn)
    assert_same_step(step(other, x.to(device), replayed), expected)
    assert other.state_dict().keys() == vae.state_dict().keys()
