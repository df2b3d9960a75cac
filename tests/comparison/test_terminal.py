import io
import re

from rich.console import Console

from vae_zoo.comparison import read
from vae_zoo.comparison.terminal import show


def printed(path, width=80):
    console = Console(file=io.StringIO(), width=width)
    show(read([path]), console)
    return console.file.getvalue()


def test_the_table_fits_80_columns_with_whole_numbers(zoo):
    text = printed(zoo)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert (
        len(re.findall(r"-\d\d\.\d\d±\d\.\d\d +\d+\.\d\d±\d\.\d\d +\d+\.\d\d±\d\.\d\d", text)) == 6
    )
    assert "…" not in text
    assert not re.search(r"\.\d{3}", text.partition("ELBO: ")[0])


def test_names_are_whole_where_there_is_room(zoo):
    text = printed(zoo, width=120)
    assert "SlicedWasserstein" in text
    assert "MixtureOfNormals" in text
    assert "reconstruction" in text


def test_the_table_says_split_checkpoint_and_unit(zoo):
    assert "test split at best.ckpt, in nats, mean ± standard error over seeds" in printed(zoo)


def test_an_absent_value_is_a_dash_with_its_reason(runs):
    point = runs.part("posteriors", "Deterministic")
    runs.write("a", posterior=point, terms={"reconstruction": 9.0})
    text = printed(runs.path)
    assert re.search(r"–\s+9\.00\s+–", text)
    assert "no density: the posterior is deterministic" in text
    assert "nan" not in text


def test_one_seed_is_said_to_have_no_error(runs):
    runs.write("a")
    assert "One seed gives no standard error." in printed(runs.path)


def test_what_differs_is_said_below_the_regularizer(runs):
    for i, latent_dim in enumerate((8, 8, 16)):
        runs.write(str(i), i, latent_dim=latent_dim)
        runs.write(f"mmd{i}", i, regularizer=runs.part("regularizers", "MMD", weight=1.0))
    text = printed(runs.path)
    assert "Unless said otherwise: latent_dim 8." in text
    assert text.count("latent_dim 16") == 1


def test_sections_come_with_the_reason_why_they_are_apart(runs):
    runs.write("a")
    assert "An ELBO depends on" not in printed(runs.path)
    runs.write("b", data=runs.part("data", "MNIST", batch_size=64))
    assert "An ELBO depends on the data and the likelihood" in printed(runs.path)


def test_runs_left_out_are_listed_but_not_without_end(runs):
    runs.write("whole")
    for i in range(12):
        runs.write(f"half{i:02}", i, epochs=2)
    text = printed(runs.path, width=400)
    assert "12 runs unfinished: demo/half00 (in epoch 1), " in text
    assert "and 2 more" in text
    assert "half10" not in text


def test_brackets_in_a_name_are_no_markup(runs):
    runs.write("whole")
    runs.write("[red]half", 1, epochs=2)
    assert "[red]half" in printed(runs.path)


def test_runs_without_a_score_card_are_told_in_one_line_by_reason(runs):
    for i in range(5):
        runs.write(f"none{i}", i)
    (runs.write("torn", 5) / "scorecard.json").write_text('{"version": 1, "par')
    runs.card(runs.write("whole", 6), likelihood={"elbo": -20.0})
    lines = printed(runs.path, width=500).splitlines()
    [line] = [line for line in lines if "score card" in line]
    assert line.startswith(
        "6 runs without a score card: demo/none0, demo/none1, demo/none2, 2 more "
        "(no scorecard.json: `vae-zoo evaluate RUN` makes one); demo/torn (scorecard.json is no "
    )


def test_score_cards_that_are_all_there_need_no_words(zoo):
    assert "score card" not in printed(zoo)
