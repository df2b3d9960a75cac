"""What stands in the two pages: sections, each with commands, tables and an answer."""

import re
from collections.abc import Iterator
from typing import NamedTuple

SLOW = "Not in `make experiments`"
COMMENT = re.compile(r"\s+# .*$")  # the time that a command took
NUMBER = re.compile(r"(?<![\w.])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")


class Section(NamedTuple):
    """A question, how it was asked, and what was found.

    Args:
        title: Its heading.
        commands: As one types them, in the order of the page.
        slow: Whether `make experiments` leaves it out.
        tables: What the programs have written into it.
        answer: The paragraph that says what was found.
        text: All of it.
    """

    title: str
    commands: list[str]
    slow: bool
    tables: str
    answer: str
    text: str

    @classmethod
    def of(cls, title: str, text: str) -> "Section":
        blocks = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        commands = [COMMENT.sub("", line) for block in blocks for line in block.splitlines()]
        tables = re.findall(r"<!-- [\w ]+ -->\n(.*?)<!-- end -->", text, re.DOTALL)
        found = re.search(r"^\*\*Answer\.\*\*(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
        answer = found[1] if found else ""
        return cls(title, commands, SLOW in text, "\n".join(tables), answer, text)

    def unfounded(self) -> list[str]:
        """Numbers of the answer that no table of the section has, or rounds to."""
        shown = [_plain(number) for number in NUMBER.findall(self.tables)]
        return [each for each in NUMBER.findall(self.answer) if not _rounds_to(_plain(each), shown)]


def sections(page: str) -> Iterator[Section]:
    """Yield the sections of a page in their order."""
    parts = re.split(r"^## (\d+\. .*)\n", page, flags=re.MULTILINE)
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        yield Section.of(title, text + "\n")


def _plain(number: str) -> str:
    return number.replace(",", "").replace("−", "-")


def _rounds_to(number: str, shown: list[str]) -> bool:
    """Whether a number is one of those shown, perhaps with fewer decimals; signs are words."""
    decimals = len(number.partition(".")[2])
    wanted = abs(float(number))
    return any(abs(abs(float(each)) - wanted) <= 0.5 * 10**-decimals + 1e-9 for each in shown)
