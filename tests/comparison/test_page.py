import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vae_zoo.comparison import compare, page, read

HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and the text of each."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def all(self, wanted):
        pairs = zip(self.elements, self.texts, strict=True)
        return [(attributes, text.strip()) for (tag, attributes), text in pairs if tag == wanted]

    @property
    def cells(self):
        return [(text, attributes) for attributes, text in self.all("td")]

    @property
    def figures(self):
        [text] = [text for at, text in self.all("script") if at.get("id") == "figures"]
        return json.loads(text)


def rendered(path):
    return Page(page.render(read([path])))


def traces(figure):
    return {
        trace["name"]: trace for trace in figure["data"] if trace.get("showlegend") is not False
    }


def test_compare_prints_the_table_and_the_path_of_the_page(zoo, tmp_path, capsys):
    output = tmp_path / "page.html"
    assert compare([zoo], output) == output
    text = capsys.readouterr().out
    assert "MMD" in text
    assert text.splitlines()[-1] == str(output)
    assert output.read_text().startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [output]


def test_the_page_lies_in_the_first_folder_by_default(runs):
    runs.write("a")
    assert compare([runs.path]) == runs.path / "comparison.html"
    assert (runs.path / "comparison.html").exists()


@pytest.mark.parametrize("output", ["missing/page.html", "."])
def test_a_page_that_cannot_lie_there_is_refused(runs, output):
    runs.write("a")
    with pytest.raises(ValueError, match="output must be a file in a folder that exists"):
        compare([runs.path], runs.path / output)


def test_comparing_imports_neither_torch_nor_lightning_nor_wandb(runs):
    runs.card(runs.write("a"), likelihood={"elbo": -20.0})
    code = (
        "import sys; from pathlib import Path; from vae_zoo.comparison import compare;"
        f"compare([Path({str(runs.path)!r})]);"
        "print(sorted({'torch', 'lightning', 'wandb'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_nothing_on_the_page_is_loaded_from_elsewhere(zoo):
    html = page.render(read([zoo]))
    parsed = Page(html)
    for tag, attributes in parsed.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        loading = ("src", "srcset", "data", "action") if tag == "a" else ("src", "href", "srcset")
        for name in (*loading, "data", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    for _, css in parsed.all("style"):
        assert "@import" not in css
        assert re.search(r"url\(\s*['\"]?(?!data:)", css) is None
    sources = re.findall(r"^\s*import\b.*?\bfrom\s+\"([a-z]+:)", html, flags=re.MULTILINE)
    assert sources == ["data:"]
    [policy] = [at["content"] for at, _ in parsed.all("meta") if "http-equiv" in at]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_a_hostile_string_in_a_config_is_text(runs):
    runs.write("a", latent_dim=HOSTILE, prior=HOSTILE)
    runs.write("b", 1, encoder=runs.part("networks", "MLP", hidden=[HOSTILE]))
    runs.write("c", regularizer={"class_path": f"mine.Bad{HOSTILE}"})
    html = page.render(read([runs.path]))
    parsed = Page(html)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert len(parsed.all("script")) == 3  # figures, plotly, our own
    assert HOSTILE in [text for text, _ in parsed.cells]
    names = "".join(trace["name"] for trace in parsed.figures[0]["curves"]["elbo"]["data"][1::2])
    assert "&lt;script&gt;" in names  # plotly reads a label as HTML
    assert "<" not in names


def test_a_hostile_string_in_a_score_card_is_text(runs):
    part = runs.part_of_card("x", {"mmd": 1.0}, {HOSTILE: HOSTILE, "kl": HOSTILE}, kernel=HOSTILE)
    hostile = runs.part_of_card(HOSTILE, {HOSTILE: 1.0, f"fid/{HOSTILE}": 2.0}, **{HOSTILE: 1})
    none = runs.part_of_card("probes", {}, {"": HOSTILE})
    more = {HOSTILE: hostile, "yardsticks": part, "probes": none}
    runs.card(runs.write("a"), **more, likelihood={"elbo": -20.0})
    other = runs.part_of_card("x", {"mmd": 1.0}, kernel=HOSTILE[::-1])
    lacking = runs.part_of_card("likelihood", {"kl": 1.0}, {"elbo": HOSTILE})
    runs.card(runs.write("b", latent_dim=2), yardsticks=other, likelihood=lacking)
    file = runs.write("c", 7) / "scorecard.json"
    file.write_text(json.dumps({"version": HOSTILE}))
    html = page.render(read([runs.path]))
    parsed = Page(html)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert len(parsed.all("script")) == 3
    assert HOSTILE in [text for _, text in parsed.all("button")]
    titles = [attributes.get("title", "") for _, attributes in parsed.elements]
    for said in ("{{ 7 * 7 }}", HOSTILE, f"kernel {HOSTILE}"):
        assert any(said in title for title in titles)
    assert any(HOSTILE in text for _, text in parsed.all("p"))
    assert any(HOSTILE in text for _, text in parsed.all("li"))


def test_the_number_of_a_score_card_is_on_the_page(runs):
    folder = runs.write("a")
    runs.card(folder, yardsticks={"mmd": (0.00123456789, 0.0002)})
    runs.card(runs.write("b", latent_dim=2), yardsticks={})
    cells = dict(rendered(runs.path).cells)
    content = json.loads((folder / "scorecard.json").read_text())
    exact = content["parts"]["yardsticks"]["scores"]["mmd"]["value"]
    assert float(cells["0.00123 ± 0.00020"]["data-order"]) == exact
    assert cells["0.00123 ± 0.00020"]["class"] == "number"


def test_a_number_that_is_absent_from_a_score_card_is_a_dash_with_the_reason(runs):
    runs.card(runs.write("a", terms={"reconstruction": 14.0}), likelihood={"elbo": -20.0})
    empty = runs.part_of_card("likelihood", {}, {"": "it has none"})
    runs.card(runs.write("b", latent_dim=2), likelihood=empty)
    parsed = rendered(runs.path)
    [absent] = [at for text, at in parsed.cells if at.get("class") == "number absent"]
    assert absent["title"] == "it has none"
    assert "data-order" not in absent
    assert "– it has none" in [text for _, text in parsed.all("p")]


def test_headings_and_rows_say_on_hover_what_they_are(zoo):
    parsed = rendered(zoo)
    titles = {text: attributes.get("title") for attributes, text in parsed.all("th")}
    assert "Lower is better.\nCompare between runs of" in titles["MMD²\N{NO-BREAK SPACE}↓"]
    rows = [attributes["title"] for attributes, _ in parsed.all("tr") if "title" in attributes]
    assert len([row for row in rows if "500 examples" not in row and "kernel imq" in row]) == 6


def test_groups_of_another_setting_have_a_mark(runs):
    for i, n in enumerate((1000, 1000, 200)):
        part = runs.part_of_card("yardsticks", {"mmd": 0.5}, n=n)
        runs.card(runs.write(str(i), latent_dim=i + 1), yardsticks=part)
    [(mark, text)] = rendered(runs.path).all("sup")
    assert (mark["title"], text) == ("200 examples, not 1,000 examples", "†")


def test_runs_without_any_score_card_are_told_how_to_get_one(runs):
    runs.write("a")
    parsed = rendered(runs.path)
    assert "No run has a score card yet: vae-zoo evaluate RUN makes one." in [
        text for _, text in parsed.all("p")
    ]
    assert not [at for at, _ in parsed.all("table") if "scores" in at["class"]]


def test_runs_without_a_score_card_are_listed_by_reason(runs):
    runs.card(runs.write("whole"), likelihood={"elbo": -20.0})
    for i in (1, 2):
        runs.write(str(i), i)
    (runs.write("old", 3) / "scorecard.json").write_text('{"version": 0}')
    parsed = rendered(runs.path)
    items = [text for _, text in parsed.all("li")]
    assert "demo/1, demo/2: no scorecard.json: `vae-zoo evaluate RUN` makes one" in items
    assert any(item.startswith("demo/old: scorecard.json is of version 0") for item in items)
    assert "3 runs without a score card" in [text for _, text in parsed.all("h3")]


def test_cells_are_sorted_by_their_mean_and_absent_ones_by_nothing(runs):
    point = runs.part("posteriors", "Deterministic")
    runs.write("a", 0, terms={"elbo": -20.125, "reconstruction": 14.0, "kl": 6.125})
    runs.write("b", 1, terms={"elbo": -20.5, "reconstruction": 14.0, "kl": 6.5})
    runs.write("c", posterior=point, terms={"reconstruction": 9.0})
    cells = dict(rendered(runs.path).cells)
    assert cells["−20.31 ± 0.19"]["data-order"] == "-20.3125"
    assert cells["–"]["title"] == "no density: the posterior is deterministic"
    assert "data-order" not in cells["–"]
    assert cells["9.00"]["title"] == "one seed: no standard error"


def test_a_column_of_numbers_is_sorted_as_numbers(runs):
    for latent_dim in (8, 16, 128):
        runs.write(str(latent_dim), latent_dim=latent_dim)
    parsed = rendered(runs.path)
    numbers = [text for attributes, text in parsed.all("th") if attributes.get("class")]
    assert "latent_dim" in numbers
    assert "prior" not in numbers
    assert dict(parsed.cells)["128"]["data-order"] == "128"


def test_a_group_has_one_look_everywhere(zoo):
    parsed = rendered(zoo)
    [figures] = parsed.figures
    plane = traces(figures["plane"])
    assert plane.pop("front")
    assert len(plane) == 6
    for figure in figures["curves"].values():
        for name, trace in traces(figure).items():
            assert trace["line"]["color"] == plane[name]["marker"]["line"]["color"]
            assert trace["marker"]["symbol"] == plane[name]["marker"]["symbol"]
    colors = [trace["line"]["color"] for trace in traces(figures["curves"]["elbo"]).values()]
    spans = [at["style"].removeprefix("color: ") for at, _ in parsed.all("span") if "style" in at]
    assert len(set(colors)) == 6
    held = [name for name in plane if name != "KL β=1"]  # against the reference
    differences = [plane[name]["marker"]["line"]["color"] for name in held]
    # And in the table, each part of the score card, and pictures.
    assert spans == differences + colors * (1 + 9 + 1)


def test_many_groups_all_look_different():
    looks = {(style.color, style.symbol) for style in map(page.Style.number, range(49))}
    assert len(looks) == 49


@pytest.mark.parametrize(("count", "room"), [(24, True), (25, False)])
def test_more_than_24_groups_have_no_legend_and_the_first_24_have_pictures(runs, count, room):
    for i in range(count):
        runs.write(str(i), regularizer=runs.part("regularizers", "KL", weight=i + 1.0))
    parsed = rendered(runs.path)
    [figures] = parsed.figures
    for figure in (figures["plane"], figures["parallel"], figures["curves"]["elbo"]):
        assert figure["layout"].get("showlegend", True) is room
    assert figures["weights"]["rate"]["layout"].get("showlegend", True) is True  # of one family
    assert len(parsed.all("article")) == 24
    notes = " ".join(text for _, text in parsed.all("p"))
    assert ("Legends of more than 24 groups" in notes) is not room
    assert ("Of the first 24 groups" in notes) is not room


def test_the_plane_shows_each_run_and_each_mean(zoo):
    plane = rendered(zoo).figures[0]["plane"]
    groups = {group.name: group for group in read([zoo]).sections[0].groups}
    mmd = groups["MMD λ=10"]
    mean, runs = [trace for trace in plane["data"] if trace["name"] == "MMD λ=10"]
    assert mean["x"] == [pytest.approx(mmd.estimate("kl").mean)]
    assert mean["y"] == [pytest.approx(mmd.estimate("reconstruction").mean)]
    assert runs["x"] == [member.summary["test/kl"] for member in mmd.members]
    assert f"elbo −{-mmd.estimate('elbo').mean:.2f} ± " in mean["hovertext"][0]


def test_lines_of_equal_elbo_have_slope_minus_one_and_their_elbo(zoo):
    layout = rendered(zoo).figures[0]["plane"]["layout"]
    totals = []
    for line in layout["shapes"]:
        assert line["x0"] + line["y0"] == pytest.approx(line["x1"] + line["y1"])
        totals.append(line["x0"] + line["y0"])
    labels = [f"ELBO −{total:g}" for total in totals]
    assert [note["text"] for note in layout["annotations"]] == labels
    assert 3 <= len(totals) <= 8


def test_groups_without_a_rate_are_named_below_the_plane(runs):
    point = runs.part("posteriors", "Deterministic")
    runs.write("a")
    runs.write("b", posterior=point, terms={"reconstruction": 9.0})
    html = page.render(read([runs.path]))
    assert "Not drawn: KL β=1 · Deterministic (no density: the posterior" in html
    for file in (runs.path / "a").iterdir():
        if file.is_file():
            file.unlink()
    parsed = rendered(runs.path)
    assert parsed.figures[0]["plane"] is None
    buttons = [text for at, text in parsed.all("button") if at.get("data-of") == "curves"]
    assert buttons == ["reconstruction", "penalty", "loss"]


def test_a_curve_is_the_mean_in_a_band_of_a_standard_error(runs):
    for seed, elbo in enumerate((-20.0, -22.0)):
        runs.write(str(seed), seed, terms={"elbo": elbo, "reconstruction": 14.0, "kl": 6.0})
    band, line = rendered(runs.path).figures[0]["curves"]["elbo"]["data"]
    start, error = 1.8, 1.8 * 1.0  # standard error of -20 and -22 is 1, at epoch 0 all is × 1.8
    assert line["y"][0] == pytest.approx(-21 * start)
    assert band["y"][0] == pytest.approx(-21 * start + error)
    assert band["y"][-1] == pytest.approx(-21 * start - error)
    assert line["customdata"][0] == 1.8
    assert line["hovertemplate"] == "%{y:.5~g} ± %{customdata:.2~g}"


def test_pictures_are_those_of_the_lowest_seed(runs):
    runs.write("a", 2)
    folder = runs.write("b", 1)
    addresses = [attributes["src"] for attributes, _ in rendered(runs.path).all("img")]
    wanted = [folder / "images" / f"{name}.png" for name in ("reconstructions", "samples")]
    assert [base64.b64decode(each.partition(",")[2]) for each in addresses] == [
        file.read_bytes() for file in wanted
    ]


@pytest.mark.parametrize("content", [None, b"<svg onload=alert(1)>"])
def test_a_picture_that_is_no_png_is_said_to_be_missing(runs, content):
    file = runs.write("a") / "images" / "samples.png"
    file.unlink() if content is None else file.write_bytes(content)
    html = page.render(read([runs.path]))
    assert "no images/samples.png" in html
    assert len(Page(html).all("img")) == 1


def test_runs_left_out_are_all_listed_with_the_reason(runs):
    runs.write("whole")
    for i in range(12):
        runs.write(f"half{i:02}", i, epochs=2)
    items = [text for _, text in rendered(runs.path).all("li")]
    assert "demo/half11: in epoch 1" in items


def test_shared_settings_are_on_the_page(runs):
    runs.write("a", latent_dim=8)
    runs.write("b", latent_dim=16)
    names = [text for _, text in rendered(runs.path).all("dt")]
    assert "trainer.max_epochs" in names
    assert "model.latent_dim" not in names


def test_an_interrupted_write_leaves_the_old_page(runs, monkeypatch):
    runs.write("a")
    target = compare([runs.path])
    before = target.read_text()

    def fail(self, *_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        compare([runs.path])
    assert target.read_text() == before
    assert {file.name for file in runs.path.iterdir()} == {"a", "comparison.html"}
