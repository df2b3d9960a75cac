"""Build the page of 500 runs of 200 epochs, and sort its tables in Chromium.

    python benchmarks/page.py

The runs are written to a temporary folder, as training leaves them. It prints the seconds that
`vae-zoo compare` takes, the size of the page, and the milliseconds until a table is
sorted and laid out.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from html import unescape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.comparison import conftest

EPOCHS, GROUPS, SEEDS = 200, 100, 5
PROBE = """
const place = document.createElement("pre");
place.id = "told";
const told = [];
for (const table of document.querySelectorAll("table.groups.dataTable")) {
  const before = performance.now();
  new DataTable.Api(table).order([[table.tHead.rows[0].cells.length - 1, "desc"]]).draw();
  table.tBodies[0].rows[0].getBoundingClientRect();  // which lays it out
  told.push(`${table.tBodies[0].rows.length} rows ${(performance.now() - before).toFixed(1)} ms`);
}
place.textContent = told.join(", ");
document.body.append(place);
"""


def write_runs(folder: Path) -> None:
    """Write runs of KL at 20 weights with 5 latent dimensions."""
    conftest.EPOCHS = EPOCHS
    zoo = [
        (
            {
                "regularizer": conftest.part("regularizers", "KL", weight=(i // 5 + 1) / 10),
                "latent_dim": 4 + i % 5,
            },
            10 + i / 20,
            8 - i / 50,
        )
        for i in range(GROUPS)
    ]
    write = conftest.write_run
    conftest.write_run = lambda folder, config, **test: write(folder, config, EPOCHS, **test)
    conftest.write_zoo(folder, SEEDS, zoo)


def main() -> None:
    """Write, compare and look."""
    with tempfile.TemporaryDirectory() as name:
        folder, page = Path(name, "runs"), Path(name, "page.html")
        write_runs(folder)
        began = time.monotonic()
        command = [sys.executable, "-m", "vae_zoo", "compare", str(folder), "-o", str(page)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        size = page.stat().st_size / 2**20
        print(f"built in {time.monotonic() - began:.1f} s, {size:.1f} MiB")
        if not (chromium := shutil.which("chromium") or shutil.which("google-chrome")):
            print("there is no Chromium to sort it in")
            return
        script, end, rest = page.read_text().rpartition("</script>")
        page.write_text(script + PROBE + end + rest)  # where the tables are known
        options = ["--headless", "--no-sandbox", "--dump-dom"]
        profile = f"--user-data-dir={Path(name, 'profile')}"
        command = [chromium, *options, profile, page.as_uri()]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        print(unescape(re.findall(r'<pre id="told">(.*?)</pre>', told)[-1]))


if __name__ == "__main__":
    main()
