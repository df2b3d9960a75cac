"""Where an image leaves several answers open, a conditional VAE has them all, a regression a blur.

A support vector machine that was trained on real digits, and knows 96 % of the test split, judges
the digits that models draw.
"""

import math
from functools import partial

import pytest
import torch
from lightning import Trainer
from scipy.stats import chi2
from sklearn.svm import SVC
from torch.optim.lr_scheduler import CosineAnnealingLR

from vae_zoo.conditions import Image
from vae_zoo.data import Completion, Digits, Succession
from vae_zoo.priors import ConditionalNormal, StandardNormal
from vae_zoo.regularizers import KL
from vae_zoo.vae import VAE

pytestmark = pytest.mark.slow


def trained(data, latent_dim, epochs, folder):
    torch.manual_seed(0)
    vae = VAE(
        data.shape,
        latent_dim,
        KL(),
        prior=ConditionalNormal if latent_dim else StandardNormal,
        condition=Image,
        condition_shape=data.condition_shape,
        optimizer=partial(torch.optim.Adam, lr=2e-3, fused=True),
        lr_scheduler=partial(CosineAnnealingLR, T_max=epochs),
    )
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
        limit_val_batches=0,
    )
    trainer.fit(vae, data)
    return vae.eval()


def test_split(data):
    """All of the test split as one batch."""
    x, y = zip(*data.test_dataloader(), strict=True)
    return torch.cat(x), torch.cat(y)


test_split.__test__ = False


@torch.no_grad()
def log_likelihood(vae, x, y, samples=200):
    """log p(x | y) by importance sampling, from below; exact for a regression."""
    if not vae.latent_dim:
        return vae(x, y).elbo
    c = vae.condition(y)
    q, p = vae.encode(x, c), vae.prior(c)
    weights = []
    for _ in range(samples):
        z = q.sample()
        weights.append(p.log_prob(z) + vae.decode(z, c).log_prob(x) - q.log_prob(z))
    return torch.stack(weights).logsumexp(0) - math.log(samples)


def gain(better, worse):
    """A mean of paired differences, and its standard error."""
    difference = better - worse
    return difference.mean().item(), difference.std().item() / len(difference) ** 0.5


@pytest.fixture(scope="module")
def completion(tmp_path_factory):
    data = Completion(Digits(), quadrants=1)
    return data, *(trained(data, d, 40, tmp_path_factory.mktemp("run")) for d in (8, 0))


@pytest.fixture(scope="module")
def succession(tmp_path_factory):
    data = Succession(Digits())
    folder = tmp_path_factory.mktemp("run")
    return data, trained(data, 4, 150, folder), trained(data, 0, 40, folder)


@pytest.fixture(scope="module")
def judge():
    splits = Digits().splits
    machine = SVC(C=5.0).fit(splits.train.x.flatten(1), splits.train.y)
    assert machine.score(splits.test.x.flatten(1), splits.test.y) >= 0.95
    return lambda images: torch.from_numpy(machine.predict(images.flatten(1)))


@pytest.mark.parametrize(("task", "nats"), [("completion", 1.0), ("succession", 4.0)])
def test_a_conditional_vae_finds_the_answer_likelier_than_a_regression(request, task, nats):
    data, vae, regression = request.getfixturevalue(task)
    x, y = test_split(data)
    mean, error = gain(log_likelihood(vae, x, y), log_likelihood(regression, x, y))
    assert mean - 3 * error > nats


@pytest.mark.parametrize("task", ["completion", "succession"])
def test_a_condition_of_another_example_makes_the_answer_unlikelier(request, task):
    data, *models = request.getfixturevalue(task)
    x, y = test_split(data)
    shuffled = y.roll(7, dims=0)
    for model in models:
        mean, error = gain(log_likelihood(model, x, y), log_likelihood(model, x, shuffled))
        assert mean - 3 * error > 2


def judged(data, model, judge, draw=lambda mean: mean, samples=4):
    """Samples of each of the 20 strings: how often both allowed digits came, ``(20, 2)``."""
    _, y = test_split(data)
    string = data.digits("test")[:, :2]
    step = torch.where((string[:, 1] - string[:, 0]) % 10 == 1, 1, -1)
    number = 2 * string[:, 0] + (step + 1) // 2
    counts = torch.zeros(20, 2)
    for _ in range(samples):
        digit = judge(draw(model.sample(len(y), y)))
        for skip in (0, 1):
            came = digit == (string[:, 1] + step * (1 + skip)) % 10
            counts[:, skip] += number.bincount(weights=came, minlength=20)
    return counts, len(y) * samples


def evenness(counts):
    """The p-value of all strings' being followed by either digit 50/50, jointly."""
    n = counts.sum(1)
    statistic = ((counts - n[:, None] / 2).square().sum(1) / (n / 2)).sum().item()
    return chi2.sf(statistic, df=len(counts))


def test_both_next_digits_come_equally_often_in_the_samples_of_a_conditional_vae(succession, judge):
    data, vae, _ = succession
    counts, n = judged(data, vae, judge, samples=2)
    assert n == 400
    assert evenness(counts) > 0.01
    counts, n = judged(data, vae, judge, samples=20)
    assert counts.sum() / n >= 0.85
    share = counts[:, 0] / counts.sum(1)
    assert ((share > 0.3) & (share < 0.7)).all()  # of each string, in 200 samples


def test_a_regression_is_a_blur_of_both_digits(succession, judge):
    data, vae, regression = succession
    _, y = test_split(data)
    grey = [((m := model.sample(len(y), y)) > 0.2) & (m < 0.8) for model in (vae, regression)]
    assert grey[1].float().mean() > 1.7 * grey[0].float().mean()
    (clean, n), (noisy, _) = (
        judged(data, model, judge, draw=torch.bernoulli) for model in (vae, regression)
    )
    assert clean.sum() / n > 0.8
    assert noisy.sum() / n < 0.7
    counts, _ = judged(data, regression, judge, samples=2)  # one image, again and again
    assert evenness(counts[counts.sum(1) > 0]) < 1e-6
