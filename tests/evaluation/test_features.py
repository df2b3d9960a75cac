"""Features of a data set: what they know, that they are always the same, and that they are kept."""

import re
import threading
import time
from importlib import import_module

import numpy as np
import pytest
import torch
from filelock import FileLock
from sklearn.linear_model import LogisticRegression

from vae_zoo.data import Completion, DataModule, Digits, MarkovChain, TwoModes
from vae_zoo.data.binarization import GreyData
from vae_zoo.data.splits import Split, Splits
from vae_zoo.evaluation import feature_networks, features

module = import_module("vae_zoo.evaluation.features")  # whose name is that of its function


class Points(DataModule):
    """Given examples."""

    support = "real"

    def __init__(self, x, y=None):
        super().__init__()
        self.x, self.y, self.shape = x, y, tuple(x.shape[1:])
        self.classes = 0 if y is None else int(y.max()) + 1

    def load(self):
        return Splits.at_random(Split(self.x, self.y), val=1, test=len(self.x) // 4, seed=0)


class Levels(GreyData):
    """Levels in bytes, with labels."""

    shape, classes = (1, 8, 8), 2

    def read(self):
        x = torch.arange(256).repeat(16).view(64, 1, 8, 8).to(torch.uint8)
        return Splits(*(Split(x, torch.arange(64) % 2) for _ in range(3)))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_ZOO_CACHE", str(tmp_path))
    return tmp_path / "features"


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(feature_networks, "EPOCHS", 2)


@pytest.fixture
def made(monkeypatch):
    """For what data features were made, and not found."""
    make, count = module._make, []

    def counting(data):
        count.append(data)
        return make(data)

    monkeypatch.setattr(module, "_make", counting)
    return count


def table(n=400):
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    return Points(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())


def accuracy(found):
    return float(re.search(r"classifier, ([\d.]+) % of the test labels", found).group(1))


def test_features_of_digits_tell_the_labels_as_the_classifier_does_that_they_are_of():
    data = Digits()
    found = features(data)
    assert found.num_features == 32
    stated = accuracy(found.setting["features"])
    assert stated > 88
    train, test = (data.batch(*split) for split in (data.splits.train, data.splits.test))
    regression = LogisticRegression(max_iter=2000).fit(found(train[0]).numpy(), train[1].numpy())
    right = regression.score(found(test[0]).numpy(), test[1].numpy())
    assert 100 * right == pytest.approx(stated, abs=4)


def test_the_accuracy_that_is_stated_is_of_the_test_labels(short):
    x = torch.cat([torch.zeros(300, 4), torch.ones(300, 4)]) * 1000
    y = (x[:, 0] > 0).long()
    assert accuracy(features(Points(x, y)).setting["features"]) == 100
    noise = torch.randint(2, (600,))
    assert accuracy(features(Points(torch.randn(600, 4), noise)).setting["features"]) < 65
    y = torch.where(torch.arange(600) % 4 == 0, 1 - y, y)
    assert accuracy(features(Points(x, y)).setting["features"]) == pytest.approx(75, abs=8)


def test_the_classifier_is_trained_on_the_train_split_as_it_is_augmented():
    x = torch.randn(600, 2)
    right = (x[:, 0] > 0).long()
    for sign, expected in ((1, 0), (-1, 100)):
        data = Points(x, right)
        train, val, test = data.splits
        data.splits = Splits(Split(train.x, 1 - train.y), val, test)
        data.augment = lambda x, generator, sign=sign: sign * x
        assert accuracy(features(data).setting["features"]) == pytest.approx(expected, abs=6)


def test_columns_are_brought_to_one_scale():
    x = torch.randn(600, 3) * torch.tensor([1e-1, 1e4, 1e4]) + 1e3
    data = Points(x, (x[:, 0] > 1e3).long())
    train, val, test = data.splits
    # Test examples of one label alone, which must not be brought to a scale of their own.
    data.splits = Splits(train, val, test.take(test.y.nonzero().flatten()))
    assert accuracy(features(data).setting["features"]) > 90


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (3, 32, 32), (1, 9, 13), (3, 8, 40), (2, 28, 28), (1, 4, 4), (7,), (2, 5)]
)
def test_data_with_labels_have_features_whatever_their_shape(shape, short):
    y = torch.arange(60) % 3
    data = Points(torch.rand(60, *shape) + y.view(-1, *[1] * len(shape)), y)
    found = features(data)
    rows = found(data.splits.test.x)
    assert rows.shape == (15, 32)
    assert rows.std(0).min() > 0
    convolutions = [part for part in found.modules() if isinstance(part, torch.nn.Conv2d)]
    assert bool(convolutions) == (len(shape) == 3 and min(shape[1:]) >= 8)


@pytest.mark.parametrize("data", [Digits, table])
def test_they_are_the_same_whatever_the_process_has_drawn_its_threads_and_its_mode(
    data, short, monkeypatch, tmp_path
):
    found, threads = [], torch.get_num_threads()
    for number in range(3):
        monkeypatch.setenv("VAE_ZOO_CACHE", str(tmp_path / str(number)))
        torch.manual_seed(number)
        np.random.seed(number)
        torch.set_num_threads(1 + number % 2)
        expected = torch.get_rng_state()
        with torch.inference_mode(number == 2):
            found.append(features(data()))
        assert torch.equal(torch.get_rng_state(), expected)
        assert torch.get_num_threads() == 1 + number % 2
    torch.set_num_threads(threads)
    x = data().splits.test.x
    for other in found[1:]:
        assert other.setting == found[0].setting
        assert torch.equal(other(x), found[0](x))


def test_data_are_seen_as_they_are_trained_on(short, made, monkeypatch):
    seen = []
    augment = GreyData.augment
    monkeypatch.setattr(
        GreyData, "augment", lambda self, *given: seen.append(augment(self, *given)) or seen[-1]
    )
    names = {}
    for binarization in ("none", "dynamic"):
        names[binarization] = features(Levels(binarization=binarization)).setting["features"]
        assert bool((seen[-1] > 1).any()) == (binarization == "none")
    assert len(made) == 2  # of the same stored examples
    assert names["none"] != names["dynamic"]


@pytest.mark.parametrize("shape", [(90, 70), (90, 3), (30, 100), (90, 1, 9, 9)])
def test_data_without_labels_have_their_principal_components(shape):
    x = torch.randn(shape) * torch.linspace(3, 0.5, shape[-1]) + 5
    found = features(Points(x))
    train, _, test = Points(x).splits
    rows = train.x.flatten(1).double().numpy()
    centre = rows.mean(0)
    _, lengths, axes = np.linalg.svd(rows - centre, full_matrices=False)
    number = min(64, *(rows - centre).shape)
    number -= number == len(rows)  # a mean takes one of them
    variances = lengths**2 / len(rows)
    axes *= np.sign(axes[np.arange(len(axes)), abs(axes).argmax(1)])[:, None]
    scale = np.sqrt(variances[:number].mean())
    expected = (test.x.flatten(1).double().numpy() - centre) @ axes[:number].T / scale
    np.testing.assert_allclose(found(test.x).numpy(), expected, atol=2e-4)
    share = 100 * variances[:number].sum() / variances.sum()
    assert found.setting["features"].startswith(f"principal components, {share:.1f} % of the")


@pytest.mark.filterwarnings("ignore:the .* examples of the .* split are the same")
def test_examples_that_are_all_alike_have_a_feature_of_nothing():
    found = features(Points(torch.ones(40, 4)))
    assert found(torch.ones(3, 4)).abs().max() == 0


@pytest.mark.parametrize(
    ("data", "number"), [(TwoModes(train=400), 1), (Completion(Digits()), 39), (Digits(), 32)]
)
def test_over_the_examples_to_train_on_their_mean_is_0_and_their_mean_variance_1(
    data, number, short
):
    found = features(data)
    rows = found(data.examples(data.size)[0])
    assert rows.shape == (data.size, number)
    assert rows.mean(0).abs().max() < 1e-4
    assert rows.var(0, correction=0).mean() == pytest.approx(1, abs=1e-4)


def test_they_stay_in_evaluation_mode_and_take_doubles(short):
    data = table()
    x, found = data.splits.test.x, features(data)
    expected = found(x)
    found.train()
    assert torch.equal(found(x.double()), expected)
    assert torch.equal(found(x), expected)
    assert not expected.requires_grad


def test_features_of_other_weights_have_another_name():
    made = [features(Points(torch.randn(40, 2))).setting["features"] for _ in range(2)]
    described, names = zip(*(one.rpartition(", ")[::2] for one in made), strict=True)
    assert set(described) == {"principal components, 100.0 % of the variance"}
    assert names[0] != names[1]
    assert all(len(name) == 8 for name in names)


def test_they_are_made_once_and_a_line_says_so(short, made, capsys):
    first = features(table())
    said = capsys.readouterr().out
    assert said == (
        "training a small classifier of Points: features to compare samples in, made once\n"
    )
    again = features(table())
    assert len(made) == 1
    assert capsys.readouterr().out == ""
    assert again.setting == first.setting
    x = torch.randn(9, 5)
    assert torch.equal(again(x), first(x))


def test_of_other_data_they_are_made_anew(short, made):
    data = table()
    changed = {
        "a label": Points(data.x, (data.y + (torch.arange(400) == 5)) % 3),
        "an example": Points(data.x + torch.eye(400)[:, :5], data.y),
        "more classes": Points(data.x, data.y),
        "no labels": Points(data.x),
        "another shape": Points(data.x[:, None], data.y),
    }
    changed["more classes"].classes = 5
    augmented = table()
    augmented.augment = lambda x, generator: -x
    for number, each in enumerate([data, *changed.values(), augmented]):
        assert len(made) == number
        features(each)
    assert len(made) == 7


def test_a_broken_file_is_made_anew(folder, short, made):
    first = features(table())
    [path] = folder.glob("*.pt")
    whole = path.read_bytes()
    for content in (whole[:500], b"", b"no features", _saved({"features": 3})):
        path.write_bytes(content)
        assert features(table()).setting == first.setting
        assert path.read_bytes() == whole
    assert len(made) == 5
    assert not [*folder.glob(".*.pt.*")]


def _saved(content):
    from io import BytesIO

    buffer = BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def test_where_nothing_can_be_written_they_are_made_each_time(tmp_path, short, made, monkeypatch):
    file = tmp_path / "file"
    file.write_text("no folder")
    monkeypatch.setenv("VAE_ZOO_CACHE", str(file / "below"))
    assert features(table()).setting == features(table()).setting
    assert len(made) == 2


def test_a_full_disk_costs_nothing_but_time(short, made, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replace", full)
    assert features(table()).setting == features(table()).setting
    assert len(made) == 2


def test_of_two_that_want_them_at_once_one_waits_for_the_other(made, monkeypatch):
    made_slowly, found = module._make, []

    def slow(data):
        time.sleep(0.3)
        return made_slowly(data)

    monkeypatch.setattr(module, "_make", slow)
    data = [Points(torch.arange(80.0).view(40, 2)) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda each=each: found.append(features(each))) for each in data
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len({each.setting["features"] for each in found}) == 1


def test_a_lock_that_a_process_holds_is_waited_for(folder, made):
    data = Points(torch.arange(80.0).view(40, 2))
    folder.mkdir()
    lock = FileLock(folder / f"{module.fingerprint(data)}.lock")
    thread = threading.Thread(target=features, args=(data,))
    with lock:
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert not made
    thread.join()
    assert len(made) == 1


def test_a_file_that_is_there_needs_no_lock(folder, made):
    data = Points(torch.arange(80.0).view(40, 2))
    features(data)
    with FileLock(folder / f"{module.fingerprint(data)}.lock"):
        features(data)
    assert len(made) == 1


def test_texts_have_none():
    with pytest.raises(
        ValueError, match="features are of images and vectors, and the data are tokens"
    ):
        features(MarkovChain(train=100))
