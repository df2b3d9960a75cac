import os
import subprocess
import sys
from pathlib import Path

import pytest

from vae_zoo.comparison import compare, read


def test_no_runs_is_an_error_that_says_what_a_run_is(tmp_path):
    with pytest.raises(ValueError, match=r"no runs in .*: a run's folder holds a config\.yaml"):
        read([tmp_path])


def test_no_finished_run_is_an_error_that_names_them(runs):
    runs.write("half", epochs=7)
    with pytest.raises(ValueError, match=r"no finished run in .*: demo/half \(in epoch 6\)"):
        read([runs.path])


def test_an_unfinished_run_is_named_and_left_out(runs):
    runs.write("whole", 0)
    runs.write("half", 1, epochs=7)
    (runs.write("new", 2) / "metrics.csv").unlink()
    comparison = read([runs.path])
    assert comparison.sections[0].groups[0].seeds == ["0"]
    assert [str(one) for one in comparison.unfinished] == [
        "demo/half (in epoch 6)",
        "demo/new (no metrics yet)",
    ]


def spoil_yaml(folder):
    (folder / "config.yaml").write_text("model: [1\n")


def spoil_mapping(folder):
    (folder / "config.yaml").write_text("- 1\n")


def spoil_model(folder):
    (folder / "config.yaml").write_text("name: demo\n")


def spoil_bytes(folder):
    (folder / "config.yaml").write_bytes(b"\xff\xfe\x00")


def spoil_cell(folder):
    rows = (folder / "metrics.csv").read_text().replace("-20.0", "twenty")
    (folder / "metrics.csv").write_text(rows)


def spoil_row(folder):
    with (folder / "metrics.csv").open("a") as file:
        file.write("1," * 40 + "\n")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_yaml, "is no valid YAML"),
        (spoil_mapping, "should hold a mapping"),
        (spoil_model, "names no model.regularizer"),
        (spoil_bytes, "no text in UTF-8"),
        (spoil_cell, "twenty"),
        (spoil_row, "metrics"),
    ],
)
def test_a_broken_run_is_named_and_the_comparison_goes_on(runs, spoil, reason):
    runs.write("whole")
    spoil(runs.write("broken", 1))
    comparison = read([runs.path])
    [broken] = comparison.broken
    assert str(broken).startswith("demo/broken (")
    assert reason in broken.reason
    assert comparison.sections[0].runs == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_run_that_diverged_is_left_out_of_the_means(runs, value):
    runs.write("whole")
    runs.write("diverged", 1, terms={"elbo": value, "reconstruction": 14.0, "kl": 6.0})
    comparison = read([runs.path])
    assert [one.reason for one in comparison.broken] == [f"train/elbo is {value}"]
    assert comparison.sections[0].runs == 1


def test_a_run_given_twice_counts_once(runs):
    folder = runs.write("a")
    assert read([runs.path, folder]).sections[0].runs == 1


def test_a_run_given_as_the_current_folder_has_its_name(runs, monkeypatch):
    runs.write("whole")
    monkeypatch.chdir(runs.write("half", 1, epochs=3))
    with pytest.raises(ValueError, match="demo/half"):
        read([type(runs.path)(".")])


def test_what_would_act_on_a_terminal_is_shown(runs, capsys):
    runs.write("red", prior="P\x1b[31mred\x1b]0;own\a\u202e")
    compare([runs.path])
    page = (runs.path / "comparison.html").read_text()
    for text in (capsys.readouterr().out, page):
        assert not {"\x1b", "\a", "\u202e"} & set(text)
    assert r"P\x1b[31mred" in page


def test_each_folder_must_have_runs(runs, tmp_path):
    runs.write("a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"no runs in {tmp_path / 'empty'}: a run's"):
        read([runs.path, tmp_path / "empty"])


def test_the_page_is_written_though_nobody_reads_what_is_printed(runs):
    runs.write("a")
    words = [sys.executable, "-m", "vae_zoo", "compare", str(runs.path)]
    with Path(os.devnull).open("r") as unwritable:
        subprocess.run(words, stdout=unwritable, stderr=subprocess.DEVNULL, check=False)
    assert (runs.path / "comparison.html").read_text().endswith("</html>")
