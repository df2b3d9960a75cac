"""``vae-zoo encode``: what it writes is what the model says, whatever the data are cut into."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.stats import norm
from sklearn.datasets import load_digits
from torch.testing import assert_close

from vae_zoo import encoding
from vae_zoo.cli import main
from vae_zoo.data import Digits
from vae_zoo.restore import restore
from vae_zoo.runs import Run

FIT = [
    *("fit", "-c", "base", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"),
    *("--scorecard", "false"),
    *("--trainer.accelerator", "cpu", "--trainer.logger", "false", "--model.latent_dim", "2"),
    *("--model.encoder.hidden", "[8]", "--model.decoder.hidden", "[8]"),
]
OWN = """
from vae_zoo.regularizers import KL

class Mine(KL):
    pass
"""


pytestmark = pytest.mark.usefixtures("empty_folder")


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def fit(*words, name="a"):
    assert run(*FIT, "--name", name, *words) == 0
    [config] = Path("runs").glob(f"{name}/*/config.yaml")
    return config.parent


def encode(folder, *words, output="codes.npz"):
    assert run("encode", folder, "-o", output, *words) == 0
    with np.load(output, allow_pickle=False) as codes:
        return {
            name: codes[name].tolist() if name == "label_names" else torch.from_numpy(codes[name])
            for name in codes.files
        }


def refused(capsys, *words):
    capsys.readouterr()
    assert run("encode", *words) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1, error
    assert not [path for path in Path().iterdir() if "codes" in path.name]
    return error


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A run of a conditional model on digits, which tests leave as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("conditional"))
        patch.setattr(sys, "argv", ["vae-zoo"])
        words = ("--model.condition", "OneHot", "--model.prior", "ConditionalNormal")
        return fit(*words).resolve()


def test_codes_and_densities_are_those_of_the_model_called_by_hand(conditional):
    codes = encode(conditional)
    model, data = restore(conditional)
    x, y = data.splits.test.x.float(), data.splits.test.y
    with torch.no_grad():
        c = model.condition(y)
        q, p = model.encode(x, c), model.prior(c)
        z = codes["sample"]
        assert_close(codes["mean"], q.mean)
        # An oracle of densities, from the numbers alone.
        scale = q.stddev.double()
        log_q = norm.logpdf(z.double(), q.mean.double(), scale).sum(axis=1)
        log_p = norm.logpdf(z.double(), p.mean.double(), p.stddev.double()).sum(axis=1)
        probability = model.decode(z, c).mean.double()
        log_x = torch.where(x == 1, probability, 1 - probability).log().flatten(1).sum(1)
    assert_close(codes["log_posterior"].double(), torch.from_numpy(log_q), rtol=1e-4, atol=1e-4)
    assert_close(codes["log_prior"].double(), torch.from_numpy(log_p), rtol=1e-4, atol=1e-4)
    assert_close(codes["log_likelihood"].double(), log_x, rtol=1e-4, atol=1e-4)
    assert torch.equal(codes["labels"], y)
    standardized = ((z - q.mean) / q.stddev).flatten().double()
    assert abs(standardized.mean()) < 4 / 20
    assert abs(standardized.std() - 1) < 4 / 28


def test_the_mean_of_the_log_weights_is_the_elbo_of_the_test(conditional):
    codes = encode(conditional)
    weights = codes["log_prior"] + codes["log_likelihood"] - codes["log_posterior"]
    elbo = Run(conditional).summary["test/elbo"]
    # Paired noise of other draws: of the order of the spread of a single posterior.
    assert weights.mean().item() == pytest.approx(elbo, abs=0.3)


def test_the_batch_size_changes_nothing(conditional, monkeypatch):
    first = encode(conditional)
    folder = shutil.copytree(conditional, Path("copy"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["data"]["init_args"] = {**config["data"].get("init_args", {}), "batch_size": 7}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    other = encode(folder, output="other.npz")
    assert all(torch.equal(first[name], other[name]) for name in first)
    monkeypatch.setattr(encoding, "ROWS", 37)
    cut = encode(conditional, output="cut.npz")
    assert_close(cut["mean"], first["mean"])


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_has_its_own_examples_in_their_order(conditional, split):
    codes = encode(conditional, "--split", split)
    assert torch.equal(codes["labels"], getattr(Digits().splits, split).y)


def test_a_deterministic_posterior_has_no_density(tmp_path):
    folder = fit("--model.posterior", "Deterministic", "--model.regularizer", "MMD")
    codes = encode(folder)
    assert sorted(codes) == ["labels", "log_likelihood", "log_prior", "mean", "sample"]
    assert torch.equal(codes["mean"], codes["sample"])


def test_a_file_of_the_same_examples_has_the_same_codes(conditional):
    test = Digits().splits.test
    np.savez("test.npz", x=test.x.numpy(), y=test.y.numpy())
    np.save("rows.npy", test.x.flatten(1).numpy())
    np.save("labels.npy", test.y.numpy())
    split = encode(conditional)
    assert "label_names" not in split  # but numbers
    for number, words in enumerate((["test.npz"], ["rows.npy", "--labels", "labels.npy"])):
        codes = encode(conditional, "--file", *words, output=f"{number}.npz")
        assert codes.pop("label_names") == [str(digit) for digit in range(10)]
        assert sorted(codes) == sorted(split)
        assert all(torch.equal(codes[name], split[name]) for name in split)


def test_grey_files_are_binarized_as_the_test_split_of_the_run_is():
    images = load_digits().images.astype(np.float32) / 16
    np.savez("test.npz", x=images)
    folder = fit("--data", "Files", "--data.path", "test.npz", "--data.binarization", "threshold")
    np.save("grey.npy", images[:30])
    np.save("binary.npy", images[:30] > 0.5)
    grey, binary = (
        encode(folder, "--file", f"{name}.npy", output=f"{name}.npz") for name in ("grey", "binary")
    )
    assert "labels" not in grey
    assert all(torch.equal(grey[name], binary[name]) for name in grey)


def test_images_of_a_folder_become_grey_where_the_run_is():
    images = np.random.default_rng(0).integers(256, size=(30, 8, 8), dtype=np.uint8)
    np.save("x.npy", images)
    words = ("--data.path", "x.npy", "--data.batch_size", 8, "--model.likelihood", "Normal")
    folder = fit("--data", "Files", *words)
    Path("photos").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).convert("RGB").save(f"photos/{number:02}.png")
    arrays, photos = (
        encode(folder, "--file", path, output=f"{path[0]}.npz") for path in ("x.npy", "photos")
    )
    assert all(torch.equal(arrays[name], photos[name]) for name in arrays)


def test_labels_of_a_file_mean_what_those_of_the_run_mean():
    x, words = np.random.default_rng(0).normal(size=(40, 3)), np.array(["a", "b", "c", "d"] * 10)
    np.savez("d.npz", x=x, y=words)
    data = ["--data", "Files", "--data.path", "d.npz", "--data.batch_size", "8"]
    folder = fit(*data, "--model.likelihood", "Normal", "--model.condition", "OneHot")
    np.savez("some.npz", x=x[2:4], y=words[2:4])
    whole = encode(folder, "--file", "d.npz", output="whole.npz")
    some = encode(folder, "--file", "some.npz")
    assert some["labels"].tolist() == [2, 3]
    assert some["label_names"] == whole["label_names"] == ["a", "b", "c", "d"]
    assert_close(some["mean"], whole["mean"][2:4])


def test_a_file_is_read_as_the_run_read_its_own_which_may_be_gone():
    rows = [f"{i},{i % 7 / 2},{i % 5 - 1.5},{'ab'[i % 2]},note {i}" for i in range(40)]
    Path("own.csv").write_text("\n".join(["id,x,y,kind,note", *rows]))
    words = ["--data", "Files", "--data.path", "own.csv", "--model.likelihood", "Normal"]
    words += ["--data.labels", "kind", "--data.ignore", "[id, note]", "--data.batch_size", "8"]
    folder = fit(*words, "--model.condition", "OneHot")
    lines = [row.rpartition(",")[0].partition(",")[2] for row in rows[3:6]]
    Path("own.csv").unlink()
    Path("some.csv").write_text("\n".join(["x,y,kind", *lines]))
    codes = encode(folder, "--file", "some.csv")
    assert (codes["labels"].tolist(), codes["label_names"]) == ([1, 0, 1], ["a", "b"])


def test_labels_of_a_file_are_written_where_the_run_has_none(capsys):
    x, kinds = np.random.default_rng(0).normal(size=(40, 2)), np.array(["b", "a"] * 20)
    np.savez("d.npz", x=x)
    words = ["--data", "Files", "--data.path", "d.npz", "--data.batch_size", "8"]
    folder = fit(*words, "--model.likelihood", "Normal")
    lines = [f"{a},{b},{kind}" for (a, b), kind in zip(x, kinds, strict=True)]
    Path("t.CSV").write_text("\n".join(["x,y,kind", *lines]))
    named = encode(folder, "--file", "t.CSV", "--labels", "kind")
    assert named["labels"].tolist() == [1, 0] * 20
    assert named["label_names"] == ["a", "b"]
    assert_close(named["mean"], encode(folder, "--file", "d.npz", output="bare.npz")["mean"])
    Path("codes.npz").unlink()
    error = refused(capsys, folder, "-o", "codes.npz", "--file", "t.CSV")
    assert (
        "holds no numbers in kind: name a column of labels (--data.labels of fit, --labels" in error
    )


def test_colour_images_of_a_folder_train_a_convolutional_model_to_its_codes(capsys):
    generator = np.random.default_rng(0)
    for number in range(12):
        image = np.zeros((8, 8, 3), np.uint8)
        image[2:6, 2:6] = generator.integers(256, size=3)
        Path("photos", "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(f"photos/{'ab'[number % 2]}/{number:02}.png")
    folder = fit(
        *("--data", "Files", "--data.path", "photos", "--data.batch_size", 4),
        *("--model.encoder", "Conv", "--model.encoder.channels", "[8]"),
        *("--model.decoder", "Conv", "--model.decoder.channels", "[8]"),
        *("--model.likelihood", "Normal", "--trainer.max_epochs", 2),
    )
    assert "photos: 3 x 8 x 8, 256 levels; 2 labels (a, b); 10 train" in capsys.readouterr().out
    with Image.open(folder / "images/reconstructions.png") as picture:
        assert picture.mode == "RGB"
    codes = encode(folder, "--file", "photos")
    assert codes["labels"].tolist() == [0] * 6 + [1] * 6
    assert len(encode(folder, output="test.npz")["mean"]) == 1


def test_a_class_of_ones_own_is_trusted_only_if_it_is_named(capsys):
    Path("own_encoded.py").write_text(OWN)
    folder = fit("--model.regularizer", "own_encoded.Mine")
    sys.modules.pop("own_encoded")
    assert "add --trust own_encoded, or trust=['own_encoded'] in a notebook, if" in refused(
        capsys, folder, "-o", "codes.npz"
    )
    assert len(encode(folder, "--trust", "own_encoded")["mean"]) == 200


def test_what_cannot_be_encoded_is_one_sentence_and_nothing_is_written(conditional, capsys):
    np.save("wide.npy", np.ones((5, 9)))
    np.save("flat.npy", np.ones((5, 64)))
    np.save("grey.npy", np.full((5, 8, 8), 0.5))
    np.savez("strange.npz", x=np.ones((2, 8, 8)), y=np.array([3, 10]))
    for words, message in {
        ("nowhere", "-o", "codes.npz"): "nowhere is no run",
        (conditional, "-o", "codes.csv"): "--output must end in .npz, got codes.csv",
        (conditional, "-o", "no/codes.npz"): "there is no folder no to write codes.npz to",
        (conditional, "-o", "flat.npz", "--file", "no.npy"): "path: there is no no.npy",
        (
            conditional,
            "-o",
            "codes.npz",
            "--file",
            "wide.npy",
        ): "has examples of shape (9,), and the",
        (conditional, "-o", "codes.npz", "--file", "grey.npy"): "holds 0.5, which is not binary",
        (conditional, "-o", "codes.npz", "--file", "flat.npy"): "the file has no labels: name its",
        (
            conditional,
            "-o",
            "codes.npz",
            "--file",
            "strange.npz",
        ): "has the label '10', and the lab",
        (conditional, "-o", "codes.npz", "--labels", "y"): "--labels are those of a --file",
    }.items():
        assert message in refused(capsys, *words)


def test_a_file_that_is_there_is_never_written_over(conditional, capsys):
    Path("kept.npz").write_text("mine")
    assert "kept.npz is there already" in refused(capsys, conditional, "-o", "kept.npz")
    assert Path("kept.npz").read_text() == "mine"


def test_a_write_that_fails_leaves_nothing(conditional, monkeypatch, capsys):
    def full(file, **_):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert "no space left" in refused(capsys, conditional, "-o", "codes.npz")
