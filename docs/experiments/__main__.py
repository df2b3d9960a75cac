"""Run the commands of experiments.md and results.md as they stand there, and time each.

python docs/experiments                      # all but the slow sections
python docs/experiments collapse evidence    # those whose program is so called
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from report import PAGES
from sections import COMMENT, Section, sections

COLUMN = 52  # where the times stand


def main() -> int:
    """Run what the command line asks for; 1 where an answer is no longer that of its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("program", nargs="*", help="the sections to run, by their programs")
    asked = parser.parse_args().program
    found = read()
    known = {program(section): section for section in found}
    if unknown := [name for name in asked if name not in known]:
        parser.error(f"no section has a program {unknown[0]}: they are {', '.join(known)}")
    chosen = asked or [name for name, section in known.items() if not section.slow]
    begin = time.perf_counter()
    for name in chosen:
        print(f"\n## {known[name].title}", flush=True)
        for command in known[name].commands:
            if code := run(command):
                print(f"{command} ended with exit code {code}: the sections after it wait")
                return code
    done = "1 section" if len(chosen) == 1 else f"{len(chosen)} sections"
    print(f"\n{done} in {duration(time.perf_counter() - begin)}")
    stale = {each.title: each.unfounded() for each in read()}
    for title, numbers in stale.items():
        if numbers:
            print(f"{title}: its answer has {', '.join(numbers)}, which no table of it has")
    return int(any(stale.values()))


def read() -> list[Section]:
    """The sections of both pages, as they are now."""
    return [section for page in PAGES for section in sections(page.read_text())]


def program(section: Section) -> str:
    """The name of the program of a section."""
    return Path(shlex.split(section.commands[-1])[1]).stem


def run(command: str) -> int:
    """Run a command, and write its time into the page, unless it failed or its runs were there."""
    words = shlex.split(command)
    there = words[:2] == ["vae-zoo", "sweep"] and Path("runs", words[2].replace("/", "_")).exists()
    print(f"$ {command}", flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    begin = time.perf_counter()
    process = subprocess.Popen(words, env={**os.environ, "PATH": path})
    try:
        code = process.wait()
    except KeyboardInterrupt:  # which the command has got, too: a sweep stops its trials
        process.wait()
        code = 130
    if code or there:
        return code
    taken = f"{command:<{COLUMN - 2}}  # {duration(time.perf_counter() - begin)}"
    for page in PAGES:
        lines = page.read_text().splitlines()
        timed = [taken if COMMENT.sub("", line) == command else line for line in lines]
        page.write_text("\n".join([*timed, ""]))
    return 0


def duration(seconds: float) -> str:
    """Write a time as one says it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


if __name__ == "__main__":
    sys.exit(main())
