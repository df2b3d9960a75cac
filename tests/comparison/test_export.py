import csv
import io
import json
import subprocess
import sys

import pandas as pd
import pytest

import vae_zoo
from vae_zoo.cli import main


def run(capsys, *words):
    """What the command prints, and its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *map(str, words)])
    return stopped.value.code, *capsys.readouterr()


def regularized(runs, name, value, **options):
    return {"regularizer": runs.part("regularizers", name, weight=value, **options)}


def test_a_row_is_a_run_with_its_settings_terms_and_scores(runs, capsys):
    terms = {"elbo": -20.1234567890123, "reconstruction": 14.0, "kl": 6.25, "critic": 0.5}
    folder = runs.write("a", 3, terms=terms, **regularized(runs, "MMD", 10.0))
    runs.card(folder, likelihood={"elbo": (-20.5, 0.1)}, samples={"fid/samples": (1.25, None)})
    code, out, _ = run(capsys, runs.path, "--json")
    [row] = json.loads(out)
    assert code == 0
    assert list(row.items()) == [
        ("folder", str(folder)),
        ("name", "demo"),
        ("id", "a"),
        ("group", "MMD λ=10"),
        ("data", "Digits"),
        ("likelihood", "Bernoulli"),
        ("regularizer", "MMD"),
        ("weight", 10.0),
        ("prior", "StandardNormal"),
        ("posterior", "DiagonalNormal"),
        ("latent_dim", 8),
        ("seed", 3),
        ("elbo", -20.1234567890123),
        ("reconstruction", 14.0),
        ("kl", 6.25),
        ("penalty", 2.0),
        ("loss", 16.0),
        ("critic", 0.5),
        ("score/elbo", -20.5),
        ("score_error/elbo", 0.1),
        ("score/fid/samples", 1.25),
        ("score_error/fid/samples", None),
    ]


def test_what_else_differs_has_columns_by_dotted_keys(runs):
    runs.write("a", latent_dim=2, **regularized(runs, "MMD", 10.0, kernel="imq", biased=True))
    more = runs.part("data", "Digits", batch_size=32)
    runs.write("b", data=more, **regularized(runs, "MMD", 1.0, kernel="gaussian", biased=False))
    runs.write("c", prior="mine.StandardNormal", encoder=runs.part("networks", "Conv"))
    table = vae_zoo.compare(runs.path).set_index("id")
    further = {name: list(table[name].loc[["a", "b", "c"]]) for name in table if "." in name}
    kernels = further.pop("model.regularizer.kernel")
    biased = further.pop("model.regularizer.biased")
    assert (kernels[:2], biased[:2]) == (["imq", "gaussian"], [True, False])
    assert pd.isna(kernels[2])
    assert pd.isna(biased[2])
    # Two classes of one name are told apart by their modules.
    assert further == {
        "data.batch_size": [64, 32, 64],
        "model.prior": ["vae_zoo.priors.StandardNormal"] * 2 + ["mine.StandardNormal"],
        "model.encoder": ["MLP", "MLP", "Conv"],
    }


def test_the_weights_of_a_schedule_and_of_what_it_wraps_have_columns(runs):
    for i, weight in enumerate((1.0, 4.0)):
        inner = runs.part("regularizers", "KL", weight=weight)
        runs.write(str(i), **regularized(runs, "Annealed", 2.0, inner=inner))
    table = vae_zoo.compare([runs.path]).set_index("id")
    assert list(table["regularizer"]) == ["Annealed(KL)"] * 2
    assert table["weight"].isna().all()
    assert dict(table["model.regularizer.inner.weight"]) == {"0": 1.0, "1": 4.0}


def test_one_weight_has_no_second_column(runs):
    for weight in (1.0, 4.0):
        runs.write(str(weight), **regularized(runs, "KL", weight))
    assert not [name for name in vae_zoo.compare([runs.path]) if "." in name]


def test_csv_comes_back_from_pandas_as_it_was(zoo, capsys):
    _, out, err = run(capsys, zoo, "--csv")
    back = pd.read_csv(io.StringIO(out))
    table = vae_zoo.compare([zoo])
    assert err == ""
    assert len(back) == 18
    pd.testing.assert_frame_equal(back, table, check_dtype=False, rtol=1e-15, atol=0.0)


def test_json_and_csv_have_the_same_numbers_in_full(zoo, capsys):
    rows = json.loads(run(capsys, zoo, "--json")[1])
    back = [*csv.DictReader(io.StringIO(run(capsys, zoo, "--csv")[1]))]
    for name in ("elbo", "score/fid/samples", "score_error/mmd"):
        assert [float(row[name]) for row in back] == [row[name] for row in rows]
    card = json.loads((zoo / "run00" / "scorecard.json").read_text())
    [first] = [row for row in rows if row["id"] == "run00"]
    assert (
        first["score_error/mmd"] == (card["parts"]["yardsticks"]["scores"]["mmd"]["standard_error"])
    )


def test_what_is_absent_is_null_and_empty(runs, capsys):
    runs.write("a", None, posterior=runs.part("posteriors", "Deterministic"), terms={"kl": 1.0})
    (runs.path / "a" / "metrics.csv").write_text("test/loss,test/reconstruction\n16.0,14.0\n")
    runs.write("b", 1)
    rows = {row["id"]: row for row in json.loads(run(capsys, runs.path, "--json")[1])}
    assert (rows["a"]["elbo"], rows["a"]["seed"], rows["b"]["elbo"]) == (None, None, -20.0)
    lines = [line.split(",") for line in run(capsys, runs.path, "--csv")[1].splitlines()]
    [absent] = [dict(zip(lines[0], line, strict=True)) for line in lines[1:] if line[2] == "a"]
    assert (absent["elbo"], absent["seed"], absent["loss"]) == ("", "", "16.0")
    assert str(vae_zoo.compare([runs.path])["seed"].dtype) == "Int64"


def test_an_infinite_setting_is_a_word_since_json_has_no_infinity(runs, capsys):
    runs.write("a", limit=float("inf"))
    runs.write("b", limit=1.5)
    rows = {row["id"]: row for row in json.loads(run(capsys, runs.path, "--json")[1])}
    assert (rows["a"]["model.limit"], rows["b"]["model.limit"]) == ("inf", 1.5)


@pytest.mark.parametrize("form", ["--csv", "--json", "--latex", "--markdown"])
def test_runs_left_out_are_told_on_stderr_and_no_page_is_written(runs, capsys, form):
    runs.write("whole")
    runs.write("half", 1, epochs=2)
    code, out, err = run(capsys, runs.path, form)
    assert code == 0
    assert err == "1 run unfinished: demo/half (in epoch 1)\n"
    assert "half" not in out
    assert not list(runs.path.glob("*.html"))


def test_a_page_is_written_beside_a_form_where_one_is_named(runs, capsys, tmp_path):
    runs.write("a")
    page = tmp_path / "page.html"
    _, out, err = run(capsys, runs.path, "--csv", "-o", page)
    assert out.startswith("folder,name,id,")
    assert len(out.splitlines()) == 2
    assert err == ""
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--csv", "--json"], "argument --json: not allowed with argument --csv"),
        (["--csv", "--watch"], "--watch writes the page again and again: not with --csv"),
        (["--latex", "--open"], "--latex writes no page to open: add -o page.html"),
        (["--csv", "-o", "no/page.html"], "output must be a file in a folder that exists"),
        (["--json", "--reference", "KL β=2"], "there is no group 'KL β=2'. Did you mean KL β=1?"),
        (["--watch", "often"], "should be seconds, as 10, got 'often': name folders before"),
        (["--watch", "0"], "should be above 0"),
        (["--watch", "nan"], "should be above 0"),
    ],
)
def test_what_cannot_be_is_refused_on_stderr_alone(runs, capsys, words, reason):
    runs.write("a")
    code, out, err = run(capsys, runs.path, *words)
    assert (code, out) == (2, "")
    assert reason in err


def test_the_reference_can_be_named(zoo, capsys, tmp_path):
    page = tmp_path / "page.html"
    run(capsys, zoo, "-o", page, "--reference", "KL β=4")
    assert "Differences from KL β=4" in page.read_text()


def test_open_shows_the_page_that_was_written(runs, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    runs.write("a")
    assert run(capsys, runs.path, "--open")[0] == 0
    assert opened == [(runs.path / "comparison.html").resolve().as_uri()]


def test_without_a_browser_the_page_is_there_all_the_same(runs, capsys, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    runs.write("a")
    code, out, err = run(capsys, runs.path, "--open")
    assert code == 0
    assert out.splitlines()[-1] == str(runs.path / "comparison.html")
    assert err == f"vae-zoo: found no browser to open {runs.path / 'comparison.html'} with\n"


def test_folders_may_be_words_in_a_notebook(zoo):
    table = vae_zoo.compare(str(zoo))
    assert len(table) == len(vae_zoo.compare([str(zoo)])) == 18
    with pytest.raises(ValueError, match="is no folder"):
        vae_zoo.compare(["runs/none"])


def test_the_package_and_its_table_import_no_torch_and_pandas_only_when_asked(runs):
    runs.write("a")
    code = (
        "import sys, vae_zoo; from vae_zoo import cli; heavy = {'torch', 'pandas'};"
        "print(sorted(heavy & set(sys.modules)));"
        f"vae_zoo.compare([{str(runs.path)!r}]); print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['pandas']"]


def test_means_of_the_table_are_those_of_the_terminal(zoo, capsys, tmp_path):
    by_group = vae_zoo.compare([zoo]).groupby("group")["elbo"].agg(["mean", "sem"])
    mean, error = by_group.loc["KL β=4"]
    said = run(capsys, zoo, "-o", tmp_path / "page.html")[1]
    assert f"{mean:.2f}±{error:.2f}" in said
