"""A user's own data: what is found out about them, what overrides it, and what is refused."""

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from vae_zoo.data import Files

N = 20


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def together(data):
    return torch.cat([split.x for split in data.splits])


def rows(x):
    return sorted(tuple(row) for row in torch.as_tensor(x).flatten(1).tolist())


def random(*shape, high=256):
    return np.random.default_rng(0).integers(high, size=shape, dtype=np.uint8)


def write_images(folder, n=6, size=(8, 6), mode="RGB"):
    """Draw images, and return their pixels ``(N, H, W[, C])``."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    channels = {"RGB": (3,), "L": (), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(len(str(folder))).integers(
        256, size=(n, *size, *channels), dtype=np.uint8
    )
    for number, image in enumerate(pixels):
        Image.fromarray(image, mode if mode != "RGBA" else None).save(f"{folder}/{number}.png")
    return pixels


def write_csv(text, name="t.csv"):
    Path(name).write_text(text)
    return name


@pytest.mark.parametrize(
    ("x", "shape", "support"),
    [
        (random(N, 5), (5,), "256 levels"),
        (random(N, 5, high=2), (5,), "binary"),
        (random(N, 5, high=2).astype(bool), (5,), "binary"),
        (random(N, 5, high=2).astype(float), (5,), "binary"),
        (random(N, 5) / 255, (5,), "unit interval"),
        (random(N, 5).astype(int), (5,), "real"),  # they may be counts
        (random(N, 5) - 100.0, (5,), "real"),
        (random(N), (1,), "256 levels"),
        (random(N, 6, 4), (1, 6, 4), "256 levels"),
        (random(N, 6, 4).astype(int), (1, 6, 4), "256 levels"),
        (random(N, 6, 4).astype(float), (1, 6, 4), "256 levels"),
        (random(N, 6, 4) * 2.0, (1, 6, 4), "real"),
        (random(N, 3, 6, 4), (3, 6, 4), "256 levels"),
        (random(N, 6, 4, 3), (3, 6, 4), "256 levels"),
        (random(N, 6, 4, 1), (1, 6, 4), "256 levels"),
        (random(N, 5, 6, 4), (5, 6, 4), "256 levels"),
    ],
)
def test_shape_and_support_are_found_out(x, shape, support):
    np.save("x.npy", x)
    data = Files("x.npy", batch_size=2)
    assert (data.shape, data.support, data.classes) == (shape, support, 0)
    last = x.ndim == 4 and x.shape[3] in (1, 3)
    expected = np.moveaxis(x, 3, 1) if last else x
    assert rows(together(data)) == rows(expected.reshape(N, *shape).astype(np.float32))
    x, y = next(iter(data.train_dataloader()))
    assert (x.shape, x.dtype, y) == ((2, *shape), torch.float32, None)


def test_what_was_found_out_is_said_in_one_line(capsys):
    np.savez("d.npz", x=random(N, 4, 4), y=np.arange(N) % 2)
    data = Files("d.npz", batch_size=2, binarization="static")
    data.setup("fit")
    data.setup("test")
    assert capsys.readouterr().out == (
        "d.npz: 1 x 4 x 4, 256 levels made binary; 2 labels (0, 1); 16 train, 2 val, 2 test (val "
        "and test drawn at random)\n"
    )


def test_splits_are_drawn_by_their_seed_and_in_their_fractions():
    np.save("x.npy", random(N, 9))
    first = Files("x.npy")
    torch.manual_seed(7)
    assert torch.equal(first.splits.val.x, Files("x.npy").splits.val.x)
    assert not torch.equal(first.splits.val.x, Files("x.npy", split_seed=1).splits.val.x)
    sizes = [len(split.x) for split in Files("x.npy", val=0.2, test=0.35).splits]
    assert sizes == [9, 4, 7]


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "x_val", "x_test"),
        ("train", "valid", "test"),
        ("X_train", "x_validation", "X_test"),
    ],
)
def test_splits_of_a_file_are_used_as_they_are(names):
    parts = [random(n, 4) for n in (7, 3, 5)]
    np.savez("d.npz", **dict(zip(names, parts, strict=True)))
    data = Files("d.npz", batch_size=2)
    for split, x in zip(data.splits, parts, strict=True):
        assert split.x.tolist() == x.tolist()


def test_what_a_file_lacks_of_splits_is_drawn_from_those_to_train_on():
    x, y = random(N, 4), np.arange(N)[:, np.newaxis] % 3
    np.savez("d.npz", x_train=x, y_train=y, x_test=x[:5], y_test=y[:5])
    data = Files("d.npz", batch_size=2, val=0.25)
    assert [len(split.x) for split in data.splits] == [15, 5, 5]
    assert data.splits.test.x.tolist() == x[:5].tolist()
    assert data.splits.test.y.tolist() == [0, 1, 2, 0, 1]
    assert rows(torch.cat([data.splits.train.x, data.splits.val.x])) == rows(x)


def test_labels_follow_their_examples_in_the_order_of_their_names():
    words = np.array(["pear", "apple", "fig"])[np.arange(N) % 3]
    np.savez("d.npz", images=np.arange(N)[:, np.newaxis] * 1.0, fruit=words)
    data = Files("d.npz", labels="fruit", batch_size=2)
    assert (data.classes, data.names) == (3, ["apple", "fig", "pear"])
    for x, y in data.splits:
        assert [data.names[i] for i in y] == [words[int(row)] for row in x[:, 0]]


@pytest.mark.parametrize("labels", ["l.npy", "l.csv"])
def test_labels_may_lie_in_a_file_of_their_own(labels):
    numbers = np.arange(N) % 4 + 7
    np.save("l.npy", numbers)
    Path("l.csv").write_text("kind\n" + "\n".join(map(str, numbers)))
    np.save("x.npy", np.arange(N) * 1.0)
    data = Files("x.npy", labels=labels, batch_size=2)
    assert data.names == ["7", "8", "9", "10"]
    for x, y in data.splits:
        assert (y == x[:, 0] % 4).all()


def test_a_table_has_examples_in_rows_and_columns_of_labels():
    lines = [f"{i},{i / 3},{'ab'[i % 2]},{i % 2 == 0}" for i in range(N)]
    name = write_csv("n,third,kind,even\n" + "\n".join(lines))
    table = pa.table(
        {
            "n": range(N),
            "third": [i / 3 for i in range(N)],
            "kind": pa.array(["ab"[i % 2] for i in range(N)]).dictionary_encode(),
            "even": [i % 2 == 0 for i in range(N)],
        }
    )
    parquet.write_table(table, "t.parquet")
    for path in (name, "t.parquet"):
        data = Files(path, labels="kind", batch_size=2)
        assert (data.shape, data.support, data.names) == ((3,), "real", ["a", "b"])
        for x, y in data.splits:
            torch.testing.assert_close(x[:, 1], x[:, 0] / 3)
            assert (x[:, 2] == (x[:, 0] % 2 == 0)).all()
            assert (y == x[:, 0] % 2).all()
    assert Files(name, labels="even", ignore=["kind", "n"]).shape == (1,)


@pytest.mark.parametrize("header", ["", "0,1\n"])
def test_a_csv_whose_first_line_is_of_numbers_has_no_names(header):
    data = Files(write_csv(header + "\n".join(f"{i}.5,-2e3" for i in range(N))), batch_size=2)
    assert data.shape == (2,)
    assert sum(len(split.x) for split in data.splits) == N


@pytest.mark.parametrize(
    ("first", "said", "examples"),
    [
        ("a, b", "columns a,  b", N),
        ("nan,a", "columns nan, a", N),
        ("0,1", "columns 0, 1", N),
        ("2019,2020", "no header", N + 1),
        ("1.5,-2", "no header", N + 1),
    ],
)
def test_the_line_says_what_was_taken_for_the_names_of_columns(first, said, examples, capsys):
    data = Files(write_csv("\n".join([first, *(f"{i}.5,2" for i in range(N))]), "t.CSV"))
    assert sum(len(split.x) for split in data.splits) == examples
    assert f"t.CSV: 2, real; {said}; no labels" in capsys.readouterr().out


def test_the_unnamed_columns_of_pandas_have_an_index_beside_them():
    write_csv(",0,1\n" + "\n".join(f"{i},{i}.5,2" for i in range(N)))
    assert Files("t.csv", ignore=[""]).shape == (2,)


def test_labels_in_a_file_in_capitals():
    np.save("x.npy", np.arange(N) * 1.0)
    write_csv("kind\n" + "\n".join("ab"[i % 2] for i in range(N)), "L.CSV")
    assert Files("x.npy", labels="L.CSV").names == ["a", "b"]


def test_large_values_are_warned_of(capsys):
    np.save("x.npy", np.arange(2.0 * N).reshape(N, 2) * 1e30)
    Files("x.npy").setup("test")
    assert re.search(r"x\.npy: values up to 3\.\d*e\+31 hardly train: st", capsys.readouterr().out)


def test_a_wrong_guess_is_overridden():
    name = write_csv("\n".join(",".join(map(str, row)) for row in random(N, 12)))
    assert (Files(name).shape, Files(name).support) == ((12,), "real")
    data = Files(name, shape=[3, 2, 2])
    assert (data.shape, data.support) == ((3, 2, 2), "256 levels")
    assert rows(together(data)) == rows(random(N, 12))
    np.save("grey.npy", random(N, 4) / np.float32(255))
    data = Files("grey.npy", support="256 levels")
    assert together(data).dtype == torch.uint8
    assert rows(together(data)) == rows(random(N, 4))
    np.save("bytes.npy", random(N, 4))
    torch.testing.assert_close(
        torch.tensor(rows(together(Files("bytes.npy", support="unit interval")))),
        torch.tensor(rows(random(N, 4) / 255)).float(),
    )
    assert rows(together(Files("bytes.npy", support="real"))) == rows(random(N, 4))


def test_images_of_a_folder_are_colours_in_the_order_of_their_names(capsys):
    pixels = write_images("photos", n=12)
    Path("photos/notes.txt").write_text("not an image")
    Path("photos/plot.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0")  # code, to pillow's Ghostscript
    Path("photos/report.pdf").write_bytes(b"%PDF-1.4")
    Path("photos/._0.png").write_bytes(b"what a Mac leaves")
    data = Files("photos", batch_size=2)
    assert (data.shape, data.support, data.classes) == ((3, 8, 6), "256 levels", 0)
    order = np.argsort([f"{i}.png" for i in range(12)])
    assert torch.equal(data.in_order([]).x, torch.from_numpy(np.moveaxis(pixels[order], 3, 1)))
    assert rows(together(data)) == rows(np.moveaxis(pixels, 3, 1))
    assert "; left out notes.txt, plot.eps, report.pdf; no labels" in capsys.readouterr().out


def test_other_formats_under_the_name_of_an_image_are_not_opened():
    write_images("photos", n=3)
    Image.fromarray(random(8, 6, 3)).save("photos/9.png", format="PCX")
    refused("photos", r"9\.png is no image that can be read")


def test_sub_folders_are_labels_and_splits():
    for kind in ("dog", "cat"):
        write_images(f"photos/{kind}/young", n=5, mode="L")
    data = Files("photos", batch_size=2)
    assert (data.shape, data.names) == ((1, 8, 6), ["cat", "dog"])
    assert torch.cat([split.y for split in data.splits]).sort().values.tolist() == [0] * 5 + [1] * 5
    for split, n in {"train": 4, "valid": 2, "test": 3}.items():
        for kind in ("a", "b"):
            write_images(f"whole/{split}/{kind}", n=n)
    data = Files("whole", batch_size=2)
    assert [split.y.tolist() for split in data.splits] == [[0] * n + [1] * n for n in (4, 2, 3)]


def test_images_become_grey_colours_or_squares_if_that_is_asked_for():
    write_images("photos", n=4)
    assert Files("photos", grayscale=True).shape == (1, 8, 6)
    write_images("photos", n=1, mode="L")  # among colours
    assert Files("photos", grayscale=False).shape == (3, 8, 6)
    assert Files("photos").shape == (1, 8, 6), "the first image is grey"
    squares = Files("photos", size=4, grayscale=False)
    assert squares.shape == (3, 4, 4)
    flat = np.full((8, 6, 3), 90, np.uint8)
    Image.fromarray(flat).save("photos/0.png")
    assert (Files("photos", size=5, grayscale=False).in_order([]).x[0] == 90).all()


def test_images_of_several_formats_are_read_turned_and_without_transparency():
    Path("photos").mkdir()
    slope = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6, 1) * 10
    image = Image.fromarray(slope.repeat(3, axis=2))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right by the camera
    image.save("photos/a.jpg", exif=exif, quality=95)
    image.transpose(Image.Transpose.ROTATE_270).save("photos/b.bmp")
    image.transpose(Image.Transpose.ROTATE_270).convert("RGBA").save("photos/c.webp", lossless=True)
    x = Files("photos").in_order([]).x
    assert x.shape == (3, 3, 6, 4)
    assert torch.equal(x[1], x[2])
    assert (x[0].float() - x[1]).abs().mean() < 5  # JPEG is not exact


def test_grey_values_of_ones_own_are_binarized_and_dequantized():
    np.save("x.npy", random(N, 4))
    assert together(Files("x.npy", binarization="threshold")).unique().tolist() == [0, 1]
    assert Files("x.npy", dequantization=True).splits.val.x.dtype == torch.float32
    np.save("b.npy", random(N, 4, high=2))
    with pytest.raises(ValueError, match="of grey values, and the data are binary"):
        Files("b.npy", binarization="static").setup("fit")


def refused(path, message, **options):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        Files(path, **options).setup("test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 0.0}, "val and test must be positive fractions that leave a rest, got 0.0"),
        ({"val": 0.5, "test": 0.5}, "that leave a rest, got 0.5 and 0.5"),
        ({"split_seed": -1}, "split_seed must be non-negative, got -1"),
        ({"shape": [0, 3]}, r"shape must be positive numbers, got \[0, 3\]"),
        ({"shape": []}, r"shape must be positive numbers, got \[\]"),
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"support": "tokens"}, "support must be one of binary, .* got 'tokens'"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(options, message):
    with pytest.raises(ValueError, match=message):
        Files("nowhere", **options)


def test_paths_that_lead_nowhere_are_named():
    refused("nowhere.npy", r"path: there is no nowhere\.npy")
    Path("data.txt").write_text("1")
    refused("data.txt", r"folder of images, or end in \.csv, \.parquet, .*, got data\.txt")
    Path("empty").mkdir()
    refused("empty", "empty holds no images")


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.array([1.0, np.nan, 2.0]), {}, r"not finite, first in example 1 \(counted from 0\)"),
        (np.zeros((3, 0)), {}, r"should hold numbers, some, got float64 of shape \(3, 0\)"),
        (np.full((N, 2), 1e300), {}, r"x\.npy holds 1e\+300, which is too large for float32"),
        (np.array(1.0), {}, r"should hold numbers, some, got float64 of shape \(\)"),
        (np.array(["a", "b"]), {}, "should hold numbers, some, got <U1"),
        (np.zeros((5, 4)), {"shape": [5]}, r"shape must hold the 4 values .* got \[5\]"),
        (np.zeros(2), {}, "too few examples to draw val and test from, got 2"),
        (random(N, 4), {"support": "binary"}, r"holds \d+, which is not binary"),
        (random(N, 4) / 9, {"support": "unit interval"}, "which is not unit interval"),
        (random(N, 4) / 300, {"support": "256 levels"}, "which is not 256 levels"),
        (random(N, 4) - 9.0, {"support": "256 levels"}, "which is not 256 levels"),
        (random(N, 4), {"size": 4}, "size and grayscale are of a folder of images"),
        (random(N, 4), {"grayscale": True}, "size and grayscale are of a folder of images"),
        (random(N, 4), {"ignore": ["a"]}, "ignore is of the columns of a table"),
        (random(N, 4), {"labels": "y"}, r"labels of x\.npy must be a file, \.npy or \.csv, got y"),
        (random(N, 4), {"labels": "l.npy"}, "one for each of 20 examples, got float64 of shape"),
        (random(N, 4), {"labels": "no.csv"}, r"labels: there is no no\.csv"),
        (random(N, 4), {"labels": "two.csv"}, r"two\.csv should hold one column, .* got a, b"),
    ],
)
def test_arrays_that_are_no_data_are_named(x, options, message):
    np.save("x.npy", x)
    np.save("l.npy", np.zeros(N - 1))
    Path("two.csv").write_text("a,b\n1,2\n")
    refused("x.npy", message, **options)


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("harm"),))


def test_pickled_objects_are_never_opened():
    np.save("x.npy", np.array([Evil()]), allow_pickle=True)
    refused("x.npy", "cannot be read: it is no array of numbers or words, and Python's own objects")
    np.savez("x.npz", x=np.array([Evil()]))
    refused("x.npz", "cannot be read: it is no array of numbers or words")
    assert not Path("harm").exists()


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.parquet"])
@pytest.mark.parametrize("harm", ["half", "empty", "text", "middle"])
def test_broken_files_are_named(name, harm):
    if name == "x.parquet":
        parquet.write_table(pa.table({"a": np.arange(1000.0)}), name)
    else:
        (np.save if name == "x.npy" else np.savez_compressed)(name, np.arange(1000.0))
    content = Path(name).read_bytes()
    half = len(content) // 2
    Path(name).write_bytes(
        {
            "half": content[:half],
            "empty": b"",
            "text": b"what is this?",
            "middle": content[:4] + bytes(60) + content[64:],
        }[harm]
    )
    refused(name, rf"{name} (cannot be read|should name its examples|has no array)")


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"a": np.zeros(5), "b": np.zeros(5)}, {}, "should name its examples x, .* got a, b"),
        ({}, {}, "should name its examples x, .* got no arrays"),
        (
            {"x": np.zeros(5), "kind": np.zeros(5)},
            {"labels": "kinds"},
            "no array kinds, but x, kind. Did you mean kind?",
        ),
        ({"x": np.zeros(N), "y": np.zeros(N)}, {}, "labels must be integers or words, .* float64"),
        ({"x_train": np.zeros(9)}, {"labels": "z"}, "no array z_train, but x_train"),
        (
            {"x_train": np.zeros((9, 2)), "x_test": np.zeros((9, 3))},
            {},
            "splits must be of one shape, got",
        ),
        (
            {"x_train": np.zeros(9), "y_train": np.zeros(9, int), "x_test": np.zeros(9)},
            {},
            "all splits must have labels, or none, and test has none",
        ),
        (
            {
                "x_train": np.zeros(9),
                "y_train": np.zeros(9, int),
                "x_test": np.zeros(2),
                "y_test": np.array(["a", "b"]),
            },
            {},
            "integers in one split, words in another",
        ),
        ({"x_train": np.zeros(9)}, {"labels": "l.npy"}, "has splits of its own"),
        ({"x_test": np.zeros(9)}, {}, "has x_test and no x_train to train on"),
        ({"x": np.zeros(4), "y": np.array(["a", " ", "b", "b"])}, {}, "label of example 1 .* ' '"),
    ],
)
def test_arrays_that_do_not_say_what_is_what_are_named(arrays, options, message):
    np.savez("d.npz", **arrays)
    refused("d.npz", message, **options)


def test_an_array_under_the_name_of_another_form_is_named():
    np.save("x.npy", np.zeros(9))
    Path("x.npy").rename("x.npz")
    refused("x.npz", r"x\.npz holds one array: name it \.npy")
    np.savez("y.npz", np.zeros(9))
    Path("y.npz").rename("y.npy")
    refused("y.npy", r"y\.npy holds several arrays: name it \.npz")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b,c\n1,x,2\n3,y,4\n", {}, "holds no numbers in b: name a column of labels"),
        ("a,b\n1,2\n3\n", {}, "cannot be read: CSV parse error"),
        ("a,b\n1,2\n3,\n", {}, "has 1 empty cells in column b, first in row 2"),
        ("a,b\n1,2\n3,nan\n", {}, "(holds nan|empty cells) .*column b,.* row 2"),
        ("a,b\n1,2\n3,inf\n", {}, "holds inf in column b, row 2"),
        ("a,b\n1,2\n3,4\n", {"labels": "c"}, r"labels: t\.csv has no column c\. It has a, b"),
        ("a,b\n1,2\n3,4\n", {"ignore": ["bb"]}, "ignore: .* no column bb. Did you mean b?"),
        ("a,b\n1,2.5\n3,4\n", {"labels": "b"}, "column b of .* should hold integers or words"),
        ("a\n1\n2\n", {"labels": "a"}, "no column left for the examples"),
        ("a,a\n1,2\n", {}, "names columns alike: a"),
        (
            ",a\n0,2\n1,3\n",
            {},
            r"column without a name: leave it out of .* with --data.ignore '\[\"\"\]'",
        ),
        ("", {}, "cannot be read: Empty CSV file"),
        ("a,b\n", {}, "has no rows, but the columns a, b"),
        ("a\nb\n\xff\xfe\n", {}, "cannot be read: it is not in UTF-8"),
        ("a,k\n1,x\n2,s\xe9tosa\n", {"labels": "k"}, "it is not in UTF-8, in which it should be"),
        ("a;b\n1;2\n", {}, "it looks separated by semicolons, and should be by commas"),
        ("a\tb\n1\t2\n", {}, "it looks separated by tabs"),
        ("a,b\n1,2\n3,oops\n4,5\n", {}, "holds 'oops' among the numbers of column b, in row 2"),
        ("a,k\n1,x\n2,\n", {"labels": "k"}, r"the label of example 1 \(counted from 0\) is ''"),
        ("1.5,nan,2\n1,2,3\n", {}, "empty cells in column f1, first in row 1"),
        ("1.5,,2\n1,2,3\n", {}, "empty cells in column f1, first in row 1"),
        ("1.5,x\n2.5,y\n", {}, "holds no numbers in f1"),
    ],
)
def test_tables_that_are_no_data_are_named_with_their_column(text, options, message):
    Path("t.csv").write_text(text, encoding="latin-1")
    refused("t.csv", message, **options)


def test_an_unnamed_column_is_left_out_as_the_error_says():
    write_csv(",a\n" + "\n".join(f"{i},{i}" for i in range(N)))
    assert Files("t.csv", ignore=[""]).shape == (1,)


def test_images_that_do_not_go_together_are_named():
    write_images("photos", n=3)
    Image.fromarray(random(9, 6, 3)).save("photos/7.png")
    refused("photos", r"0\.png has 8 x 6 pixels and .*7\.png 9 x 6: .* --data\.size 64")
    assert Files("photos", size=8).shape == (3, 8, 8)
    Path("photos/7.png").write_bytes(Path("photos/0.png").read_bytes()[:60])
    refused("photos", r"7\.png is no image that can be read")
    Path("photos/7.png").write_bytes(b"text")
    refused("photos", r"7\.png is no image that can be read")
    Image.fromarray(np.zeros((8, 6), np.uint16)).save("photos/7.png")
    refused("photos", r"7\.png has more than 8 bits a pixel")
    Path("photos/7.png").unlink()
    write_images("photos/cat", n=2)
    refused("photos", r"beside sub-folders of images, .*: put 0\.png and its like into one")


def test_a_split_that_is_named_twice_is_refused():
    for name in ("train", "val", "valid"):
        write_images(f"photos/{name}", n=2)
    refused("photos", "names a split twice: train, val, valid")
    shutil.rmtree("photos/train")
    refused("photos", "has val and valid and no train to train on")


def test_nothing_is_read_before_it_is_needed():
    data = Files("later.npy", batch_size=2)
    np.save("later.npy", random(N, 4))
    assert data.shape == (4,)
    assert re.match("Files: 256 levels data", str(data))


@pytest.mark.filterwarnings("ignore:the .* examples of the")
def test_a_run_remembers_the_names_of_labels_and_where_values_lie():
    words = np.array(["a", "b"] * 10)
    np.savez("d.npz", x=random(N, 4) / 255, y=words)
    state = Files("d.npz").state_dict()
    assert state == {"names": ["a", "b"], "support": "unit interval"}
    gone = Files("gone.npz")
    gone.load_state_dict(state)
    assert (gone.known_names, gone.support) == (["a", "b"], "unit interval")
    for change, message in {
        "c": r"d\.npz has other labels than the run was trained with \(new: 'c'; missing: 'b'\)",
        "b": "holds 2, which is not unit interval",
    }.items():
        words[1::2] = change
        np.savez("d.npz", x=np.full((N, 4), 2.0 if change == "b" else 0.3), y=words)
        early, late = Files("d.npz"), Files("d.npz")
        late.load_state_dict(state)
        with pytest.raises(ValueError, match=message):
            late.setup("test")
        early.setup("test")  # before the state is loaded, as Lightning resumes
        with pytest.raises(ValueError, match=r"than the run was|now, and was unit"):
            early.load_state_dict(state)
