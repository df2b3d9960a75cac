import pytest
import torch
from torch.testing import assert_close

from vae_zoo.conditions import Embedding, OneHot, Unconditional, Vector
from vae_zoo.networks import MLP, Conv
from vae_zoo.priors import ConditionalNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE


def conditional_vae(network=MLP, **parts):
    vae = VAE(
        (1, 8, 8), 2, KL(), encoder=network, decoder=network, condition=OneHot, classes=3, **parts
    )
    return vae.eval()


def test_a_label_is_a_one_hot_vector():
    condition = OneHot(classes=3)
    assert condition.dim == 3
    assert_close(condition(torch.tensor([2, 0])), torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))


def test_without_a_condition_labels_are_ignored():
    condition = Unconditional(classes=3)
    assert condition.dim == 0
    assert condition(torch.tensor([2, 0])).shape == condition(None).shape == (1, 0)


@pytest.mark.parametrize("network", [MLP, Conv])
def test_the_label_changes_the_posterior_and_the_decoded_image(network):
    vae, x, z = conditional_vae(network), torch.rand(1, 1, 8, 8).round(), torch.randn(1, 2)
    a, b = (vae.condition(torch.tensor([label])) for label in (0, 1))
    assert not torch.allclose(vae.encode(x, a).mean, vae.encode(x, b).mean)
    assert not torch.allclose(vae.encode(x, a).stddev, vae.encode(x, b).stddev)
    assert not torch.allclose(vae.decode(z, a).mean, vae.decode(z, b).mean)
    assert torch.equal(vae.decode(z, a).mean, vae.decode(z, a).mean)


def test_the_label_changes_the_terms_through_the_prior_alone():
    vae, x = conditional_vae(prior=ConditionalNormal), torch.zeros(2, 1, 8, 8)
    y = torch.tensor([0, 1])
    with torch.no_grad():
        for network in (vae.encoder, vae.decoder):
            network.layers[0].weight[:, -3:] = 0  # neither sees the label
        before = vae(x, y).kl
        assert_close(before[0], before[1])
        vae.prior.affine.weight[:, 1] = 2.0
        after = vae(x, y).kl
    assert_close(after[0], before[0])
    assert after[1] != before[1]


def test_the_prior_of_each_label_is_trained():
    vae = conditional_vae(prior=ConditionalNormal)
    vae(torch.zeros(4, 1, 8, 8), torch.tensor([0, 2, 2, 0])).loss.backward()
    gradient = vae.prior.affine.weight.grad
    assert (gradient[:, [0, 2]] != 0).all()
    assert (gradient[:, 1] == 0).all()


def test_samples_follow_their_labels():
    vae = conditional_vae()
    torch.manual_seed(1)
    samples = vae.sample(2, torch.tensor([0, 0]))
    torch.manual_seed(1)
    others = vae.sample(2, torch.tensor([0, 1]))
    assert samples.shape == (2, 1, 8, 8)
    assert torch.equal(samples[0], others[0])
    assert not torch.allclose(samples[1], others[1])


def test_one_hot_refuses_data_without_labels():
    with pytest.raises(ValueError, match="OneHot needs labels, and the data have none"):
        VAE((6,), 2, KL(), condition=OneHot)


def test_a_conditional_model_refuses_to_sample_without_labels():
    with pytest.raises(ValueError, match="OneHot needs labels y, got None"):
        conditional_vae().sample(3)


def test_a_conditional_prior_refuses_a_model_without_condition():
    with pytest.raises(ValueError, match=r"ConditionalNormal .* no condition .* LearnedNormal"):
        VAE((6,), 2, KL(), prior=ConditionalNormal, classes=3)


def test_a_label_is_a_learned_vector():
    condition = Embedding(classes=3, features=5)
    assert condition.dim == 5
    c = condition(torch.tensor([2, 0, 2]))
    assert torch.equal(c, condition.vectors.weight[[2, 0, 2]])
    c.sum().backward()
    assert_close(condition.vectors.weight.grad[:, 0], torch.tensor([1.0, 0.0, 2.0]))


def test_a_conditional_model_trains_the_vectors_of_its_labels():
    vae = VAE((6,), 2, KL(), condition=Embedding, classes=3, prior=ConditionalNormal)
    vae(torch.zeros(4, 6), torch.tensor([0, 2, 2, 0])).loss.backward()
    gradient = vae.condition.vectors.weight.grad
    assert (gradient[[0, 2]] != 0).all()
    assert (gradient[1] == 0).all()


def test_a_vector_is_a_condition_as_it_is():
    y = torch.randn(4, 2)
    assert Vector(shape=(2,)).dim == 2
    assert torch.equal(Vector(shape=(2,))(y), y)
    vae = VAE((6,), 3, KL(), condition=Vector, condition_shape=(2,)).eval()
    x = torch.zeros(4, 6)
    torch.manual_seed(1)
    terms = vae(x, y)
    torch.manual_seed(1)
    assert not torch.allclose(vae(x, y.flip(0)).reconstruction, terms.reconstruction)
    torch.manual_seed(1)
    samples = vae.sample(4, y)
    torch.manual_seed(1)
    assert not torch.allclose(vae.sample(4, y.flip(0)), samples)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Embedding(classes=0), "Embedding needs labels, and the data have none"),
        (lambda: Embedding(classes=3, features=0), "features must be at least 1, got 0"),
        (lambda: Vector(), "the data have none: use --model.condition Unconditional"),
        (lambda: Vector(classes=3), "the data have labels: use --model.condition OneHot"),
        (lambda: Vector(shape=(1, 8, 8)), r"shape \(1, 8, 8\): use --model.condition Image"),
        (lambda: Vector(shape=(0,)), r"conditions of shape \(0,\)"),
        (lambda: Embedding(classes=3)(None), "Embedding needs labels y, got None"),
        (lambda: Vector(shape=(2,))(None), r"Vector needs vectors y of shape \(B, 2\), got None"),
        (lambda: Vector(shape=(2,))(torch.zeros(4, 3)), r"of shape \(B, 2\), got \(4, 3\)"),
        (lambda: Vector(shape=(2,))(torch.zeros(4)), r"of shape \(B, 2\), got \(4,\)"),
    ],
)
def test_conditions_that_do_not_fit_the_data_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
