"""Samples, reconstructions, interpolations and traversals, by the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from vae_zoo.cli import main
from vae_zoo.packaged import find
from vae_zoo.restore import restore
from vae_zoo.runs import Run, replace
from vae_zoo.sweep.source import Source

SHORT = [
    *("--trainer.max_epochs", "1"),
    *("--trainer.enable_progress_bar", "false"),
    *("--trainer.limit_train_batches", "3"),
    *("--trainer.accelerator", "cpu"),
    *("--scorecard", "false"),
]
SMALL = [*("--model.encoder.hidden", "[8]"), *("--model.decoder.hidden", "[8]")]
LINE = "To be, or not to be: that is the question.\n"


pytestmark = pytest.mark.usefixtures("empty_folder")


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def fit(folder, *words):
    """Train a small model in a folder, and return the folder of its run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(sys, "argv", ["vae-zoo"])
        patch.setenv("WANDB_MODE", "disabled")
        assert run("fit", "-c", "base", *SHORT, *words) == 0
    [config] = folder.glob("runs/*/*/config.yaml")
    return config.parent


@pytest.fixture(scope="module")
def of_text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    file = folder / "own.txt"
    file.write_text(LINE * 40)
    words = ["--data", "Text", "--data.path", file, "--data.length", 20, "--data.batch_size", 10]
    return fit(folder, "-c", "likelihood/tokens", *words)


@pytest.fixture(scope="module")
def of_digits(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("digits"), *SMALL)


@pytest.fixture(scope="module")
def of_labels(tmp_path_factory):
    words = ["--model.condition", "OneHot", "--model.prior", "ConditionalNormal"]
    return fit(tmp_path_factory.mktemp("labels"), *SMALL, *words)


@pytest.fixture(scope="module")
def of_regression(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("regression"), "-c", "experiment/two_modes_regression")


def texts(printed):
    """Titles and texts of what a command printed."""
    parts = ("\n" + printed.rstrip("\n")).split("\n--- ")[1:]
    return [part.partition("\n")[::2] for part in parts]


def test_texts_are_printed_or_written_and_drawn_by_the_seed_alone(of_text, capsys):
    capsys.readouterr()
    assert run("sample", of_text, "-n", 3) == 0
    printed = capsys.readouterr().out
    assert [title for title, _ in texts(printed)] == ["sample 0", "sample 1", "sample 2"]
    assert set("".join(text for _, text in texts(printed))) <= set(LINE)
    assert run("sample", of_text, "-n", 3, "-o", "some.txt") == 0
    assert capsys.readouterr().out == "some.txt: sample 0 to sample 2\n"
    assert Path("some.txt").read_text().rstrip("\n") == printed.rstrip("\n")
    assert run("sample", of_text, "-n", 3, "--seed", 1) == 0
    assert capsys.readouterr().out != printed
    model, data = restore(of_text)
    torch.manual_seed(0)
    assert [f"{text}\n".rstrip("\n") for text in data.texts(model.sample(3))] == [
        text.rstrip("\n") for _, text in texts(printed)
    ]


def test_the_run_of_a_text_keeps_texts_in_its_folder(of_text):
    assert [path.name for path in Run(of_text).images.iterdir()] == ["latents.png"]
    data = restore(of_text)[1]
    x, _ = data.batch(*data.splits.test.cut(0, 10))
    written = texts((of_text / "texts/reconstructions.txt").read_text())
    assert len(written) == 2 * len(data.splits.test.x)
    assert [title for title, _ in written[:2]] == ["example 0", "reconstruction 0"]
    for (_, text), original in zip(written[::2], data.texts(x), strict=True):
        assert text.rstrip("\n") == original.rstrip("\n")
    assert len(texts((of_text / "texts/samples.txt").read_text())) == 40


def test_texts_go_over_from_one_test_example_to_another(of_text, capsys):
    capsys.readouterr()
    assert run("interpolate", of_text, "--between", 2, 0, "--steps", 3) == 0
    shown = texts(capsys.readouterr().out)
    titles = ["test example 2", "at 0.00", "at 0.50", "at 1.00", "test example 0"]
    assert [title for title, _ in shown] == titles
    model, data = restore(of_text)
    x, _ = data.batch(*data.splits.test.take(torch.tensor([2, 0])))
    ends = data.texts(torch.stack([x[0], *model.reconstruct(x), x[1]]))
    assert [shown[i][1].rstrip("\n") for i in (0, 1, 3, 4)] == [text.rstrip("\n") for text in ends]


def test_pictures_are_written_in_a_grid_and_nothing_is_written_over(of_digits, capsys):
    assert run("sample", of_digits, "-n", 5) == 0
    assert "samples.png: sample 0 to sample 4" in capsys.readouterr().out
    with Image.open("samples.png") as image:
        assert image.size == (3 * 40, 2 * 40)  # ten pixels a cell with its frame, four times larger
    before = Path("samples.png").read_bytes()
    assert run("sample", of_digits) == 2
    assert "samples.png is there already: name another file, or del" in capsys.readouterr().err
    assert Path("samples.png").read_bytes() == before
    assert run("interpolate", of_digits, "--steps", 4) == 0
    with Image.open("interpolation.png") as image:
        assert image.size == (6 * 40, 40)


def test_codes_go_straight_from_one_mean_to_the_other(of_digits):
    assert run("interpolate", of_digits, "--between", 3, 7, "--steps", 5, "-o", "line.npz") == 0
    model, data = restore(of_digits)
    x, _ = data.batch(*data.splits.test.take(torch.tensor([3, 7])))
    with torch.no_grad():
        c = torch.zeros(1, 0)
        z, end = model.encode(x, c).mean
        codes = torch.stack([z + i / 4 * (end - z) for i in range(5)])
        expected = torch.cat([x[:1], model.decode(codes, c).mean, x[1:]])
    with np.load("line.npz", allow_pickle=False) as arrays:
        assert_close(torch.from_numpy(arrays["x"]), expected)


def test_a_model_of_labels_takes_them_in_turn_or_the_one_asked_for(of_labels, capsys):
    assert run("sample", of_labels, "-n", 12, "-o", "turn.npz") == 0
    assert run("sample", of_labels, "-n", 12, "--label", 3, "-o", "three.npz") == 0
    assert "three.npz: sample 0, label 3 to sample 11, label 3" in capsys.readouterr().out
    model, _ = restore(of_labels)
    for file, y in (("turn", torch.arange(12) % 10), ("three", torch.full((12,), 3))):
        torch.manual_seed(0)
        with np.load(f"{file}.npz", allow_pickle=False) as arrays:
            assert arrays["y"].tolist() == y.tolist()
            assert_close(torch.from_numpy(arrays["x"]), model.sample(12, y))
    assert run("sample", of_labels, "--label", 10) == 2
    assert "--label must be 0 to 9, got 10" in capsys.readouterr().err
    assert run("sample", of_labels, "-n", 12, "-o", "turn.png") == 0
    with Image.open("turn.png") as image:
        assert image.size == (10 * 40, 2 * 40)  # a column for each label


def test_an_interpolation_keeps_the_condition_of_the_first_example(of_labels):
    assert run("interpolate", of_labels, "--steps", 3, "-o", "line.npz") == 0
    model, data = restore(of_labels)
    x, y = data.batch(*data.splits.test.cut(0, 2))
    assert y[0] != y[1]
    with torch.no_grad():
        c = model.condition(y)
        z = model.encode(x, c).mean
        end = model.decode(z[1:], c[:1]).mean
    with np.load("line.npz", allow_pickle=False) as arrays:
        assert_close(torch.from_numpy(arrays["x"][3:4]), end)
        assert arrays["y"].tolist() == [*[y[0]] * 4, y[1]]


def test_other_conditions_are_those_of_the_test_split_and_numbers_are_written(of_regression):
    assert run("sample", of_regression, "-n", 6) == 0
    data = restore(of_regression)[1]
    with np.load("samples.npz", allow_pickle=False) as arrays:
        assert arrays["x"].shape == (6, 1)
        assert_close(torch.from_numpy(arrays["y"]), data.splits.test.y[:6])


def test_examples_are_reconstructed_above_one_another_or_in_numbers(of_digits, capsys):
    assert run("reconstruct", of_digits, "-n", 12) == 0
    assert "reconstructions.png: example 0 to reconstruction 11" in capsys.readouterr().out
    with Image.open("reconstructions.png") as image:
        assert image.size == (10 * 40, 4 * 40)
        cells = np.asarray(image)[20::40, 20::40]  # a pixel of each
    assert (cells[2:, 2:] == 255).all()  # there are twelve, and ten in a row
    assert run("reconstruct", of_digits, "-n", 3, "--split", "val", "-o", "three.npz") == 0
    model, data = restore(of_digits)
    x, _ = data.batch(*data.splits.val.cut(0, 3))
    with np.load("three.npz", allow_pickle=False) as arrays:
        titles = [f"{what} {i}" for i in range(3) for what in ("example", "reconstruction")]
        assert arrays["titles"].tolist() == titles
        assert_close(torch.from_numpy(arrays["x"][::2]), x)
        assert_close(torch.from_numpy(arrays["x"][1::2]), model.reconstruct(x))


def test_the_codes_of_a_label_are_decoded_under_it(of_labels):
    assert run("reconstruct", of_labels, "-n", 4, "-o", "four.npz") == 0
    assert run("traverse", of_labels, "--example", 3, "--steps", 3, "-o", "moved.npz") == 0
    model, data = restore(of_labels)
    x, y = data.batch(*data.splits.test.cut(0, 4))
    reconstructed = model.reconstruct(x, y)
    with np.load("four.npz", allow_pickle=False) as arrays:
        assert_close(torch.from_numpy(arrays["x"][1::2]), reconstructed)
        assert arrays["y"].tolist() == y.repeat_interleave(2).tolist()
    with np.load("moved.npz", allow_pickle=False) as arrays:
        assert len(arrays["x"]) == model.latent_dim * 3
        middles = torch.from_numpy(arrays["x"][1::3])
        assert_close(middles, reconstructed[3].expand_as(middles))
        assert {*arrays["y"].tolist()} == {y[3].item()}


def test_a_traversal_is_a_picture_with_a_row_for_each_dimension(of_digits, capsys):
    assert run("traverse", of_digits, "--steps", 5) == 0
    assert "traversals.png: z" in capsys.readouterr().out
    with Image.open("traversals.png") as image:
        assert image.height == 8 * 50 + 20
        assert image.width > 5 * 50
    assert run("traverse", of_digits, "--steps", 5) == 2
    assert "traversals.png is there already" in capsys.readouterr().err


def test_texts_are_reconstructed_and_traversed_as_texts(of_text, capsys):
    capsys.readouterr()
    assert run("reconstruct", of_text, "-n", 2) == 0
    shown = texts(capsys.readouterr().out)
    titles = ["example 0", "reconstruction 0", "example 1", "reconstruction 1"]
    assert [title for title, _ in shown] == titles
    model, data = restore(of_text)
    x, _ = data.batch(*data.splits.test.cut(0, 2))
    expected = data.texts(torch.stack([x, model.reconstruct(x)], 1).flatten(0, 1))
    assert [text.rstrip("\n") for _, text in shown] == [text.rstrip("\n") for text in expected]
    assert run("traverse", of_text, "--steps", 3, "-o", "moved.txt") == 0
    moved = texts(Path("moved.txt").read_text())
    assert len(moved) == 8 * 3
    assert [title.split(" ", 1)[1] for title, _ in moved[:3]] == ["-2.0", "0", "+2.0"]
    assert moved[1][1].rstrip("\n") == expected[1].rstrip("\n")


def test_wrong_words_are_answered_in_a_sentence_and_write_nothing(of_digits, capsys):
    Path("there.npz").write_text("mine")
    capsys.readouterr()
    files = sorted(Path().rglob("*"))
    wrong = {
        ("sample", "-n", 0): "-n must be at least 1, got 0",
        ("sample", "--seed", -1): "--seed must be non-negative, got -1",
        ("sample", "--label", 3): "--label is of a model with a label as its condition, got 3",
        ("sample", "-o", "a.txt"): "--output must end in .png or .npz for such data, got a.txt",
        ("sample", "-o", "there.npz"): "there.npz is there already",
        ("sample", "-o", "none/a.png"): "there is no folder none to write a.png to",
        ("interpolate", "--steps", 1): "--steps must be at least 2, got 1",
        ("interpolate", "--between", 0, 999): "test examples 0 to 199, got 0 999",
        ("interpolate", "--between", -1, 0): "test examples 0 to 199, got -1 0",
        ("interpolate", "-o", "there.npz"): "there.npz is there already",
        ("reconstruct", "-n", 0): "-n must be at least 1, got 0",
        ("reconstruct", "-o", "a.txt"): "--output must end in .png or .npz for such data, got a",
        ("reconstruct", "-o", "there.npz"): "there.npz is there already",
        ("traverse", "--steps", 1): "--steps must be at least 2, got 1",
        (
            "traverse",
            "--example",
            200,
        ): "--example must name one of the test examples 0 to 199",
        ("traverse", "--example", -1): "--example must name one of the test examples 0 to 199",
        ("traverse", "-o", "none/a.png"): "there is no folder none to write a.png to",
    }
    for (command, *words), message in wrong.items():
        assert run(command, of_digits, *words) == 2
        assert message in capsys.readouterr().err
    for command in ("sample", "reconstruct", "interpolate", "traverse"):
        assert run(command, "nowhere") == 2
        assert "nowhere is no run" in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == files
    assert Path("there.npz").read_text() == "mine"


def test_a_regression_has_no_codes_to_go_between(of_regression, capsys):
    assert run("interpolate", of_regression) == 2
    assert "is a regression: it has no codes to go between" in capsys.readouterr().err
    assert run("traverse", of_regression) == 2
    assert "is a regression: it has no codes to change" in capsys.readouterr().err


@pytest.fixture
def own_text(of_text):
    """The file of the text that a run was trained on, put back in the end."""
    file = of_text.parents[2] / "own.txt"
    before = file.read_text()
    yield file
    file.write_text(before)


def test_a_text_that_has_changed_or_gone_is_not_needed_for_samples(of_text, own_text, capsys):
    before = own_text.read_text()
    capsys.readouterr()
    assert run("sample", of_text) == 0
    printed = capsys.readouterr().out
    own_text.write_text("".join(chr(ord(character) + 1) for character in before))
    assert run("sample", of_text) == 0
    assert capsys.readouterr().out == printed
    assert run("interpolate", of_text) == 2
    error = capsys.readouterr().err
    assert "own.txt has other characters than the run was trained with (new: " in error
    own_text.unlink()
    assert run("sample", of_text) == 0
    assert capsys.readouterr().out == printed
    assert run("interpolate", of_text) == 2
    error = capsys.readouterr().err
    assert f"there is no file {own_text}; the run's config.yaml says where its data lie" in error
    assert len(error.splitlines()) == 1


@pytest.fixture(scope="module")
def of_files(tmp_path_factory):
    """A run that is conditioned on labels that are words, trained by a relative path."""
    folder = tmp_path_factory.mktemp("files")
    x = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a},{b},{('versicolor', 'setosa')[int(a > 0)]}" for a, b in x]
    (folder / "iris.csv").write_text("\n".join(["a,b,species", *lines]))
    words = ["--data", "Files", "--data.path", "iris.csv", "--data.labels", "species"]
    words += ["--data.batch_size", 8, "--model.likelihood", "Normal", "--model.condition", "OneHot"]
    return fit(folder, *SMALL, *words)


def test_a_label_is_named_by_its_word_or_its_number_and_titles_show_the_word(of_files, capsys):
    capsys.readouterr()
    for number, label in enumerate(("versicolor", "1")):
        assert run("sample", of_files, "-n", 2, "--label", label, "-o", f"{number}.npz") == 0
        titles = "sample 0, label versicolor to sample 1, label versicolor"
        assert capsys.readouterr().out == f"{number}.npz: {titles}\n"
    assert Path("0.npz").read_bytes() == Path("1.npz").read_bytes()
    for label in ("virginica", "2", "-1"):
        assert run("sample", of_files, f"--label={label}") == 2
        message = f"--label must be one of 'setosa', 'versicolor', or 0 to 1, got {label}\n"
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("setosa,", "setosa,"), None),
        (("setosa", "sempervirens"), "(new: 'sempervirens'; missing: 'setosa')"),
        (("a,b,species", "a,b,species\n1,2,virginica"), "(new: 'virginica')"),
        (("versicolor", "setosa"), "(missing: 'versicolor')"),
        ((",setosa", ",1,setosa"), "cannot be read"),
        (None, "there is no "),
    ],
)
def test_a_run_refuses_data_that_changed_since_wherever_it_needs_them(
    of_files, change, message, capsys
):
    """And works from any folder."""
    file = of_files.parents[2] / "iris.csv"
    before = file.read_text()
    file.unlink()
    if change:
        file.write_text(before.replace(*change))
    try:
        for command in ("evaluate", "classify", "interpolate"):
            capsys.readouterr()
            assert run(command, of_files) == (2 if message else 0)
            error = capsys.readouterr().err
            assert (message or "") in error
            assert len(error.splitlines()) == (1 if message else 0)
        assert run("sample", of_files, "-n", 2) == 0
        if change and message and "(" in message:
            assert run("fit", "--resume", of_files, "--trainer.max_epochs", 2) == 2
            assert message in capsys.readouterr().err
    finally:
        file.write_text(before)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "a.bin"
    replace(file, b"\x00\r\n")
    assert file.read_bytes() == b"\x00\r\n"
    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace(file, "other")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert file.read_bytes() == b"\x00\r\n"


def interrupt(*args):
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore:.* rises for .* steps, but the training ends after 1,")
def test_every_trial_of_the_sweep_of_texts_trains():
    Path("own.txt").write_text(LINE * 40)
    source = Source.read(Path(find("sweeps", "text")))
    assert source.sweep.command[2:-1] == [
        "fit",
        "--config",
        "base",
        "--config",
        "experiment/text",
        "--config",
    ]
    small = ["--data.path", "own.txt", "--data.length", 20, "--data.batch_size", 10]
    for trial in source.new():
        words = ["-c", "base", "-c", "experiment/text", "-c", json.dumps(trial), *small]
        assert run("fit", *words, "--trainer.fast_dev_run", "true") == 0
