"""Experiments and results: sections are whole, and no answer has a number that its tables lack."""

import importlib.util
import re
import runpy
import shlex
import sys
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import published_likelihood
import pytest
import report
from sections import Section, sections

from vae_zoo.packaged import find

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "experiments"
EXPERIMENTS, RESULTS = (list(sections(page.read_text())) for page in report.PAGES)
SECTIONS = EXPERIMENTS + RESULTS
TITLES = [each.title for each in SECTIONS]
EACH = pytest.mark.parametrize("section", SECTIONS, ids=TITLES)
QUESTION = ("**Theory.** ", "```bash\n", "<!-- end -->", "![", "**Answer.** ", "**What it does ")
RESULT = ("**Published.** ", "```bash\n", "<!-- end -->", "**Answer.** ", "**What was cut.** ")
PARTS = {"report", "sections", "__main__", "bits_back"}  # of the programs
BENCHMARKS = {file.stem for file in (ROOT / "benchmarks").glob("*.py")}
PAGE = """# Experiments

## 1. How many?

**Theory.** None.

```bash
vae-zoo sweep beta -j 2   # 9 s
python docs/experiments/count.py
```

<!-- count -->
<!-- end -->

**Answer.** There are 3, of −1.24 ± 0.10 nats; 1,500 of 7.

**What it does not show.** 8.
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page of one section, in place of the real one."""
    file, other = tmp_path / "experiments.md", tmp_path / "results.md"
    file.write_text(PAGE)
    other.write_text("# Results\n")
    monkeypatch.setattr(report, "PAGES", [other, file])
    return file


@pytest.fixture
def runner(page, monkeypatch):
    """The program that runs the sections, over that page."""
    spec = importlib.util.spec_from_file_location("runner", FOLDER / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAGES", report.PAGES)
    monkeypatch.chdir(page.parent)
    return module


@EACH
def test_a_section_has_all_its_parts_in_their_order(section):
    places = [section.text.find(part) for part in (RESULT if section in RESULTS else QUESTION)]
    assert min(places) >= 0
    assert places == sorted(places)
    assert section.tables.strip()
    for name in re.findall(r"\]\((experiments/\w+\.png)\)", section.text):
        assert (ROOT / "docs" / name).is_file()


@EACH
def test_a_number_of_an_answer_stands_in_a_table_beside_it(section):
    assert section.answer.strip()
    assert section.unfounded() == []


@EACH
def test_every_command_of_a_section_is_there(section):
    for words in map(shlex.split, section.commands):
        if words[:2] == ["vae-zoo", "sweep"]:
            assert Path(find("sweeps", words[2])).is_file()
        elif words[0] == "python":
            assert (ROOT / words[1]).is_file()
        else:
            assert words[0] == "vae-zoo" or words == ["make", "bench-peers"]


QUICK = [section for section in SECTIONS if not section.slow]


@pytest.mark.parametrize("section", QUICK, ids=[each.title for each in QUICK])
def test_every_command_of_a_quick_section_has_its_time(section):
    (block,) = re.findall(r"```bash\n(.*?)```", section.text, re.DOTALL)
    for line in block.splitlines():
        assert re.search(r" # (\d+ min )?\d+ s$", line), line


def test_the_quick_sections_take_less_than_half_an_hour_together():
    times = {}  # a command of two sections is run once
    for section in QUICK:
        for line in re.findall(r"^(.+?)\s+# (?:(\d+) min )?(\d+) s$", section.text, re.MULTILINE):
            times[line[0]] = 60 * int(line[1] or 0) + int(line[2])
    assert sum(times.values()) < 30 * 60


def test_every_program_has_a_section():
    commands = [shlex.split(command) for each in SECTIONS for command in each.commands]
    programs = {Path(words[1]).stem for words in commands if words[0] == "python"}
    assert {file.stem for file in FOLDER.glob("*.py")} == programs - BENCHMARKS | PARTS


PROGRAMS = sorted(file.name for file in FOLDER.glob("*.py") if file.stem not in PARTS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_says_what_it_lacks_without_a_traceback(program):
    ending = '\n\nif __name__ == "__main__":\n    run_section(main)\n'
    assert (FOLDER / program).read_text().endswith(ending)


def test_a_program_without_its_runs_says_what_comes_before_it(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    program = str(FOLDER / "collapse.py")
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(program, run_name="__main__")
    assert end.value.code == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("collapse.py: error: runs/beta is no folder")
    assert hint.endswith("last command of a section of docs/experiments.md or docs/results.md")
    monkeypatch.setattr(sys, "argv", [program, "--debug"])
    with pytest.raises(ValueError, match="runs/beta is no folder"):
        runpy.run_path(program, run_name="__main__")


def test_runs_that_only_their_epochs_tell_apart_are_not_mixed_up(monkeypatch):
    run = Mock(finished=True, config={"trainer": {"max_epochs": 500}})
    monkeypatch.setattr(published_likelihood, "find_runs", lambda _: [run, run])
    with pytest.raises(ValueError, match="two finished runs of as many epochs"):
        published_likelihood.main()


def test_a_table_is_put_into_its_place(page, capsys):
    for count in ("3", "4"):
        report.show("count", pd.DataFrame({"what | which": ["a_b"], "how many": [count]}))
        assert (
            "<!-- count -->\n| what \\| which | how many |\n| --- | ---: |\n"
            f"| a\\_b | {count} |\n<!-- end -->"
        ) in page.read_text()
    assert "a_b" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no page has a place <!-- sum -->"):
        report.show("sum", pd.DataFrame({"x": ["1"]}))


def test_a_summary_is_the_mean_and_standard_error_of_each_group():
    runs = pd.DataFrame(
        {
            "weight": [2.0, 2.0, 0.5, 0.5],
            "elbo": [-1.0, -3.0, -10.0, -10.0],
            "kl": [1.0, 2.0, None, None],
        }
    )
    table = report.summary(runs, "weight", {"ELBO": "elbo", "rate": "kl"})
    assert table.columns.tolist() == ["weight", "ELBO", "rate"]
    assert table["weight"].tolist() == ["0.5", "2"]
    assert table["ELBO"].tolist() == ["−10.0 ± 0.0", "−2.0 ± 1.0"]
    assert table["rate"].tolist() == ["–", "1.50 ± 0.50"]


def test_numbers_of_an_answer_that_no_table_rounds_to_are_named():
    filled = PAGE.replace(
        "<!-- count -->\n", "<!-- count -->\n| -1.2371 | 0.1004 | 1500 | 3.01 |\n"
    )
    (section,) = sections(filled)
    assert section.unfounded() == ["7"]
    assert Section.of("", filled.replace("of 7", "of 3.0")).unfounded() == []
    assert Section.of("", filled.replace("of 7", "of 3.02")).unfounded() == ["3.02"]
    assert Section.of("", PAGE).unfounded() == ["3", "−1.24", "0.10", "1,500", "7"]


def test_commands_are_run_as_they_stand_and_timed_where_their_runs_are_new(
    runner, page, monkeypatch, capsys
):
    ran = []

    def succeed(words, **_):
        ran.append(words)
        return Mock(wait=lambda: 0)

    monkeypatch.setattr(runner.subprocess, "Popen", succeed)
    monkeypatch.setattr(sys, "argv", ["experiments"])
    Path("runs/beta").mkdir(parents=True)
    assert runner.main() == 1  # for the numbers of the answer
    assert ran == [["vae-zoo", "sweep", "beta", "-j", "2"], ["python", "docs/experiments/count.py"]]
    assert "count.py                    # 0 s\n" in page.read_text()
    assert "vae-zoo sweep beta -j 2   # 9 s\n" in page.read_text()
    assert "1. How many?: its answer has 3, −1.24" in capsys.readouterr().out
    Path("runs/beta").rmdir()
    page.write_text(page.read_text().replace("count.py  ", "count.py --of the long and the wide  "))
    runner.main()
    assert "vae-zoo sweep beta -j 2                             # 0 s\n" in page.read_text()
    assert "count.py --of the long and the wide  # 0 s\n" in page.read_text()


@pytest.mark.parametrize(("ends", "code"), [([2], 2), ([KeyboardInterrupt, 0], 130)])
def test_a_command_that_fails_or_is_interrupted_ends_it_untimed(
    ends, code, runner, page, monkeypatch, capsys
):
    command = Mock(wait=Mock(side_effect=ends))
    monkeypatch.setattr(runner.subprocess, "Popen", lambda words, **_: command)
    monkeypatch.setattr(sys, "argv", ["experiments"])
    assert runner.main() == code
    assert command.wait.call_count == len(ends)  # it has ended before this does
    assert f"vae-zoo sweep beta -j 2 ended with exit code {code}" in capsys.readouterr().out
    assert page.read_text() == PAGE


def test_a_section_that_is_not_there_is_named(runner, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "counts"])
    with pytest.raises(SystemExit) as end:
        runner.main()
    assert end.value.code == 2
    assert "no section has a program counts" in capsys.readouterr().err
