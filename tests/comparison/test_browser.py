"""The page in a real browser: it draws, sorts and switches, and asks for nothing."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from vae_zoo.comparison import compare

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--virtual-time-budget=8000",
    "--dump-dom",
)
BEGIN = """
<script type="module">
const told = {};
const pause = () => new Promise((done) => setTimeout(done, 300));
"""
END = """
const place = document.createElement("pre");
place.id = "told";
place.textContent = JSON.stringify(told);
document.body.append(place);
</script>
</body>
"""
PROBE = """
const table = document.querySelector("table.groups");
const column = (name) =>
  [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === name);
const cells = (name) => [...table.tBodies[0].rows].map((row) => row.cells[column(name)].innerText);
const click = async (name) => {
  const header = table.tHead.rows[0].cells[column(name)];
  (header.querySelector(".dt-column-order") ?? header).click();
  await pause();
};
await pause();
for (const name of ["elbo", "latent_dim"]) {
  await click(name);
  told[`${name} first`] = cells(name);
  await click(name);
  told[`${name} second`] = cells(name);
}
const part = (name) => document.querySelector(`.part[data-part=${name}]`);
const shown = () => [...document.querySelectorAll(".part")]
  .filter((place) => place.checkVisibility()).map((place) => place.dataset.part);
const scores = (name, title) => {
  const head = [...part(name).querySelectorAll("tr.titles th")];
  const i = head.findIndex((cell) => cell.textContent.trim().startsWith(title));
  const rows = part(name).querySelector("tbody").rows;
  return [head[i], () => [...rows].map((row) => row.cells[i].innerText)];
};
told.first = shown();
document.querySelector("button[data-part=samples]").click();
await pause();
told.second = shown();
for (const title of ["FID", "recall"]) {
  const [header, values] = scores("samples", title);
  for (const time of ["first", "second"]) {
    header.querySelector(".dt-column-order").click();
    await pause();
    told[`${title} ${time}`] = values();
  }
}
told.floor = part("samples").querySelector("tfoot").innerText.trim().split(/\\s*\\t\\s*/);
told.orders = part("samples").querySelectorAll("tr.above .dt-column-order").length;
told.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
const curves = document.querySelector("[data-plot=curves]");
told.axis = curves.layout.yaxis.title.text;
document.querySelector("[data-key=kl]").click();
await pause();
told.kl = curves.layout.yaxis.title.text;
told.pressed = [...document.querySelectorAll("[aria-pressed=true]")].map((b) => b.innerText);
told.plots = document.querySelectorAll(".main-svg").length;
told.legend = [...document.querySelectorAll(".legendtext")].map((text) => text.textContent);
told.hostile = document.title;
told.requests = performance.getEntriesByType("resource")
  .map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
"""
SWITCHES = """
await pause();
const plot = (name) => document.querySelector(`[data-plot=${name}]`);
const press = async (selector) => {
  document.querySelector(selector).click();
  await pause();
};
told.weights = plot("weights").layout.yaxis.title.text;
await press("button[data-of=weights][data-key=ELBO]");
told.elbo = plot("weights").layout.yaxis.title.text;
await press("button[data-key=kl]");
await press("button[data-log=curves]");
told.log = plot("curves").layout.yaxis.type;
await press("button[data-log=curves]");
told.linear = plot("curves").layout.yaxis.type ?? "linear";
const pictures = () => [...document.querySelectorAll("[data-picture]")]
  .filter((place) => place.checkVisibility()).map((place) => place.dataset.picture);
told.first = [...new Set(pictures())];
await press("button[data-key=samples]");
told.second = [...new Set(pictures())];
told.lines = plot("parallel").data.length;
told.small = plot("multiples").querySelectorAll(".subplot").length;
const headings = () => [...document.querySelectorAll("table.main th")].map((th) => th.innerText);
told.all = headings();
await press(".dt-buttons button");
await press(".dt-button-collection button:nth-of-type(3)");
told.fewer = headings();
document.querySelector(".answer details").open = true;
await pause();
const table = document.querySelector("table.differences");
told.marks = [...new Set([...table.querySelectorAll("td.number")].map((td) => td.className))];
"""


def probed(file, probe, folder):
    """What a script in a page tells, which has no network and no fault."""
    file.write_text(file.read_text().replace("</body>", BEGIN + probe + END))
    result = subprocess.run(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'profile'}", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in result.stderr
    return json.loads(unescape(re.search(r'<pre id="told">(.*?)</pre>', result.stdout)[1]))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_the_page_works_in_a_browser_without_network(runs, tmp_path):
    hostile = "<script>document.title='broken'</script>"
    point = runs.part("posteriors", "Deterministic")
    for latent_dim, elbo in ((2, -100.5), (16, -9.5), (128, -20.5)):
        terms = {"elbo": elbo, "reconstruction": 5.0, "kl": -elbo - 5.0}
        runs.write(str(latent_dim), latent_dim=latent_dim, terms=terms)
    runs.write("hostile", prior=hostile)
    runs.write("point", latent_dim=4, posterior=point, terms={"reconstruction": 9.0})
    for i, (folder, fid) in enumerate(zip(("2", "16", "128"), (9.5, 100.25, 20.0), strict=True)):
        kinds = ("kid", "precision", "density", "coverage")
        wide = {
            f"{kind}/{of}": (0.5, 1e-4) for kind in kinds for of in ("samples", "reconstructions")
        }
        samples = wide | {"fid/samples": fid, "recall/samples": i / 4, "fid/train": 0.5}
        card = {"likelihood": {"elbo": -20.0}, "samples": samples}
        runs.card(runs.path / folder, **card)
    runs.card(runs.path / "point", samples={"recall/samples": 1.0}, **{hostile: {hostile: 1.0}})
    told = probed(compare([runs.path]), PROBE, tmp_path)
    assert told["elbo first"] == ["−9.50", "−20.00", "−20.50", "−100.50", "–"]
    assert told["elbo second"] == ["−100.50", "−20.50", "−20.00", "−9.50", "–"]
    assert told["latent_dim first"] == ["128", "16", "8", "4", "2"]
    assert told["latent_dim second"] == ["2", "4", "8", "16", "128"]
    assert told["axis"] == "val/elbo, nats"
    assert told["kl"] == "val/kl, nats"
    assert told["pressed"] == ["kl", "samples", "reconstructions"]
    assert told["first"] == ["likelihood"]
    assert told["second"] == ["samples"]
    assert told["FID first"] == ["9.5", "20.0", "100.2", "–", "–"]
    assert told["FID second"] == ["100.2", "20.0", "9.5", "–", "–"]
    assert told["recall first"] == ["1.000", "0.500", "0.250", "0.000", "–"]
    assert told["recall second"] == ["0.000", "0.250", "0.500", "1.000", "–"]
    assert told["floor"] == ["training examples, the floor", "0.5"]
    assert told["orders"] == 0
    assert told["wide"] is False
    assert told["plots"] >= 2
    assert any(hostile in name for name in told["legend"])
    assert told["hostile"] == "Comparison of demo"
    assert told["requests"] == []


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_plots_and_pictures_are_switched(zoo, tmp_path):
    told = probed(compare([zoo], tmp_path / "page.html"), SWITCHES, tmp_path)
    assert (told["weights"], told["elbo"]) == ("rate, nats", "ELBO, nats")
    assert (told["log"], told["linear"]) == ("log", "linear")
    assert (told["first"], told["second"]) == (["reconstructions"], ["samples"])
    assert told["lines"] == 18
    assert told["small"] == 6
    assert [name for name in told["all"] if name not in told["fewer"]] == ["prior"]
    assert {"number worse", "number noise"} <= set(told["marks"])


FILTER = """
await pause();
const rows = () => document.querySelector("table.main").tBodies[0].rows.length;
told.before = rows();
const search = document.querySelector("input[type=search]");
search.value = "SlicedWasserstein";
search.dispatchEvent(new Event("input", { bubbles: true }));
await pause();
told.after = rows();
const plane = document.querySelector("[data-plot=plane]");
const number = plane.data.findIndex((trace) => trace.hovertext);
Plotly.Fx.hover(plane, [{ curveNumber: number, pointNumber: 0 }]);
await pause();
told.hover = plane.querySelector(".hovertext").textContent;
const part = document.querySelector(".part[data-part=yardsticks]");
const titles = [...part.querySelectorAll("tr.titles th")].map((th) => th.textContent.trim());
const column = titles.findIndex((title) => title.startsWith("sliced"));
told.score = part.querySelector("tbody tr").cells[column].dataset.order;
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_rows_are_filtered_and_hover_and_score_card_show_their_numbers(runs, tmp_path):
    for i in range(16):
        sliced = runs.part("regularizers", "SlicedWasserstein", weight=float(i + 1))
        kl = runs.part("regularizers", "KL", weight=float(i + 1))
        terms = {"elbo": -20.0 - i, "reconstruction": 14.0 + i, "kl": 6.0}
        folder = runs.write(str(i), regularizer=sliced if i < 3 else kl, terms=terms)
        runs.card(folder, yardsticks={"sliced_wasserstein": 0.125 * (i + 1)})
    told = probed(compare([runs.path]), FILTER, tmp_path)
    assert (told["before"], told["after"]) == (16, 3)
    assert "SlicedWasserstein λ=1" in told["hover"]
    assert "elbo −20.00" in told["hover"]
    card = json.loads((runs.path / "0" / "scorecard.json").read_text())
    written = card["parts"]["yardsticks"]["scores"]["sliced_wasserstein"]["value"]
    assert float(told["score"]) == written == 0.125
