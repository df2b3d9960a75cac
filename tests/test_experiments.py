"""The page of experiments: each section asks, shows and answers, and its numbers are its tables'."""

import re
import shlex
from pathlib import Path

import pytest
from sections import sections

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "experiments"
SECTIONS = list(sections((ROOT / "docs" / "experiments.md").read_text()))
WORDS = [[shlex.split(command) for command in section.commands] for section in SECTIONS]
PARTS = (
    "**Theory.** ",
    "```bash\n",
    "<!-- end -->",
    "![",
    "**Answer.** ",
    "**What it does not show.** ",
)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title.split(".")[0])
def test_a_section_has_all_its_parts_and_no_number_that_its_tables_lack(section):
    places = [section.text.find(part) for part in PARTS]
    assert places == sorted(places) and places[0] >= 0, dict(zip(PARTS, places, strict=True))
    assert "<!-- end -->\n<!--" not in section.text and section.tables.strip()
    assert section.unfounded() == []


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title.split(".")[0])
def test_every_command_was_timed(section):
    block = re.search(r"```bash\n(.*?)```", section.text, re.DOTALL)[1]
    assert all(re.search(r"  # (\d+ min )?\d+ s$", line) for line in block.splitlines()), block
