"""The page in a real browser, from disk and without a network: drawn, sorted, filtered, printed."""

import json
import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from vae_zoo.comparison import compare

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def shown(chromium):
    """Open a file, which says nothing on the console and asks for nothing but itself."""
    heard = []
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})

    def show(file):
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        own = (file.as_uri(), "data:", "blob:")
        page.on("request", lambda one: one.url.startswith(own) or heard.append(one.url))
        page.goto(file.as_uri())
        return page

    yield show
    context.close()
    assert heard == []


class Columns:
    """The columns of a table, by their headings."""

    def __init__(self, table):
        self.table = table

    def heading(self, name):
        return self.table.locator("thead tr:last-child th").filter(has_text=name).first

    def cells(self, name):
        column = self.heading(name).evaluate("heading => heading.cellIndex")
        return self.table.locator(f"tbody tr > :nth-child({column + 1})")

    def sort(self, name, into):
        """Click at a heading, and wait until its column reads so: a busy browser sorts later."""
        self.heading(name).locator(".dt-column-order").click()
        expect(self.cells(name)).to_have_text(into)


@pytest.fixture
def zoo_of_three(runs):
    """Three latent dimensions, a point posterior, and a name that would be a script."""
    hostile = "<script>document.title='broken'</script>"
    for latent_dim, elbo in ((2, -100.5), (16, -9.5), (128, -20.5)):
        terms = {"elbo": elbo, "reconstruction": 5.0, "kl": -elbo - 5.0}
        runs.write(str(latent_dim), latent_dim=latent_dim, terms=terms)
    runs.write("hostile", prior=hostile)
    point = runs.part("posteriors", "Deterministic")
    runs.write("point", latent_dim=4, posterior=point, terms={"reconstruction": 9.0})
    for i, (folder, fid) in enumerate(zip(("2", "16", "128"), (9.5, 100.25, 20.0), strict=True)):
        kinds = ("kid", "precision", "density", "coverage")
        wide = {
            f"{kind}/{of}": (0.5, 1e-4) for kind in kinds for of in ("samples", "reconstructions")
        }
        samples = wide | {"fid/samples": fid, "recall/samples": i / 4, "fid/train": 0.5}
        runs.card(runs.path / folder, likelihood={"elbo": -20.0}, samples=samples)
    runs.card(runs.path / "point", samples={"recall/samples": 1.0}, **{hostile: {hostile: 1.0}})
    return compare([runs.path])


def test_columns_are_sorted_the_best_first_and_what_is_absent_last(shown, zoo_of_three):
    main = Columns(shown(zoo_of_three).locator("table.main"))
    main.sort("elbo", ["−9.50", "−20.00", "−20.50", "−100.50", "–"])
    main.sort("elbo", ["−100.50", "−20.50", "−20.00", "−9.50", "–"])
    main.sort("latent_dim", ["128", "16", "8", "4", "2"])
    main.sort("latent_dim", ["2", "4", "8", "16", "128"])


def test_one_part_of_the_score_cards_is_shown_at_a_time_and_sorted(shown, zoo_of_three):
    page = shown(zoo_of_three)
    parts = page.locator(".part:visible")
    assert parts.evaluate_all("all => all.map(each => each.dataset.part)") == ["likelihood"]
    page.get_by_role("button", name="samples", exact=True).first.click()
    assert parts.evaluate_all("all => all.map(each => each.dataset.part)") == ["samples"]
    scores = Columns(parts)
    scores.sort("FID", ["9.5", "20.0", "100.2", "–", "–"])
    scores.sort("FID", ["100.2", "20.0", "9.5", "–", "–"])
    scores.sort("recall", ["1.000", "0.500", "0.250", "0.000", "–"])
    scores.sort("recall", ["0.000", "0.250", "0.500", "1.000", "–"])
    floor = " ".join(parts.locator("tfoot").inner_text().split())
    assert floor == "training examples, the floor 0.5"
    assert parts.locator("tr.above .dt-column-order").count() == 0


def test_a_name_is_text_and_the_page_is_no_wider_than_the_screen(shown, zoo_of_three):
    page = shown(zoo_of_three)
    assert page.title() == "Comparison of demo"
    legend = page.locator(".legendtext").all_text_contents()
    assert any("<script>" in name for name in legend)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_plots_and_pictures_are_switched(shown, zoo, tmp_path):
    page = shown(compare([zoo], tmp_path / "page.html"))
    curves, weights = (page.locator(f"[data-plot={name}]") for name in ("curves", "weights"))
    expect(curves.locator(".ytitle")).to_have_text("val/elbo, nats")
    page.get_by_role("button", name="kl", exact=True).click()
    expect(curves.locator(".ytitle")).to_have_text("val/kl, nats")
    for scale in ("log", "linear"):
        page.get_by_role("button", name="log scale").click()
        assert curves.evaluate("plot => plot.layout.yaxis.type ?? 'linear'") == scale
    expect(weights.locator(".ytitle")).to_have_text("rate, nats")
    page.get_by_role("group", name="yardstick").get_by_role("button", name="ELBO").click()
    expect(weights.locator(".ytitle")).to_have_text("ELBO, nats")
    pictures = page.locator("[data-picture]:visible")
    for kind in ("reconstructions", "samples"):
        page.locator(f"button[data-of=pictures][data-key={kind}]").click()
        found = pictures.evaluate_all("all => all.map(each => each.dataset.picture)")
        assert set(found) == {kind}
    pressed = page.locator("[aria-pressed=true]").all_inner_texts()
    assert pressed == ["kl", "ELBO", "likelihood", "samples"]
    assert page.locator("[data-plot=parallel]").evaluate("plot => plot.data.length") == 18
    assert page.locator("[data-plot=multiples] .subplot").count() == 6


def test_columns_are_chosen_and_differences_unfolded(shown, zoo, tmp_path):
    page = shown(compare([zoo], tmp_path / "page.html"))
    headings = page.locator("table.main thead th")
    before = headings.all_inner_texts()
    page.get_by_role("button", name="columns").click()
    page.locator(".dt-button-collection button", has_text="prior").click()
    page.keyboard.press("Escape")
    assert set(before) - set(headings.all_inner_texts()) == {"prior"}
    table = page.locator("table.differences")
    assert not table.is_visible()
    page.get_by_text("Differences from").click()
    assert table.is_visible()
    marks = table.locator("td.number").evaluate_all("all => all.map(cell => cell.className)")
    assert {"number worse", "number noise"} <= set(marks)


def test_rows_are_filtered_and_hover_and_score_card_show_their_numbers(shown, runs):
    for i in range(16):
        name = "SlicedWasserstein" if i < 3 else "KL"
        regularizer = runs.part("regularizers", name, weight=float(i + 1))
        terms = {"elbo": -20.0 - i, "reconstruction": 14.0 + i, "kl": 6.0}
        folder = runs.write(str(i), regularizer=regularizer, terms=terms)
        runs.card(folder, yardsticks={"sliced_wasserstein": 0.125 * (i + 1)})
    page = shown(compare([runs.path]))
    rows = page.locator("table.main tbody tr")
    assert rows.count() == 16
    names = ["KL"] * 13 + ["SlicedWasserstein"] * 3
    marked = [re.compile(rf"\W {name}$") for name in names]
    Columns(page.locator("table.main")).sort("regularizer", marked)
    page.get_by_role("searchbox").first.fill("SlicedWasserstein")
    expect(rows).to_have_count(3)
    point = page.locator("[data-plot=plane] .points path").first
    point.scroll_into_view_if_needed()
    place = point.bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    hover = page.locator("[data-plot=plane] .hovertext")
    expect(hover).to_contain_text("SlicedWasserstein λ=1")
    expect(hover).to_contain_text("elbo −20.00")
    card = json.loads((runs.path / "0" / "scorecard.json").read_text())
    written = card["parts"]["yardsticks"]["scores"]["sliced_wasserstein"]["value"]
    scores = Columns(page.locator(".part[data-part=yardsticks] table"))
    column = scores.heading("sliced").evaluate("heading => heading.cellIndex")
    cell = scores.table.locator(f"tbody tr:first-child > :nth-child({column + 1})")
    assert float(cell.get_attribute("data-order")) == written == 0.125


def test_what_is_folded_is_printed_and_then_folded_again(shown, zoo, tmp_path):
    page = shown(compare([zoo], tmp_path / "page.html"))
    folded = page.locator("details:not([open])")
    count = folded.count()
    assert count > 1
    page.get_by_text("Differences from").click()
    page.evaluate("addEventListener('afterprint', () => { window.printed = true; })")
    page.evaluate(
        "addEventListener('beforeprint', () => { window.unfolded ="
        " document.querySelectorAll('details:not([open])').length; })"
    )
    page.pdf(path=tmp_path / "page.pdf")
    assert page.evaluate("[window.unfolded, window.printed]") == [0, True]
    assert folded.count() == count - 1
